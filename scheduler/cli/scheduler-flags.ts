import { SHARD_PATTERN } from "../nats/subjects.ts";
import { ID_PATTERN } from "../proofs/wire-limits.ts";
import { isLoopback } from "../shared/loopback.ts";

/** What `pipe scheduler` can be told. */
export interface SchedulerFlags {
  readonly directory: string;
  readonly chain: string;
  readonly host: string;
  readonly port: number;
  readonly tlsCert: string | undefined;
  readonly tlsKey: string | undefined;
  readonly plainHttp: boolean;
  readonly tokenFile: string | undefined;
  /** `undefined`: the nodes are in this process, and the journal is in the directory alone. */
  readonly nats: string | undefined;
  readonly shard: string;
  /** All of them, with commas between; `undefined` for one that serves every account. */
  readonly shards: string | undefined;
  readonly name: string;
  readonly replicas: 1 | 3 | 5;
  readonly natsCredentials: string | undefined;
  readonly natsCa: string | undefined;
  readonly nodes: number;
  readonly latency: "modelled" | "none";
  readonly policyFile: string | undefined;
  readonly registry: string | undefined;
  readonly pruneJournal: boolean;
  readonly otlp: string | undefined;
  readonly logLevel: "debug" | "info" | "warn" | "error";
  readonly json: boolean;
}

export const SCHEDULER_LIMITS = {
  // Each is a thread of about 100 MB.
  maxNodes: 32,
} as const;

/** What makes no sense about them; `undefined` when all does. */
export function misuseOf(flags: SchedulerFlags): string | undefined {
  const { chain, host, port, nodes, tlsCert, tlsKey, plainHttp, otlp, nats, natsCredentials, shard, shards } = flags;
  const { maxNodes } = SCHEDULER_LIMITS;
  if (nats === undefined && natsCredentials !== undefined) return "--nats-credentials is of no use without --nats.";
  if (!SHARD_PATTERN.test(shard)) return `--shard ${shard} is no name: give up to 32 letters, digits, "_" or "-".`;
  const all = shards?.split(",").map((name) => name.trim()) ?? [shard];
  const wrong = all.find((name, index) => !SHARD_PATTERN.test(name) || all.indexOf(name) !== index);
  if (wrong !== undefined) return `--shards: "${wrong}" is no name, or is named twice.`;
  if (!all.includes(shard)) return `--shards ${shards} does not name this scheduler's own, ${shard}: give all of them.`;
  if (!ID_PATTERN.test(chain)) return `--chain ${chain} is no name: give up to 64 letters, digits and the signs ._-`;
  if (port < 0 || port > 65_535) return `--port ${port} is out of range: give 0 to 65535.`;
  if (nodes < 1 || nodes > maxNodes) return `--nodes ${nodes} is out of range: give 1 to ${maxNodes}.`;
  if ((tlsCert === undefined) !== (tlsKey === undefined)) return "give --tls-cert and --tls-key together.";
  if (tlsCert !== undefined && plainHttp) return "give --tls-cert and --tls-key, or --plain-http, not both.";
  if (tlsCert === undefined && !plainHttp && !isLoopback(host)) {
    return `on ${host} others could read the producer's token from the wire. Give --tls-cert and --tls-key, or --plain-http where a proxy in front has TLS.`;
  }
  if (otlp !== undefined && !/^https?:\/\/./.test(otlp))
    return `--otlp ${otlp} is no URL: give one such as http://127.0.0.1:4318.`;
  return undefined;
}
