import { Effect, Option } from "effect";
import { Argument, Command, Flag } from "effect/cli";
import {
  ConfigRefused,
  type ConfigRequest,
  writeConfig,
  type WrittenConfig,
} from "../nats/server-config/write-config.ts";

const flags = {
  directory: Argument.String("DIR").pipe(
    Argument.withDescription("where the configurations and seeds go; run it again with the same one to add nodes"),
  ),
  nodes: Flag.String("nodes").pipe(
    Flag.withMetavar("ID[=KEY],…"),
    Flag.withDescription(
      "inference nodes; KEY is the public nkey that a node made itself, otherwise a seed is written",
    ),
  ),
  schedulers: Flag.String("schedulers").pipe(
    Flag.withDefault("a,b"),
    Flag.withMetavar("NAME,…"),
    Flag.withDescription("schedulers: one leads, the others stand by"),
  ),
  shards: Flag.String("shards").pipe(
    Flag.withDefault("main"),
    Flag.withMetavar("NAME,…"),
    Flag.withDescription("shards among which senders are divided"),
  ),
  servers: Flag.String("servers").pipe(
    Flag.withDefault("127.0.0.1:4222:6222"),
    Flag.withMetavar("HOST:PORT:CLUSTER_PORT,…"),
    Flag.withDescription("1, 3 or 5 servers; three survive the loss of one"),
  ),
  tls: Flag.String("tls").pipe(
    Flag.optional,
    Flag.withMetavar("DIR"),
    Flag.withDescription(
      "where ca.crt and server-1.crt, server-1.key, … are; needed unless all servers are on 127.0.0.1",
    ),
  ),
  serverVersion: Flag.Literals("server-version", ["2.9", "2.10"]).pipe(
    Flag.withDefault("2.10"),
    Flag.withDescription(
      "2.10: or newer, which can be told to ask the disk at every write; 2.9: Debian's, which cannot",
    ),
  ),
  json: Flag.Boolean("json").pipe(
    Flag.withDefault(false),
    Flag.withDescription("print what was written as one JSON object"),
  ),
};

/** `pipe nats-config`: exit code 0, 2 for a request that makes no sense. */
export const natsConfig = Command.make(
  "nats-config",
  flags,
  Effect.fn(function* (given) {
    yield* Effect.promise(() => run(given));
  }),
).pipe(
  Command.withDescription("Write the NATS servers' configuration: users, what each may say and hear, TLS, limits"),
);

interface Given {
  readonly directory: string;
  readonly nodes: string;
  readonly schedulers: string;
  readonly shards: string;
  readonly servers: string;
  readonly tls: Option.Option<string>;
  readonly serverVersion: "2.9" | "2.10";
  readonly json: boolean;
}

async function run(given: Given): Promise<void> {
  try {
    const written = await writeConfig(requestOf(given));
    process.stdout.write(given.json ? `${JSON.stringify(written)}\n` : textOf(written));
  } catch (error) {
    const isSystems = error instanceof Error && "syscall" in error;
    if (!(error instanceof ConfigRefused) && !isSystems) throw error;
    process.stderr.write(`pipe nats-config: ${error.message}\n`);
    process.exitCode = 2;
  }
}

function requestOf({ directory, nodes, schedulers, shards, servers, tls, serverVersion }: Given): ConfigRequest {
  return {
    directory,
    shards: listOf(shards),
    schedulers: listOf(schedulers),
    nodes: listOf(nodes).map((text) => {
      const [id = "", publicKey] = text.split("=");
      return { id, publicKey };
    }),
    servers: listOf(servers).map(serverOf),
    tls: Option.getOrUndefined(tls),
    syncAlways: serverVersion !== "2.9",
  };
}

function listOf(text: string): readonly string[] {
  return text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
}

function serverOf(text: string): ConfigRequest["servers"][number] {
  const match = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):(\d{1,5}):(\d{1,5})$/.exec(text);
  const [host, port, clusterPort] = [match?.[1] ?? "", Number(match?.[2]), Number(match?.[3])];
  if (match !== null && isPort(port) && isPort(clusterPort) && port !== clusterPort) return { host, port, clusterPort };
  throw new ConfigRefused(`"${text}" is no server: write HOST:PORT:CLUSTER_PORT, such as 10.0.0.1:4222:6222.`);
}

function isPort(port: number): boolean {
  return port >= 1 && port <= 65_535;
}

function textOf({ servers, seeds }: WrittenConfig): string {
  const fresh = seeds.filter(({ isNew }) => isNew);
  const kept = seeds.length - fresh.length;
  const lines = [
    "Start each server on its machine:",
    ...servers.map(({ config }) => `  nats-server -c ${config}`),
    "",
    `Servers for schedulers and nodes: ${servers.map(({ url }) => url).join(",")}`,
    "",
    ...(fresh.length === 0
      ? []
      : ["New seeds, each for its owner alone:", ...fresh.map(({ name, file }) => `  ${name}: ${file}`)]),
    ...(kept === 0 ? [] : [`${kept} seeds were there and stay as they are.`]),
    "After a change, let every running server read its configuration again: nats-server --signal reload=PID",
  ];
  return `${lines.join("\n")}\n`;
}
