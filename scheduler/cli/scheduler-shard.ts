import { readFile } from "node:fs/promises";
import type { PipeOptions } from "../index.ts";
import { createPino, type LogLevel } from "../live/logger.ts";
import { loadSecret, schedulerKey } from "../live/secret.ts";
import {
  authenticationFrom,
  createNatsTransport,
  type NatsAuthentication,
  type NatsTls,
  openShard,
  type Shard,
  type ShardRole,
} from "../nats/index.ts";
import type { Registry } from "../registry/registry.ts";
import { loadRegistry } from "../registry/registry-file.ts";
import { SCHEDULER_EXIT, SchedulerRefused } from "./scheduler-refused.ts";

/** What `pipe scheduler` is told of the broker. */
export interface ShardFlags {
  readonly directory: string;
  readonly chain: string;
  readonly nats: string;
  readonly shard: string;
  readonly name: string;
  readonly replicas: 1 | 3 | 5;
  readonly credentials: string | undefined;
  readonly natsCa: string | undefined;
  readonly registry: string | undefined;
  readonly logLevel: LogLevel;
}

/** A scheduler's part in a shard: it stands by until it leads. */
export interface ShardPart {
  readonly pipe: Pick<PipeOptions, "fleet" | "journal" | "registry">;
  close(): Promise<void>;
}

/** Connects to the broker. `onRole` is told when it follows, leads, or is deposed. Rejects with SchedulerRefused. */
export async function joinShard(flags: ShardFlags, onRole: (role: ShardRole) => void): Promise<ShardPart> {
  const { directory, chain: chainId, shard: name } = flags;
  const registry = flags.registry === undefined ? undefined : await loadRegistry(flags.registry);
  const connection = {
    servers: serversOf(flags.nats),
    ...(await authenticationOf(flags.credentials)),
    ...(await tlsOf(flags.natsCa)),
  };
  const log = createPino(flags.logLevel);
  const shard = await opened(flags, connection, (role) => {
    onRole(role);
    const { kind, ...fields } = role;
    log.info({ shard: name, ...fields, ...("error" in fields ? { error: fields.error.message } : {}) }, ROLES[kind]);
  });
  const transport = createNatsTransport({
    ...connection,
    chainId,
    shard: name,
    epoch: shard.epoch,
    signingKey: schedulerKey(await loadSecret(directory)),
    ...keysOf(registry),
    onStatus: ({ kind }) => {
      if (kind !== "slow") log[kind === "connected" ? "info" : "warn"]({ shard: name }, `nodes' broker: ${kind}`);
    },
  });
  return {
    pipe: { fleet: { transport }, journal: shard.openJournal, ...(registry === undefined ? {} : { registry }) },
    close: () => shard.close(),
  };
}

const ROLES: Readonly<Record<ShardRole["kind"], string>> = {
  following: "standing by for the shard's leader",
  leading: "leading the shard",
  deposed: "another scheduler leads the shard now, or the journal cannot be kept",
};

/** Nodes that the registry lists have their names to themselves. */
function keysOf(registry: Registry | undefined): { keyOf?: (node: string) => string | undefined } {
  return registry === undefined ? {} : { keyOf: (node) => registry.nodes.get(node)?.key };
}

interface Connection {
  readonly servers: readonly string[];
  readonly authentication?: NatsAuthentication;
  readonly tls?: NatsTls;
}

async function opened(
  { shard, name, replicas, nats }: ShardFlags,
  connection: Connection,
  onRole: (role: ShardRole) => void,
): Promise<Shard> {
  return openShard({ ...connection, shard, name, replicas, onRole }).catch((error: unknown) => {
    const why = error instanceof Error ? error.message : String(error);
    throw refused(`--nats: no server at ${nats} takes this scheduler: ${why}.`, error);
  });
}

function serversOf(nats: string): readonly string[] {
  const servers = nats.split(",").map((server) => server.trim());
  const wrong = servers.find(
    (server) => !/^(?:(?:nats|tls):\/\/)?[^\s/:@]+(?::\d{1,5})?$|^(?:nats|tls):\/\/\[/.test(server),
  );
  if (wrong === undefined) return servers;
  throw refused(`--nats: "${wrong}" is no server. Write nats://HOST:PORT, several with commas between them.`);
}

async function authenticationOf(path: string | undefined): Promise<Pick<Connection, "authentication">> {
  if (path === undefined) return {};
  const text = await textOf("--nats-credentials", path);
  try {
    return { authentication: authenticationFrom(text) };
  } catch (error) {
    throw refused(`--nats-credentials: ${path}: ${(error as Error).message}.`, error);
  }
}

async function tlsOf(path: string | undefined): Promise<Pick<Connection, "tls">> {
  return path === undefined ? {} : { tls: { ca: await textOf("--nats-ca", path) } };
}

function textOf(flag: string, path: string): Promise<string> {
  return readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    throw refused(`${flag}: ${path} cannot be read (${error.code ?? error.message}).`, error);
  });
}

function refused(message: string, cause?: unknown): SchedulerRefused {
  return new SchedulerRefused(message, { exitCode: SCHEDULER_EXIT.misused, cause });
}
