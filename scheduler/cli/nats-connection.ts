import { readFile } from "node:fs/promises";
import { authenticationFrom, type NatsAuthentication, type NatsTls } from "../nats/index.ts";

/** How a command connects to the broker. */
export interface NatsConnectionFlags {
  /** Servers with commas between them. */
  readonly nats: string;
  readonly credentials: string | undefined;
  readonly natsCa: string | undefined;
}

export interface NatsConnectionOptions {
  readonly servers: readonly string[];
  readonly authentication?: NatsAuthentication;
  readonly tls?: NatsTls;
}

/** What was said about the broker makes no sense; the message says what to do. */
export class NatsFlagsRefused extends Error {
  override readonly name = "NatsFlagsRefused";
}

/** Rejects with NatsFlagsRefused. */
export async function natsConnectionOf({
  nats,
  credentials,
  natsCa,
}: NatsConnectionFlags): Promise<NatsConnectionOptions> {
  const servers = serversOf(nats);
  const authentication = credentials === undefined ? {} : { authentication: await authenticationOf(credentials) };
  const tls = natsCa === undefined ? {} : { tls: { ca: await textOf("--nats-ca", natsCa) } };
  return { servers, ...authentication, ...tls };
}

const SERVER = /^(?:(?:nats|tls):\/\/)?(?:[^\s/:@[\]]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/;

function serversOf(nats: string): readonly string[] {
  const servers = nats.split(",").map((server) => server.trim());
  const wrong = servers.find((server) => !SERVER.test(server));
  if (wrong === undefined) return servers;
  throw new NatsFlagsRefused(
    `--nats: "${wrong}" is no server. Write nats://HOST:PORT, several with commas between them.`,
  );
}

async function authenticationOf(path: string): Promise<NatsAuthentication> {
  const text = await textOf("--nats-credentials", path);
  try {
    return authenticationFrom(text);
  } catch (error) {
    throw new NatsFlagsRefused(`--nats-credentials: ${path}: ${(error as Error).message}.`, { cause: error });
  }
}

function textOf(flag: string, path: string): Promise<string> {
  return readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    throw new NatsFlagsRefused(`${flag}: ${path} cannot be read (${error.code ?? error.message}).`, { cause: error });
  });
}
