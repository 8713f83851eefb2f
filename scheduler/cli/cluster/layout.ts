import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { schedulerKey, loadSecret } from "../../live/secret.ts";
import { makeKeyFile } from "../../node/file/key-file.ts";
import { writeConfig } from "../../nats/server-config/write-config.ts";
import { openRegistry } from "../../registry/default-registry.ts";
import type { Program } from "./supervised.ts";

export const CHAIN = "pipe-cluster";
export const SHARD = "main";
const SCHEDULERS = ["a", "b"] as const;
const REPLICAS = 3;

export interface ClusterPlan {
  readonly brokers: readonly Program[];
  readonly schedulers: readonly Program[];
  readonly nodes: readonly Program[];
  /** Where the schedulers answer; one of them does. */
  readonly urls: readonly string[];
  /** The schedulers' directories. */
  readonly directories: readonly string[];
  readonly producer: Program;
}

export interface ClusterOptions {
  readonly directory: string;
  readonly nodes: number;
  /** Transactions per second. */
  readonly rate: number;
  /** The NATS server's program. */
  readonly natsServer: string;
}

/** Writes everything that the processes of a cluster need into the directory, and says how they are started. */
export async function planCluster({ directory, nodes: count, rate, natsServer }: ClusterOptions): Promise<ClusterPlan> {
  const ports = await freePorts(2 * REPLICAS + SCHEDULERS.length);
  const servers = Array.from({ length: REPLICAS }, (_, index) => ({
    host: "127.0.0.1",
    port: ports[2 * index] as number,
    clusterPort: ports[2 * index + 1] as number,
  }));
  const ids = Array.from({ length: count }, (_, index) => `${NAMES[index % NAMES.length]}-${index + 1}`);
  const written = await writeConfig({
    directory: join(directory, "nats"),
    shards: [SHARD],
    schedulers: SCHEDULERS,
    nodes: ids.map((id) => ({ id, publicKey: undefined })),
    servers,
    tls: undefined,
    // What a machine's power loss would take is not what is shown here.
    syncAlways: false,
  });
  const seedOf = (user: string): string => written.seeds.find(({ name }) => name === user)?.file ?? "";
  const nats = written.servers.map(({ url }) => url).join(",");
  const brokers = written.servers.map(({ name, config }) => ({ name, command: natsServer, args: ["-c", config] }));
  const directories = SCHEDULERS.map((name) => join(directory, `scheduler-${name}`));
  const key = await sharedSecret(directories);
  const keys = new Map<string, string>();
  const nodes: Program[] = [];
  for (const [index, id] of ids.entries()) {
    const folder = join(directory, id);
    await mkdir(folder, { recursive: true });
    keys.set(id, (await makeKeyFile(join(folder, "node.key"))).publicKeyHex);
    const file = join(folder, "pipe.node.yaml");
    await writeFile(file, nodeFile({ id, index, key, nats, credentials: seedOf(`node-${id}`) }));
    nodes.push(pipe(id, ["node", "run", file, "--log", "warn"]));
  }
  const registry = join(directory, "registry.yaml");
  await writeFile(registry, registryFile(keys));
  const urls = SCHEDULERS.map((_, index) => `http://127.0.0.1:${ports[2 * REPLICAS + index]}`);
  const schedulers = SCHEDULERS.map((name, index) =>
    pipe(`scheduler-${name}`, [
      ...["scheduler", "--directory", directories[index] as string, "--chain", CHAIN, "--log", "warn"],
      ...["--port", String(ports[2 * REPLICAS + index]), "--token-file", join(directory, "producer.token")],
      ...["--nats", nats, "--nats-credentials", seedOf(`scheduler-${name}`), "--replicas", String(REPLICAS)],
      ...["--shard", SHARD, "--name", name, "--registry", registry],
    ]),
  );
  const producerArgs = [directory, join(directory, "producer.token"), String(rate), ...urls];
  const producer = {
    name: "producer",
    command: process.execPath,
    args: [new URL(`./producer-main${extension()}`, import.meta.url).pathname, ...producerArgs],
  };
  return { brokers, schedulers, nodes, urls, directories, producer };
}

const NAMES = ["alder", "birch", "cedar", "elm", "fir", "hazel"];

function pipe(name: string, args: readonly string[]): Program {
  const main = new URL(`../main${extension()}`, import.meta.url).pathname;
  return { name, command: process.execPath, args: [main, ...args] };
}

/** As source or compiled. */
function extension(): string {
  return import.meta.url.endsWith(".ts") ? ".ts" : ".js";
}

/** All schedulers of a shard sign with one key, so that it does not matter which of them leads. */
async function sharedSecret([first, ...others]: readonly string[]): Promise<string> {
  await mkdir(first as string, { recursive: true });
  const secret = await loadSecret(first as string);
  for (const other of others) {
    await mkdir(other, { recursive: true });
    await copyFile(join(first as string, "secret.key"), join(other, "secret.key"));
  }
  return schedulerKey(secret).publicKeyHex;
}

function nodeFile(about: {
  readonly id: string;
  readonly index: number;
  readonly key: string;
  readonly nats: string;
  readonly credentials: string;
}): string {
  const { id, index, key, nats, credentials } = about;
  return [
    `id: ${id}`,
    `operator: ${operatorOf(id)}`,
    "region: here",
    "hardware: cpu",
    "slots: 8",
    "queueLimit: 64",
    "key: node.key",
    `chain: ${CHAIN}`,
    `shard: ${SHARD}`,
    `schedulers: ["${key}"]`,
    `servers: [${nats
      .split(",")
      .map((server) => `"${server}"`)
      .join(", ")}]`,
    `credentials: ${JSON.stringify(credentials)}`,
    "models:",
    "  - model: risk-small",
    `    priceGwei: { vanilla: ${900 + 20 * index} }`,
    "    backend: { kind: onnx }",
    "",
  ].join("\n");
}

function operatorOf(id: string): string {
  return id.replace(/-\d+$/, "");
}

function registryFile(keys: ReadonlyMap<string, string>): string {
  const digest = openRegistry().models.get("risk-small")?.rules.digest ?? "";
  const model = [
    "  risk-small:",
    `    digest: ${digest}`,
    "    modes: [vanilla]",
    "    limits: { inputBytes: 64, tokensIn: 4096, tokensOut: 64 }",
    "    output: { number: float32-le, element: 0 }",
    "    equivalence: any",
  ];
  const nodes = [...keys].flatMap(([id, key]) => [
    `  ${id}:`,
    `    key: ${key}`,
    `    operator: ${operatorOf(id)}`,
    "    region: here",
    "    hardware: cpu",
    "    bondGwei: 0",
  ]);
  return [
    "version: 1",
    "admission: listed",
    "offersPerNode: 8",
    "models:",
    ...model,
    "roots: []",
    "nodes:",
    ...nodes,
    "",
  ].join("\n");
}

/** Ports that are free now; whoever takes one meanwhile makes its program say so. */
async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports: number[] = [];
  for (const server of servers) {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (address !== null && typeof address !== "string") ports.push(address.port);
  }
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
