import { unlink } from "node:fs/promises";
import { join } from "node:path";
import { createEmulatorRoot, type EmulatorRoot } from "../node/enclave-emulator.ts";
import { readEmulatorRoot, validToMs, writeEmulatorRoot } from "../node/enclave-emulator-file.ts";
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
  const found = await readEmulatorRoot(path);
  if (found !== undefined && validToMs(found) > nowMs + MONTH_MS) return found;
  if (found !== undefined) await unlink(path);
  await writeEmulatorRoot(path, createEmulatorRoot({ nowMs }));
  const kept = await readEmulatorRoot(path);
  assert(kept !== undefined, "an emulator root is there once it was written");
  return kept;
}

const MONTH_MS = 30 * 24 * 3_600_000;
