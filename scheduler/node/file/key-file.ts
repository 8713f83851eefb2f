import { randomBytes } from "node:crypto";
import { open, stat } from "node:fs/promises";
import { readBoundedText, unreadable } from "../../files/problems.ts";
import { type SigningKey, signingKeyFromSeed } from "../../proofs/keys.ts";

/** Longer than any key file; what it names instead is not read into memory. */
const MAX_KEY_FILE_BYTES = 1_024;
const SEED = /^[0-9a-f]{64}$/;
const OTHERS = 0o077;

export type ReadKey =
  | { readonly ok: true; readonly key: SigningKey }
  /** A sentence without its subject. */
  | { readonly ok: false; readonly message: string };

/** Reads a key file: 32 bytes as 64 hexadecimal digits, for its owner's eyes only. Does not reject. */
export async function readKeyFile(path: string): Promise<ReadKey> {
  try {
    const { mode } = await stat(path);
    // Windows has no such bits; whoever can read a key can answer in the node's name.
    if (process.platform !== "win32" && (mode & OTHERS) !== 0) {
      const bits = (mode & 0o777).toString(8);
      return { ok: false, message: `can be used by others than its owner (mode ${bits}): chmod 600 ${path}` };
    }
    const seed = (await readBoundedText(path, MAX_KEY_FILE_BYTES)).trim();
    if (!SEED.test(seed)) return { ok: false, message: "holds no key: 64 lower-case hexadecimal digits" };
    return { ok: true, key: signingKeyFromSeed(Buffer.from(seed, "hex")) };
  } catch (error) {
    return { ok: false, message: unreadable(error) };
  }
}

/** Makes a key file, durably. Rejects with `EEXIST` when there is a file: a key that is lost cannot be made again. */
export async function makeKeyFile(path: string): Promise<SigningKey> {
  const seed = randomBytes(32);
  const file = await open(path, "wx", 0o600);
  try {
    await file.writeFile(`${seed.toString("hex")}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  return signingKeyFromSeed(seed);
}
