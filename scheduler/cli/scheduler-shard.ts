import type { PipeOptions } from "../index.ts";
import { createPino, type LogLevel } from "../live/logger.ts";
import { loadSecret, schedulerKey } from "../live/secret.ts";
import {
  createNatsTransport,
  type LeaseReport,
  type Mishap,
  openShard,
  type Shard,
  type ShardOptions,
  type ShardRole,
  type ShardStanding,
} from "../nats/index.ts";
import type { Registry } from "../registry/registry.ts";
import { loadRegistry } from "../registry/registry-file.ts";
import {
  type NatsConnectionFlags,
  natsConnectionOf,
  type NatsConnectionOptions,
  NatsFlagsRefused,
} from "./nats-connection.ts";
import { SCHEDULER_EXIT, SchedulerRefused } from "./scheduler-refused.ts";
import { meterLease, meterRole } from "./shard-meters.ts";

/** What `pipe scheduler` is told of the broker. */
export interface ShardFlags extends NatsConnectionFlags {
  readonly directory: string;
  readonly chain: string;
  readonly shard: string;
  readonly name: string;
  readonly replicas: 1 | 3 | 5;
  readonly registry: string | undefined;
  readonly logLevel: LogLevel;
}

/** A scheduler's part in a shard: it stands by until it leads. */
export interface ShardPart {
  readonly pipe: Pick<PipeOptions, "fleet" | "journal" | "registry">;
  readonly standing: () => ShardStanding;
  close(): Promise<void>;
}

/** Connects to the broker. `onRole` is told when it follows, leads, or is deposed. Rejects with SchedulerRefused. */
export async function joinShard(flags: ShardFlags, onRole: (role: ShardRole) => void): Promise<ShardPart> {
  const { directory, chain: chainId, shard: name } = flags;
  const registry = flags.registry === undefined ? undefined : await loadRegistry(flags.registry);
  const connection = await natsConnectionOf(flags).catch((error: unknown) => {
    throw error instanceof NatsFlagsRefused ? refused(error.message, error) : error;
  });
  const log = createPino(flags.logLevel);
  const shard = await opened(flags, connection, {
    onRole: (role) => {
      onRole(role);
      meterRole(role);
      const { kind, ...fields } = role;
      log.info({ shard: name, ...fields, ...("error" in fields ? { error: fields.error.message } : {}) }, ROLES[kind]);
    },
    onLease: (report) => {
      meterLease(report);
      if (report.kind === "well") log.info({ shard: name }, "the shard's lease can be asked for again");
      else log.warn({ shard: name, ...report }, LEASE_TROUBLES[report.kind]);
    },
  });
  const transport = createNatsTransport({
    ...connection,
    chainId,
    shard: name,
    epoch: shard.epoch,
    signingKey: schedulerKey(await loadSecret(directory)),
    ...keysOf(registry),
    onMishap: firstOfEach((mishap, node) => {
      const fields = { shard: name, mishap, ...(node === undefined ? {} : { node }) };
      log.warn(fields, "a message was not taken or not sent; further ones of the kind are only counted");
    }),
    onStatus: ({ kind }) => {
      if (kind !== "slow") log[kind === "connected" ? "info" : "warn"]({ shard: name }, `nodes' broker: ${kind}`);
    },
  });
  return {
    pipe: { fleet: { transport }, journal: shard.openJournal, ...(registry === undefined ? {} : { registry }) },
    standing: shard.standing,
    close: () => shard.close(),
  };
}

/** Whoever can reach the broker could fill the log otherwise. */
const MAX_MISHAPS_TOLD = 256;

/** Tells the first mishap of each kind with each node: why one does not join stands nowhere else. */
function firstOfEach(tell: (mishap: Mishap, node: string | undefined) => void): typeof tell {
  const told = new Set<string>();
  return (mishap, node) => {
    const about = `${mishap} ${node ?? ""}`;
    if (told.has(about) || told.size >= MAX_MISHAPS_TOLD) return;
    told.add(about);
    tell(mishap, node);
  };
}

const ROLES: Readonly<Record<ShardRole["kind"], string>> = {
  following: "standing by for the shard's leader",
  leading: "leading the shard",
  deposed: "another scheduler leads the shard now, or the journal cannot be kept",
};

const LEASE_TROUBLES: Readonly<Record<Exclude<LeaseReport["kind"], "well">, string>> = {
  forbidden: "the broker does not let this user have the shard's lease: it can neither lead nor take over",
  refused: "the broker refuses the shard's lease: it can neither lead nor take over",
  unanswered: "nobody answers for the shard's lease",
};

/** Nodes that the registry lists have their names to themselves. */
function keysOf(registry: Registry | undefined): { keyOf?: (node: string) => string | undefined } {
  return registry === undefined ? {} : { keyOf: (node) => registry.nodes.get(node)?.key };
}

async function opened(
  { shard, name, replicas }: ShardFlags,
  connection: NatsConnectionOptions,
  told: Pick<ShardOptions, "onRole" | "onLease">,
): Promise<Shard> {
  return openShard({ ...connection, shard, name, replicas, ...told }).catch((error: unknown) => {
    const why = error instanceof Error ? error.message : String(error);
    throw refused(`--nats: ${why}.`, error);
  });
}

function refused(message: string, cause?: unknown): SchedulerRefused {
  return new SchedulerRefused(message, { exitCode: SCHEDULER_EXIT.misused, cause });
}
