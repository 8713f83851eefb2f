import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { open, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { fileOf } from "./records-lines.ts";
import { deriveSeed, signingKeyFromSeed, type SigningKey } from "../proofs/keys.ts";
import type { EpochSeeds } from "./records-registry.ts";

/** Holds 32 bytes from which every key of the service is derived. Readable by its owner alone. */
export const SECRET_FILE = "secret.key";

const SECRET_BYTES = 32;

/**
 * The directory's secret, made when there is none and no records either: signed with another key, they would fail every audit.
 * Throws an Error then, and when the file has another length than it must.
 */
export async function loadSecret(directory: string): Promise<Uint8Array> {
  const path = join(directory, SECRET_FILE);
  const found = await readIfThere(path);
  const begun = found === undefined && existsSync(join(directory, fileOf("blocks")));
  if (begun)
    throw new Error(`${path} is missing, and the records beside it were signed with it; restore it from a backup`);
  const secret = found ?? (await createSecret(path));
  if (secret.length !== SECRET_BYTES) {
    throw new Error(`${path} has ${secret.length} bytes instead of ${SECRET_BYTES}; restore it from a backup`);
  }
  return secret;
}

/** A secret for a service that keeps nothing. */
export function temporarySecret(): Uint8Array {
  return randomBytes(SECRET_BYTES);
}

/** Signs block headers. */
export function schedulerKey(secret: Uint8Array): SigningKey {
  return signingKeyFromSeed(deriveSeed(secret, "scheduler"));
}

/** The key seed of an embedded node, hexadecimal. */
export function nodeSeedHex(secret: Uint8Array, node: string): string {
  return Buffer.from(deriveSeed(secret, `node/${node}`)).toString("hex");
}

/** The seeds of registration and challenge epochs. Published epoch by epoch: none tells anything of another. */
export function epochSeeds(secret: Uint8Array): EpochSeeds {
  const seedOf = (label: string): string => Buffer.from(deriveSeed(secret, label)).toString("hex");
  return {
    registration: (epoch) => seedOf(`registration-epoch/${epoch}`),
    challenge: (epoch) => seedOf(`challenge-epoch/${epoch}`),
  };
}

async function readIfThere(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

/** Durable under another name first: a crash in between must not leave half a secret behind. */
async function createSecret(path: string): Promise<Uint8Array> {
  const secret = temporarySecret();
  const draft = `${path}.draft`;
  const file = await open(draft, "w", 0o600);
  try {
    await file.writeFile(secret);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(draft, path);
  return secret;
}
