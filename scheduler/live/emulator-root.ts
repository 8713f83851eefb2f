import { randomBytes, X509Certificate } from "node:crypto";
import { link, open, readFile, unlink } from "node:fs/promises";
import { join } from "node:path";
import { createEmulatorRoot, type EmulatorRoot } from "../node/enclave-emulator.ts";
import { assert } from "../shared/assert.ts";

/** Root and key of the enclave emulator of embedded nodes. Of no worth to anybody else, and readable by its owner alone. */
const EMULATOR_FILE = "enclave-emulator.json";

/**
 * The directory's emulator root, made when there is none or when it has less than a month to live. Without a directory, one
 * that lasts as long as the process. Rejects with an Error when the file is no emulator root.
 */
export async function loadEmulatorRoot(directory: string | undefined, nowMs: number): Promise<EmulatorRoot> {
  if (directory === undefined) return createEmulatorRoot({ nowMs });
  const path = join(directory, EMULATOR_FILE);
  const found = await readRoot(path);
  if (found !== undefined && validToMs(found) > nowMs + MONTH_MS) return found;
  if (found !== undefined) await unlink(path);
  await writeRoot(path, createEmulatorRoot({ nowMs }));
  const kept = await readRoot(path);
  assert(kept !== undefined, "an emulator root is there once it was written");
  return kept;
}

const MONTH_MS = 30 * 24 * 3_600_000;

function validToMs({ certificate }: EmulatorRoot): number {
  return new X509Certificate(certificate).validToDate.getTime();
}

async function readRoot(path: string): Promise<EmulatorRoot | undefined> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  try {
    const { certificate, privateKey } = JSON.parse(text) as Record<keyof EmulatorRoot, string>;
    const root = { certificate: bytesOf(certificate), privateKey: bytesOf(privateKey) };
    validToMs(root);
    return root;
  } catch (cause) {
    throw new Error(`${path} holds no emulator root; delete it, and another one is made`, { cause });
  }
}

/** Durable under another name first; what another process has put there in the meantime stays. */
async function writeRoot(path: string, { certificate, privateKey }: EmulatorRoot): Promise<void> {
  const text = JSON.stringify({ certificate: base64(certificate), privateKey: base64(privateKey) });
  const draft = `${path}.draft-${process.pid}-${randomBytes(4).toString("hex")}`;
  const file = await open(draft, "w", 0o600);
  try {
    await file.writeFile(`${text}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await link(draft, path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw error;
  });
  await unlink(draft);
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}

function bytesOf(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "base64"));
}
