import { randomBytes } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { createUser, fromPublic, fromSeed } from "@nats-io/nkeys";
import { isLoopback } from "../../shared/loopback.ts";
import { requireNode, requireShard } from "../subjects.ts";
import { nodePermissions, operatorPermissions, type Permissions, schedulerPermissions } from "./permissions.ts";
import { type BrokerServer, type BrokerUser, serverConfig } from "./server-config.ts";

export interface ConfigRequest {
  /** Made where it is not there. */
  readonly directory: string;
  readonly shards: readonly string[];
  readonly schedulers: readonly string[];
  /** A node's id, with the public nkey that it made itself, or without. */
  readonly nodes: readonly { readonly id: string; readonly publicKey: string | undefined }[];
  readonly servers: readonly { readonly host: string; readonly port: number; readonly clusterPort: number }[];
  /** A directory with `server-1.crt`, `server-1.key` and so on, and `ca.crt`; `undefined` for loopback addresses only. */
  readonly tls: string | undefined;
  readonly syncAlways: boolean;
}

export interface WrittenConfig {
  readonly servers: readonly { readonly name: string; readonly config: string; readonly url: string }[];
  /** Where each user's seed is; nodes that brought a key have none. */
  readonly seeds: readonly { readonly name: string; readonly file: string; readonly isNew: boolean }[];
}

/** What was asked for cannot be; the message says what to do. */
export class ConfigRefused extends Error {
  override readonly name = "ConfigRefused";
}

/**
 * Writes the servers' configurations and the users' seeds. Seeds that are there are kept, so that asking again with another
 * node changes nobody else's key. Rejects with `ConfigRefused`, or the system's error.
 */
export async function writeConfig(request: ConfigRequest): Promise<WrittenConfig> {
  check(request);
  const directory = resolve(request.directory);
  await mkdir(join(directory, "seeds"), { recursive: true, mode: 0o700 });
  const seeds: WrittenConfig["seeds"][number][] = [];
  const own = async (name: string, permissions: Permissions): Promise<BrokerUser> => {
    const file = join(directory, "seeds", `${name}.nk`);
    const { seed, isNew } = await seedIn(file);
    seeds.push({ name, file, isNew });
    return { name, publicKey: fromSeed(Buffer.from(seed)).getPublicKey(), permissions };
  };
  const { shards } = request;
  const users: BrokerUser[] = [await own("operator", operatorPermissions())];
  for (const name of request.schedulers) users.push(await own(`scheduler-${name}`, schedulerPermissions(shards)));
  for (const { id, publicKey } of request.nodes) {
    const permissions = nodePermissions(id, shards);
    const name = `node-${id}`;
    users.push(publicKey === undefined ? await own(name, permissions) : { name, publicKey, permissions });
  }
  const [twice] = users.filter(
    ({ publicKey }, index) => users.findIndex((user) => user.publicKey === publicKey) < index,
  );
  if (twice !== undefined) throw new ConfigRefused(`${twice.name} has the key of another user: each needs its own.`);
  const clusterPassword = await passwordIn(join(directory, "seeds", "cluster.password"));
  const servers = request.servers.map((place, index) => serverOf(request, directory, index, place));
  const { syncAlways } = request;
  for (const server of servers) {
    const text = serverConfig({ servers, users, syncAlways, clusterPassword }, server);
    await writeSecret(join(directory, `${server.name}.conf`), text);
  }
  return {
    seeds,
    servers: servers.map(({ name, host, port, tls }) => ({
      name,
      config: join(directory, `${name}.conf`),
      url: `${tls === undefined ? "nats" : "tls"}://${host}:${port}`,
    })),
  };
}

function serverOf(
  { tls }: ConfigRequest,
  directory: string,
  index: number,
  place: ConfigRequest["servers"][number],
): BrokerServer {
  const name = `server-${index + 1}`;
  const files = (folder: string) => ({
    cert: join(resolve(folder), `${name}.crt`),
    key: join(resolve(folder), `${name}.key`),
    ca: join(resolve(folder), "ca.crt"),
  });
  const tlsFiles = tls === undefined ? undefined : files(tls);
  return { ...place, name, storeDirectory: join(directory, "data", name), tls: tlsFiles };
}

const PUBLIC_USER_KEY = /^U[A-Z2-7]{55}$/;
const NAME = /^[A-Za-z0-9_-]{1,32}$/;
const MAX_USERS = 1_024;

function check({ shards, schedulers, nodes, servers, tls }: ConfigRequest): void {
  try {
    for (const shard of shards) requireShard(shard);
    for (const { id } of nodes) requireNode(id);
  } catch (error) {
    throw new ConfigRefused((error as Error).message, { cause: error });
  }
  const names = schedulers.find((name) => !NAME.test(name));
  if (names !== undefined)
    throw new ConfigRefused(`"${names}" is no scheduler's name: 1 to 32 letters, digits, _ or -.`);
  const wrong = nodes.find(({ publicKey }) => publicKey !== undefined && !isUserKey(publicKey));
  if (wrong !== undefined)
    throw new ConfigRefused(
      `${wrong.publicKey} is no public nkey of a user: U and 55 letters and digits, as it was made.`,
    );
  for (const [what, all] of [
    ["shard", shards],
    ["scheduler", schedulers],
    ["node", nodes.map(({ id }) => id)],
  ] as const) {
    if (all.length === 0) throw new ConfigRefused(`there is no ${what}: name at least one.`);
    const twice = all.find((name, index) => all.indexOf(name) !== index);
    if (twice !== undefined) throw new ConfigRefused(`the ${what} ${twice} is named twice.`);
  }
  if (schedulers.length + nodes.length > MAX_USERS)
    throw new ConfigRefused(`more than ${MAX_USERS} users are too many.`);
  if (![1, 3, 5].includes(servers.length))
    throw new ConfigRefused(`${servers.length} servers: give 1, 3 or 5, since a majority of them has to agree.`);
  const remote = servers.find(({ host }) => !isLoopback(host));
  if (tls === undefined && remote !== undefined)
    throw new ConfigRefused(`${remote.host} is not this machine: give --tls with a directory of certificates.`);
}

/** Its last digits are a checksum: no server would start with one that was mistyped. */
function isUserKey(key: string): boolean {
  try {
    return PUBLIC_USER_KEY.test(key) && fromPublic(key).getPublicKey() === key;
  } catch {
    return false;
  }
}

async function seedIn(file: string): Promise<{ readonly seed: string; readonly isNew: boolean }> {
  const found = await readIfThere(file);
  if (found === undefined) {
    const seed = Buffer.from(createUser().getSeed()).toString();
    await writeSecret(file, `${seed}\n`);
    return { seed, isNew: true };
  }
  const seed = found.trim();
  if (!/^SU[A-Z2-7]{56}$/.test(seed))
    throw new ConfigRefused(`${file} holds no seed of a user; restore it, or remove it to get a new one.`);
  return { seed, isNew: false };
}

async function passwordIn(file: string): Promise<string> {
  const found = await readIfThere(file);
  if (found !== undefined) return found.trim();
  const password = randomBytes(24).toString("hex");
  await writeSecret(file, `${password}\n`);
  return password;
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

/** For its owner's eyes, and there whole or not at all. */
async function writeSecret(file: string, text: string): Promise<void> {
  const draft = `${file}.draft`;
  await writeFile(draft, text, { mode: 0o600 });
  await rename(draft, file);
}
