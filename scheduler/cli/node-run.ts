import { readFile } from "node:fs/promises";
import { createPino, type LogLevel } from "../live/logger.ts";
import {
  authenticationFrom,
  type NatsAuthentication,
  type NatsNode,
  type NatsNodeOptions,
  type NatsNodeStatus,
  startNatsNode,
} from "../nats/index.ts";
import type { NodeLog } from "../node/backends/backend.ts";
import { type AssembledNode, assembleNode } from "../node/file/assemble-node.ts";
import { loadNodeFile, type NodeFile, NodeFileError } from "../node/file/node-file.ts";
import type { NodeSections } from "../node/file/node-sections.ts";
import { EXIT } from "./sim-experiments.ts";

/**
 * Runs the node that a file describes, until the signal is aborted: then answers under way come to their end, and nothing of the
 * node is left. Resolves to the exit code: 0 after that, 2 for a file that cannot be followed, 1 when the broker cannot be reached
 * or has refused the node for good.
 */
export async function nodeRun(path: string, level: LogLevel, signal: AbortSignal): Promise<number> {
  const pino = createPino(level);
  const log: NodeLog = (at, message, fields) => pino[at](fields, message);
  try {
    const file = await loadNodeFile(path, process.env);
    const node = await assembleNode(file, { environment: process.env, log });
    try {
      return await host(file, node, { log, signal });
    } finally {
      await node.close();
    }
  } catch (error) {
    if (error instanceof NodeFileError) {
      process.stderr.write(`${error.message}\n`);
      return EXIT.refused;
    }
    pino.fatal({ error: textOf(error) }, "the node cannot run");
    return EXIT.failed;
  }
}

interface Surroundings {
  readonly log: NodeLog;
  readonly signal: AbortSignal;
}

async function host(file: NodeFile, node: AssembledNode, { log, signal }: Surroundings): Promise<number> {
  const { id, drainMs } = file.sections;
  const stopped = Promise.withResolvers<void>();
  signal.addEventListener("abort", () => stopped.resolve(), { once: true });
  const hosted = await startNatsNode(await natsOptions(file, node, log));
  if (signal.aborted) stopped.resolve();
  process.stdout.write(readyLine(file, node));
  const closed = hosted.closed.then((error) => ({ error }));
  const ended = await Promise.race([stopped.promise, closed]);
  if (ended !== undefined) {
    log("warn", "the connection to the broker has ended for good", { node: id, error: textOf(ended.error) });
    return EXIT.failed;
  }
  log("info", "the node stops: answers under way come to their end", { node: id, withinMs: drainMs });
  await retire(node, hosted, drainMs);
  log("info", "the node has stopped", { node: id });
  return EXIT.done;
}

/** The broker may be gone for good meanwhile; nobody would hear the answers then. */
async function retire(node: AssembledNode, hosted: NatsNode, drainMs: number): Promise<void> {
  await Promise.race([node.retire(drainMs), hosted.closed]);
  await hosted.drain();
}

async function natsOptions(file: NodeFile, node: AssembledNode, log: NodeLog): Promise<NatsNodeOptions> {
  const { servers, chain, shard, schedulers, id, credentials } = file.sections;
  const tls = await tlsOf(file.sections);
  const met = new Set<string>();
  return {
    servers,
    chainId: chain,
    shard,
    schedulers,
    key: file.key,
    ...(credentials === undefined ? {} : { authentication: await authenticationOf(credentials) }),
    ...(tls === undefined ? {} : { tls }),
    node: {
      terms: node.terms,
      create: (say) => node.create(say),
      ...(node.attest === undefined ? {} : { attest: node.attest }),
    },
    onStatus: (status) => tell(status, id, log),
    onMishap(mishap) {
      // The first of each kind: whoever can reach the broker could fill the log otherwise.
      if (met.has(mishap)) return;
      met.add(mishap);
      log("warn", "a message was not taken or not sent; further ones of the kind are only counted", {
        node: id,
        mishap,
      });
    },
  };
}

async function authenticationOf(path: string): Promise<NatsAuthentication> {
  try {
    return authenticationFrom(await readFile(path, "utf8"));
  } catch (error) {
    throw new Error(`credentials ${path}: ${textOf(error)}`, { cause: error });
  }
}

/** PEM texts of the files. */
async function tlsOf({ tls }: NodeSections): Promise<NatsNodeOptions["tls"]> {
  const named = Object.entries(tls ?? {});
  if (named.length === 0) return undefined;
  const texts = named.map(async ([name, path]) => [name, await readFile(path, "utf8")] as const);
  return Object.fromEntries(await Promise.all(texts));
}

function tell(status: NatsNodeStatus, node: string, log: NodeLog): void {
  const { kind, ...fields } = status;
  const about = { node, ...fields, ...("error" in fields ? { error: textOf(fields.error) } : {}) };
  const { level, message } = STATUS[kind];
  log(level, message, about);
}

const STATUS: Readonly<
  Record<NatsNodeStatus["kind"], { readonly level: "debug" | "info" | "warn"; readonly message: string }>
> = {
  connected: { level: "info", message: "connected to the broker" },
  disconnected: { level: "warn", message: "the broker is away" },
  reconnecting: { level: "debug", message: "connecting again" },
  slow: { level: "warn", message: "the broker is slow; what is said waits" },
  error: { level: "warn", message: "the broker refuses something" },
  closed: { level: "info", message: "the connection to the broker has ended" },
  following: { level: "info", message: "following a scheduler" },
  joined: { level: "info", message: "joined" },
  unattested: { level: "warn", message: "the enclave gave no document" },
};

function readyLine({ sections }: NodeFile, { probes, terms }: AssembledNode): string {
  const { id, models, slots, shard, servers } = sections;
  const warm = [...probes.values()].filter(({ ok }) => ok).length;
  const about = `${models.length} models, ${warm} of them warm, ${terms.offers.length} offers, ${slots} slots`;
  return `pipe node: ${id} is ready for shard ${shard} on ${servers.join(", ")}: ${about}\n`;
}

function textOf(error: unknown): string | undefined {
  return error === undefined || error instanceof Error ? error?.message : String(error);
}
