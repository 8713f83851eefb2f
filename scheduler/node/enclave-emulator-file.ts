import { randomBytes, X509Certificate } from "node:crypto";
import { link, open, readFile, unlink } from "node:fs/promises";
import type { EmulatorRoot } from "./enclave-emulator.ts";

/** When its certificate ends. */
export function validToMs({ certificate }: EmulatorRoot): number {
  return new X509Certificate(certificate).validToDate.getTime();
}

/** `undefined` when there is no such file. Rejects with an Error when it is no emulator root. */
export async function readEmulatorRoot(path: string): Promise<EmulatorRoot | undefined> {
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
    throw new Error(
      `${path} holds no emulator root; in a scheduler's directory another one is made when it is deleted`,
      { cause },
    );
  }
}

/** Durable under another name first; what another process has put there in the meantime stays. */
export async function writeEmulatorRoot(path: string, { certificate, privateKey }: EmulatorRoot): Promise<void> {
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
