import { createReadStream } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { EngineConfig } from "../engine/config.ts";
import { Engine } from "../engine/engine.ts";
import { Recorder } from "../engine/recorder.ts";
import { registryFromLines } from "../registry/from-lines.ts";
import type { Registry } from "../registry/registry.ts";
import { JournalError } from "./journal-error.ts";
import { JournalReader, startingPointOf } from "./journal-reader.ts";
import { findJournal } from "./journal-replay.ts";
import { findSnapshots } from "./journal-snapshots.ts";
import { fileOf } from "./records-lines.ts";
import type { ServiceSnapshot } from "./recovery.ts";

/** What a scheduler knew when it last wrote to its journal. */
export interface KnownThen {
  readonly engine: Engine;
  /** The time of the last record, on the scheduler's clock. */
  readonly atUs: number;
}

/**
 * The engine as a directory's journal leaves it, from the newest snapshot on. Reads only; a directory in use can be read, too.
 * Rejects with a `JournalError`.
 */
export async function readEngine(directory: string): Promise<KnownThen> {
  const journal = await findJournal(directory);
  const { usable } = await findSnapshots(journal);
  const [newest] = usable;
  const reader = new JournalReader(journal, newest && (await startingPointOf(journal, newest.n)));
  const recorder = new Recorder();
  let engine: Engine | undefined;
  for await (const record of reader.records()) {
    if (engine === undefined) {
      const config = reader.header?.config as EngineConfig | undefined;
      if (config === undefined) break;
      const from = newest?.state as ServiceSnapshot | undefined;
      engine = from === undefined ? new Engine(config) : Engine.restore(config, from.engine);
    }
    if (record.kind !== "batch" || record.n <= (newest?.n ?? 0)) continue;
    const { atUs, events } = record.decode();
    for (const event of events) engine.step(atUs, event, recorder);
    recorder.take();
  }
  if (engine === undefined) {
    const remedy = "Give the directory of a scheduler, as --out of the demonstration writes it.";
    throw new JournalError("history-missing", "there is no journal", { file: journal, remedy });
  }
  return { engine, atUs: reader.lastUs };
}

/** The model registry that was in force last; `undefined` when the directory's registry log tells of none. */
export async function readRegistryOf(directory: string): Promise<Registry | undefined> {
  let lines: readonly string[] | undefined;
  const input = createReadStream(join(directory, fileOf("registry")));
  try {
    for await (const text of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
      const entry = JSON.parse(text) as { readonly entry?: unknown; readonly lines?: readonly string[] };
      if (entry.entry === "models") lines = entry.lines;
    }
  } catch {
    // A line that a crash cut short ends the log; a log that cannot be read tells of nothing.
  }
  return lines === undefined ? undefined : registryFromLines(lines);
}
