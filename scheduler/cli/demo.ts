import { rmSync } from "node:fs";
import { mkdtemp, readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  createPipe,
  defaultFleet,
  type EmbeddedNode,
  OpenFailed,
  type Pipe,
  type PipeEvent,
  startBlockProducer,
} from "../index.ts";
import { shortVersion } from "../files/policy-version.ts";
import type { DemoOptions } from "./demo-options.ts";
import { type DemoScreen, screenOn } from "./demo-screen.ts";
import { type DemoSummary, formatSummary, summarise } from "./demo-summary.ts";
import { DemoTally } from "./demo-tally.ts";
import { untilJoined } from "./fleet-up.ts";
import { writeRunFile } from "./run-file.ts";
import { type Arrival, madeUpArrivals, traceArrivals, Users } from "./demo-workload.ts";

const CHAIN_ID = "pipe-demo";
const INTERVAL_MS = 500;
/** Nothing new comes in during the last blocks, so that what is there can come to its end. */
const QUIET_BLOCKS = 8;
/** Every other result in mode `optimistic`: a minute's lies would be found at the usual rate, too, but not those of twenty seconds. */
const CHALLENGES_PER_MILLION = 500_000;
const DEPOSIT_GWEI = 1_000_000_000;

/** The directory cannot be used; the message says what to do. */
export class DemoRefused extends Error {
  override readonly name = "DemoRefused";
}

/**
 * Runs PIPE on this machine: nodes in threads, users who sign, a block each 500 ms, and a summary. Progress goes to standard
 * error, the summary to standard output. Resolves to whether the ledger adds up. Rejects with DemoRefused or TraceError.
 */
export async function runDemo(options: DemoOptions, interrupted: AbortSignal): Promise<boolean> {
  const arrivals = await arrivalsOf(options);
  const { directory, temporary } = await directoryOf(options);
  // Also when the process is ended in the middle by a second Ctrl-C.
  const leave = (): void => {
    if (temporary) rmSync(directory, { recursive: true, force: true });
  };
  process.once("exit", leave);
  const note = (text: string): void => void process.stderr.write(`${text}\n`);
  try {
    introduce(options, note);
    const summary = await run(options, arrivals, { directory, interrupted });
    if (options.json) console.log(JSON.stringify(summary));
    else if (summary.blocks === 0) note("Interrupted before the first block.");
    else console.log(`\n${formatSummary(summary)}`);
    if (options.out !== undefined) note(advice(options.out));
    return summary.ledgerBalanced;
  } finally {
    process.off("exit", leave);
    leave();
  }
}

function introduce(options: DemoOptions, note: (text: string) => void): void {
  const { blocks, nodes, latency, seed } = options;
  note(`PIPE: ${nodes} inference nodes, ${blocks} blocks of ${INTERVAL_MS} ms, seed ${seed}.`);
  note(
    latency === "none"
      ? "The ONNX models run as fast as they compute: microseconds."
      : "Each answer is a real ONNX inference, held back by a latency profile of a 70B model (--latency none turns that off).",
  );
}

function advice(out: string): string {
  return `\nThe records are in ${out}. Check them as an outsider would:\n  npx pipe receipts verify ${out}\n  npx pipe order audit ${out}\n  npx pipe replay ${out}\nOr hold a simulation against it:\n  npx pipe sim twin ${out}`;
}

function arrivalsOf({ trace, seed, ratePerS, blocks }: DemoOptions): Promise<Arrival[]> {
  const durationMs = Math.max(1, blocks - QUIET_BLOCKS) * INTERVAL_MS;
  if (trace !== undefined) return traceArrivals(trace, durationMs);
  return Promise.resolve(madeUpArrivals({ seed, ratePerS, durationMs }));
}

async function directoryOf({ out }: DemoOptions): Promise<{ directory: string; temporary: boolean }> {
  if (out === undefined) return { directory: await mkdtemp(join(tmpdir(), "pipe-demo-")), temporary: true };
  const present = await readdir(out).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw new DemoRefused(
      `${out} cannot be used (${error.code ?? error.message}). Give --out a directory that can be written.`,
    );
  });
  if (present.length > 0) throw new DemoRefused(`${out} is not empty. Give --out a new directory, or remove that one.`);
  return { directory: out, temporary: false };
}

async function run(
  options: DemoOptions,
  arrivals: readonly Arrival[],
  { directory, interrupted }: { directory: string; interrupted: AbortSignal },
): Promise<DemoSummary> {
  const seedHex = options.seed.toString(16).padStart(64, "0");
  const nodes = defaultFleet({ count: options.nodes, seedHex, latency: options.latency, faults: options.faults });
  const pipe = await createPipe({
    directory,
    chainId: CHAIN_ID,
    fleet: { nodes },
    ...(options.policyFile === undefined ? { policy: options.policy } : { policyFile: options.policyFile }),
    engine: { seed: options.seed },
    proofs: { challenges: { perMillion: CHALLENGES_PER_MILLION, epochBlocks: 10 } },
    logger: "error",
  }).catch((error) => {
    if (!(error instanceof OpenFailed)) throw error;
    if (error.part === "policy") throw new DemoRefused(`--policy-file:\n${error.message}`, { cause: error });
    throw new DemoRefused(`${directory} cannot be used: ${error.message}.`, { cause: error });
  });
  const screen = screenOn(process.stderr, process.env["TERM"]);
  try {
    await writeRunFile(directory, options, nodes);
    await untilJoined(pipe, nodes.length, interrupted);
    const tally = new DemoTally();
    void follow(pipe, tally, screen);
    const sealDelaysMs = await produce(options, { pipe, tally, arrivals, screen, nodes, interrupted });
    const statistics = await pipe.statistics();
    return summarise({ options, tally, statistics, latency: pipe.latency, sealDelaysMs, registry: pipe.registry });
  } finally {
    screen.close();
    await pipe.close();
  }
}

