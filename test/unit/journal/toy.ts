import { appendFile, cp, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { EngineEvent } from "../../../scheduler/engine/events.ts";
import type { JournalOptions, OpenedJournal } from "../../../scheduler/live/journal.ts";
import { DEFAULT_JOURNAL_LIMITS, openJournal } from "../../../scheduler/live/journal.ts";
import type { Batch, JournalHeader } from "../../../scheduler/live/journal-format.ts";
import { digestCommands } from "../../../scheduler/live/journal-format.ts";

/** A machine in the engine's place: each command tells the sum over everything that it was told so far. */
export class ToyEngine {
  #sum: number;

  constructor(seed: number) {
    this.#sum = seed;
  }

  step(atUs: number, events: readonly EngineEvent[]): { readonly kind: string; readonly sum: number }[] {
    return events.map((event) => {
      this.#sum = (this.#sum * 31 + atUs + ("copy" in event ? event.copy : 0)) % 1_000_003;
      return { kind: event.kind === "woken" ? "notify" : "dispatch", sum: this.#sum };
    });
  }
}

export const toyStepper = {
  fresh: (header: JournalHeader) => new ToyEngine((header.config as { readonly seed: number }).seed),
};

/** The n-th batch of a run, with as many events, and the toy engine's commands for them. */
export function toyBatch(engine: ToyEngine, n: number, size: number): Batch {
  const atUs = n * 1_000;
  const events: EngineEvent[] = Array.from({ length: size }, (_, i) =>
    i % 7 === 6
      ? { kind: "woken" }
      : { kind: "copy-progressed", copy: n * 100 + i, node: `node-ü-${i % 3}`, tokens: i },
  );
  const commands = engine.step(atUs, events);
  const blobs = n % 3 === 0 ? { blobs: { [`hash-${n}`]: Buffer.from(`input of ${n}`).toString("base64") } } : {};
  return { n, atUs, events, ...blobs, commands: commands.length, digest: digestCommands(commands) };
}

/** A directory that is gone when the test has finished. */
export async function freshDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "pipe-journal-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

export function toyOptions(directory: string, change: Partial<JournalOptions> = {}): JournalOptions {
  const fixed = { program: "0.0.0-test", chainId: "1337", config: { seed: 7 }, nowUs: 0 };
  return { directory, ...fixed, limits: DEFAULT_JOURNAL_LIMITS, retainAll: true, ...change };
}

/** A closed journal with that many batches; its batches are given back. */
export async function writeToyJournal(
  directory: string,
  count: number,
  change: Partial<JournalOptions> = {},
): Promise<Batch[]> {
  const { journal } = await openJournal(toyOptions(directory, change));
  const engine = new ToyEngine(7);
  const batches: Batch[] = [];
  for (let n = 1; n <= count; n += 1) {
    const batch = toyBatch(engine, n, n % 5);
    batches.push(batch);
    await journal.append(batch);
  }
  await journal.close({ atUs: count * 1_000 + 1 });
  return batches;
}

/** Numbers of the batches after the snapshot. */
export async function recoveredNumbers({ recovered }: OpenedJournal): Promise<number[]> {
  const numbers: number[] = [];
  for await (const batch of recovered?.batches ?? []) numbers.push(batch.n);
  return numbers;
}

export async function copyDirectory(from: string): Promise<string> {
  const to = await freshDirectory();
  await cp(from, to, { recursive: true });
  return to;
}

/** Every file's bytes, to show that nothing was changed. */
export async function contents(directory: string): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for (const name of (await readdir(directory)).sort()) {
    files[name] = (await readFile(join(directory, name))).toString("base64");
  }
  return files;
}

export async function appendGarbage(file: string, text: string): Promise<void> {
  await appendFile(file, text);
}
