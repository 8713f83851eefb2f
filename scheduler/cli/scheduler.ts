import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createSecureContext } from "node:tls";
import { type Scheduler, startScheduler } from "../http/scheduler.ts";
import { ListenFailed } from "../http/listen-failed.ts";
import { type Standby, startStandby } from "../http/standby.ts";
import { loadToken, TOKEN_FILE, TokenError } from "../http/token.ts";
import type { LeadDoubt } from "../http/face.ts";
import type { HttpOptions } from "../http/server.ts";
import type { ShardStanding } from "../nats/index.ts";
import { defaultFleet, OpenFailed, type PipeOptions } from "../index.ts";
import { RegistryError } from "../registry/registry-file.ts";
import { SAME_PRESS_MS } from "./interruption.ts";
import { misuseOf, type SchedulerFlags } from "./scheduler-flags.ts";
import { SCHEDULER_EXIT, SchedulerRefused } from "./scheduler-refused.ts";
import type { ShardPart } from "./scheduler-shard.ts";

const EXIT = SCHEDULER_EXIT;

/**
 * Runs until a signal or a failure, and resolves to the exit code. Rejects with SchedulerRefused. The first signal lets what is
 * under way come to its end, a second one ends the process at once: what was acknowledged is safe in either case.
 */
export async function runScheduler(flags: SchedulerFlags): Promise<number> {
  const problem = misuseOf(flags);
  if (problem !== undefined) throw new SchedulerRefused(problem, { exitCode: EXIT.misused });
  const signals = heedSignals();
  try {
    const tls = await tlsOf(flags);
    const { token, tokenFile } = await tokenOf(flags);
    const starting = await begin(flags, { tls, token });
    const running = await Promise.race([starting.scheduler, starting.waits ? signals.first : never]).catch(
      async (error: unknown) => {
        await within(FAILED_CLOSE_MS, starting.leave());
        throw error;
      },
    );
    if (typeof running === "string") {
      note(`${running}: standing by no more.`);
      await starting.leave();
      return running === "SIGINT" ? EXIT.interrupted : EXIT.stopped;
    }
    tell(flags, running, tokenFile);
    const ended = await Promise.race([signals.first, running.failed]);
    if (ended instanceof Error) return await failed(ended, { running, starting }, flags);
    note(`${ended}: taking no more, finishing what is under way. Once more ends it at once.`);
    await running.close();
    await starting.leave();
    note("closed; everything is durable.");
    return ended === "SIGINT" ? EXIT.interrupted : EXIT.stopped;
  } finally {
    signals.forget();
  }
}

const never = new Promise<never>(() => undefined);

/** What is broken may not close as it should: that is tried, and not waited for. */
async function failed(
  failure: Error,
  { running, starting }: { readonly running: Scheduler; readonly starting: Starting },
  { directory }: SchedulerFlags,
): Promise<number> {
  note(`the scheduler has failed: ${failure.message}`);
  await within(
    FAILED_CLOSE_MS,
    running.close().then(() => starting.leave()),
  );
  note(`what was acknowledged is safe in ${directory}; start again with the same command.`);
  return EXIT.failed;
}

/** Waits for an end that may never come. */
async function within(ms: number, ending: Promise<void>): Promise<void> {
  const ended = ending.catch((error: unknown) => note(`closing: ${(error as Error).message}`));
  await Promise.race([ended, sleep(ms, undefined, { ref: false })]);
}

/** More than requests under way have to end. */
const FAILED_CLOSE_MS = 15_000;

async function tlsOf({ tlsCert, tlsKey }: SchedulerFlags) {
  if (tlsCert === undefined || tlsKey === undefined) return undefined;
  const [cert, key] = await Promise.all([pemOf("--tls-cert", tlsCert), pemOf("--tls-key", tlsKey)]);
  try {
    createSecureContext({ cert, key });
  } catch (error) {
    const said = (error as Error).message;
    throw new SchedulerRefused(`${tlsCert} and ${tlsKey} cannot be used together: ${said}.`, {
      exitCode: EXIT.misused,
      cause: error,
    });
  }
  return { cert, key };
}

async function pemOf(flag: string, path: string): Promise<string> {
  return readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    const message = `${flag}: ${path} cannot be read (${error.code ?? error.message}).`;
    throw new SchedulerRefused(message, { exitCode: EXIT.misused, cause: error });
  });
}

async function tokenOf({ directory, tokenFile = join(directory, TOKEN_FILE) }: SchedulerFlags) {
  try {
    await mkdir(directory, { recursive: true });
    return { token: await loadToken(tokenFile), tokenFile };
  } catch (error) {
    if (error instanceof TokenError)
      throw new SchedulerRefused(error.message, { exitCode: EXIT.misused, cause: error });
    const { code, message } = error as NodeJS.ErrnoException;
    throw new SchedulerRefused(`${directory} cannot be used (${code ?? message}).`, {
      exitCode: EXIT.misused,
      cause: error,
    });
  }
}

type Serving = Pick<HttpOptions, "tls" | "token">;

/** A scheduler that is being started. With a broker it may take any time: until another one does not lead any more. */
interface Starting {
  readonly scheduler: Promise<Scheduler>;
  readonly waits: boolean;
  /** Ends what is left beside the scheduler, and the waiting for it. */
  leave(): Promise<void>;
}