async function follow(pipe: Pipe, tally: DemoTally, screen: DemoScreen): Promise<void> {
  for await (const event of pipe.events()) {
    tally.note(event);
    for (const line of policyNews(event)) screen.say(line);
  }
}

function policyNews(event: PipeEvent): readonly string[] {
  if (event.kind === "policy-changed") {
    const { name, origin } = event.policy;
    return [
      `policy ${name}, version ${shortVersion(event.policy)}, is in force${origin === undefined ? "" : `: ${origin}`}`,
    ];
  }
  if (event.kind !== "policy-refused") return [];
  return ["the policy file is refused, the policy in force stays:", ...event.problems.map((line) => `  ${line}`)];
}

interface Stage {
  readonly pipe: Pipe;
  readonly tally: DemoTally;
  readonly arrivals: readonly Arrival[];
  readonly screen: DemoScreen;
  readonly nodes: readonly EmbeddedNode[];
  readonly interrupted: AbortSignal;
}

/** Lets users submit and blocks seal. Resolves to how late each block was sealed. */
async function produce(options: DemoOptions, stage: Stage): Promise<number[]> {
  const { pipe, interrupted } = stage;
  const users = new Users({ chainId: CHAIN_ID, seed: options.seed });
  for (const account of users.accounts) await pipe.deposit({ account, amountGwei: DEPOSIT_GWEI });
  const cutOffs = new Map<number, number>();
  const sealDelaysMs: number[] = [];
  const done = Promise.withResolvers<void>();
  interrupted.addEventListener("abort", () => done.resolve(), { once: true });
  if (interrupted.aborted) done.resolve();
  const producer = startBlockProducer({
    pipe: {
      ...pipe,
      openBlock: (block) => {
        cutOffs.set(block.height, block.sealAtMs);
        return pipe.openBlock(block);
      },
    },
    intervalMs: INTERVAL_MS,
    firstHeight: 1,
    maxTransactions: 1_000,
    order: "gas",
    confirmations: 1,
    onSealed: ({ header: { height, sealedUs } }) => {
      sealDelaysMs.push(sealedUs / 1_000 - (cutOffs.get(height) ?? 0));
      showProgress(options, stage, height).catch(done.reject);
      if (height >= options.blocks) done.resolve();
    },
    onTrouble: (error) => done.reject(error),
  });
  const over = new AbortController();
  const submitting = submitAll(options, stage, {
    users,
    sealed: () => sealDelaysMs.length,
    over: over.signal,
    onTrouble: done.reject,
  });
  await done.promise.finally(async () => {
    over.abort();
    await producer.stop();
    await submitting;
  });
  await finish(pipe, await producer.stop());
  return sealDelaysMs;
}

interface Submitting {
  readonly users: Users;
  /** Blocks sealed so far. */
  readonly sealed: () => number;
  readonly over: AbortSignal;
  readonly onTrouble: (error: Error) => void;
}

/** Submits what arrives until it is over. Does not reject. */
async function submitAll(
  options: DemoOptions,
  { pipe, tally, arrivals }: Stage,
  { users, sealed, over, onTrouble }: Submitting,
): Promise<void> {
  const startedMs = performance.now();
  const outcomes: Promise<void>[] = [];
  for (const arrival of arrivals) {
    const waitMs = startedMs + arrival.atMs - performance.now();
    if (waitMs > 1) await sleep(waitMs, undefined, { signal: over }).catch(() => undefined);
    if (over.aborted) break;
    // Nobody waits for longer than the demonstration lasts.
    const ttlBlocks = Math.max(1, Math.min(arrival.ttlBlocks, options.blocks - sealed()));
    const submitted = users.submit(arrival, ttlBlocks, pipe);
    outcomes.push(submitted.then((outcome) => tally.outcome(outcome.ok ? undefined : outcome.problem), onTrouble));
  }
  await Promise.all(outcomes);
}

/** Confirms the last blocks; opens the one after them, in which everybody's time to live is over. */
async function finish(pipe: Pipe, next: number): Promise<void> {
  await pipe.committed(next - 1);
  const { sizes } = await pipe.statistics();
  if (sizes.pending > 0) await pipe.openBlock({ height: next + MAX_TTL_BLOCKS, sealAtMs: Date.now() + INTERVAL_MS });
  // The followers' turn.
  await sleep(50);
}

const MAX_TTL_BLOCKS = 64;

async function showProgress(
  options: DemoOptions,
  { pipe, tally, screen, nodes }: Stage,
  height: number,
): Promise<void> {
  const { sizes } = await pipe.statistics();
  screen.show({
    height,
    blocks: options.blocks,
    tally,
    pending: sizes.pending,
    racing: sizes.races,
    nodes: nodes.map(({ id, hardware, fault }) => ({
      id,
      hardware,
      fault: fault.kind === "none" ? "honest" : fault.kind,
      running: [...tally.running.values()].filter(({ node }) => node === id).length,
      won: tally.wonBy.get(id) ?? 0,
      lost: tally.lostBy.get(id) ?? 0,
    })),
  });
}