async function begin(flags: SchedulerFlags, serving: Serving): Promise<Starting> {
  const { nats, nodes: count, latency, registry } = flags;
  if (nats === undefined) {
    // Keys come from the directory's secret, and only from there; this seed is of the nodes' luck.
    const nodes = defaultFleet({ count, seedHex: "00".repeat(32), latency, faults: "none" });
    const parts = { fleet: { nodes }, ...(registry === undefined ? {} : { registry }) };
    return { scheduler: started(flags, serving, parts), waits: false, leave: () => Promise.resolve() };
  }
  let part: ShardPart | undefined;
  const trouble = (): string | undefined => part?.standing().trouble?.message;
  const standby = await startStandby({ ...flags, ...serving, trouble }).catch(refuse);
  const joined = await partOf(flags, nats).catch(async (error: unknown) => {
    await standby.close();
    return refuse(error);
  });
  part = joined;
  const { port } = standby;
  const shared = { beforeListening: () => standby.close(), doubt: () => doubtOf(joined.standing()) };
  const scheduler = started({ ...flags, port }, { ...serving, ...shared }, joined.pipe);
  scheduler.catch(() => undefined);
  return { scheduler, waits: true, leave: () => leave(standby, joined, scheduler) };
}

/** Its lease has run out by its own clock, and its journal has taken nothing since: another may lead, and know more. */
function doubtOf({ unconfirmedMs, leaseMs, trouble }: ShardStanding): LeadDoubt | undefined {
  if (unconfirmedMs <= leaseMs) return undefined;
  const why = trouble === undefined ? "" : ` (${trouble.message})`;
  const reason = `the brokers have not confirmed its lead for ${Math.round(unconfirmedMs)} ms${why}`;
  return { unconfirmedMs, reason };
}

/** Loaded by who needs it only: a connection to a broker brings a client library along. */
async function partOf(flags: SchedulerFlags, nats: string): Promise<ShardPart> {
  const { joinShard } = await import("./scheduler-shard.ts");
  const { natsCredentials: credentials } = flags;
  return joinShard({ ...flags, nats, credentials }, (role) => {
    if (role.kind === "following") note(`following shard ${flags.shard} from batch ${role.batch} on.`);
    if (role.kind === "leading") note(`leading shard ${flags.shard}, epoch ${role.epoch}.`);
  });
}

async function leave(standby: Standby, part: ShardPart, scheduler: Promise<Scheduler>): Promise<void> {
  await standby.close();
  await part.close();
  await scheduler.catch(() => undefined);
}

async function started(
  flags: SchedulerFlags,
  serving: Serving & Pick<HttpOptions, "beforeListening" | "doubt">,
  parts: Pick<PipeOptions, "fleet" | "journal" | "registry">,
): Promise<Scheduler> {
  const { directory, chain: chainId, policyFile, pruneJournal, logLevel, host, port } = flags;
  const about = {
    directory,
    chainId,
    pruneJournal,
    logger: logLevel,
    ...(policyFile === undefined ? {} : { policyFile }),
  };
  const all = flags.shards?.split(",").map((shard) => shard.trim());
  const http = { ...serving, host, port, ...(all === undefined ? {} : { shards: { own: flags.shard, all } }) };
  return startScheduler({ pipe: { ...about, ...parts }, http, otlpUrl: flags.otlp }).catch(refuse);
}

/** What an operator is told, where it is his affair. */
function refuse(error: unknown): never {
  if (error instanceof ListenFailed) throw new SchedulerRefused(error.message, { exitCode: EXIT.failed, cause: error });
  if (error instanceof RegistryError)
    throw new SchedulerRefused(`the registry cannot be used:\n${error.message}`, {
      exitCode: EXIT.misused,
      cause: error,
    });
  if (!(error instanceof OpenFailed)) throw error;
  const written = error.part === "policy" || error.part === "registry";
  const message = written
    ? `the ${error.part} cannot be used:\n${error.message}`
    : `the ${error.part}: ${error.message}`;
  throw new SchedulerRefused(message, { exitCode: written ? EXIT.misused : EXIT.failed, cause: error });
}

/** Standard output is the one line that programs wait for. */
function tell({ json, chain }: SchedulerFlags, { url, schedulerKey }: Scheduler, tokenFile: string): void {
  const line = json
    ? JSON.stringify({ ready: true, url, chain, schedulerKey, tokenFile, pid: process.pid })
    : `pipe scheduler: ready at ${url} for chain ${chain}; the producer's token is in ${tokenFile}`;
  process.stdout.write(`${line}\n`);
}

function note(text: string): void {
  process.stderr.write(`pipe scheduler: ${text}\n`);
}

type Signal = "SIGINT" | "SIGTERM";
const SIGNALS: readonly Signal[] = ["SIGINT", "SIGTERM"];

function heedSignals(): { readonly first: Promise<Signal>; readonly forget: () => void } {
  const { promise, resolve } = Promise.withResolvers<Signal>();
  let firstMs: number | undefined;
  const onSignal = (signal: Signal): void => {
    if (firstMs !== undefined && performance.now() - firstMs > SAME_PRESS_MS) {
      process.exit(signal === "SIGINT" ? EXIT.interrupted : EXIT.terminated);
    }
    firstMs ??= performance.now();
    resolve(signal);
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return {
    first: promise,
    forget: () => {
      for (const signal of SIGNALS) process.off(signal, onSignal);
    },
  };
}
