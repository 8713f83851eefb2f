/**
 * Replay (P13): steps a journal's batches with a fresh engine and compares the commands with those of the run that wrote it.
 * Strict: a journal that says that it was closed, or whose manifest does, must be whole; its chain must fit everywhere.
 */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { Commands } from "../engine/commands.ts";
import type { EngineEvent } from "../engine/events.ts";
import { Recorder } from "../engine/recorder.ts";
import { JournalError } from "./journal-error.ts";
import type { Batch, JournalHeader } from "./journal-format.ts";
import { digestCommands } from "./journal-format.ts";
import type { Place } from "./journal-reader.ts";
import { JournalReader } from "./journal-reader.ts";

/** What batches are stepped with. */
export interface ReplayStepper {
  /** A new engine, with the configuration of the header. */
  fresh(header: JournalHeader): {
    /** All events of one batch; the commands that they produced, as plain data in the recorder's form. */
    step(atUs: number, events: readonly EngineEvent[]): readonly unknown[];
  };
}

/** A stepper of engines. */
export function engineStepper(
  createEngine: (config: unknown) => { step(nowUs: number, event: EngineEvent, commands: Commands): void },
): ReplayStepper {
  return {
    fresh({ config }) {
      const engine = createEngine(config);
      const recorder = new Recorder();
      return {
        step(atUs, events) {
          for (const event of events) engine.step(atUs, event, recorder);
          return recorder.take();
        },
      };
    },
  };
}

export interface ReplayOptions {
  /** The journal's directory. */
  readonly directory: string;
  readonly stepper: ReplayStepper;
  /** A manifest, which is only written over a closed directory, vouches for the journal: then it must have its end. */
  readonly mustBeClosed: boolean;
}

export interface ReplayCounts {
  readonly segments: number;
  readonly batches: number;
  readonly events: number;
  readonly commands: number;
  readonly elapsedMs: number;
  readonly eventsPerSecond: number;
}

/** The first batch whose commands are not those of the journal. */
export interface ReplayDifference {
  readonly batch: number;
  readonly file: string;
  readonly line: number;
  readonly atUs: number;
  readonly journalled: { readonly commands: number; readonly digest: string };
  /** `error`: the engine stopped on a bug instead of giving commands. */
  readonly replayed: { readonly commands: number; readonly digest: string; readonly error: string | undefined };
  /** How many events and replayed commands there are of each kind. */
  readonly eventKinds: Readonly<Record<string, number>>;
  readonly commandKinds: Readonly<Record<string, number>>;
  /** The batch's first events and the first commands that this replay gave, as JSON. */
  readonly firstEvents: readonly string[];
  readonly firstCommands: readonly string[];
}

export type ReplayOutcome =
  | {
      readonly status: "same" | "differs";
      readonly header: JournalHeader;
      readonly counts: ReplayCounts;
      /** Chain value of the last record read: names the whole history up to there. */
      readonly chain: string;
      readonly closedCleanly: boolean;
      /** An unfinished last line, as a crash leaves it; never acknowledged, not replayed. */
      readonly tornTail: Place | undefined;
      /** Versions of the programs that wrote to it, in order of first appearance. */
      readonly programs: readonly string[];
      readonly difference: ReplayDifference | undefined;
    }
  | { readonly status: "unreadable"; readonly error: JournalError; readonly counts: ReplayCounts };

/** Replays from the beginning up to the first batch that differs. Reads only; a directory in use can be replayed, too. */
export async function replayJournal(options: ReplayOptions): Promise<ReplayOutcome> {
  const replay = new Replay(options);
  try {
    return await replay.run();
  } catch (error) {
    if (!(error instanceof JournalError)) throw error;
    return { status: "unreadable", error, counts: replay.counts() };
  }
}

class Replay {
  readonly #options: ReplayOptions;
  readonly #reader: JournalReader;
  readonly #startedMs = performance.now();
  readonly #programs = new Set<string>();
  #engine: ReturnType<ReplayStepper["fresh"]> | undefined;
  #batches = 0;
  #events = 0;
  #commands = 0;

  constructor(options: ReplayOptions) {
    this.#options = options;
    this.#reader = new JournalReader(options.directory, undefined);
  }

  async run(): Promise<ReplayOutcome> {
    const reader = this.#reader;
    let difference: ReplayDifference | undefined;
    for await (const record of reader.records()) {
      if (record.kind === "header") this.#begin(record.record as JournalHeader);
      if (record.kind === "opened" && "program" in record.record) this.#programs.add(record.record.program);
      if (record.kind === "batch") difference = this.#step(record.decode(), record.place);
      if (difference !== undefined) break;
    }
    const { header, chain, closed, torn } = reader;
    if (header === undefined)
      throw this.#incomplete("there is no journal", "Give the directory that holds its segments.");
    if (difference === undefined) this.#assertWhole();
    return {
      status: difference === undefined ? "same" : "differs",
      header,
      counts: this.counts(),
      chain,
      closedCleanly: closed,
      tornTail: torn,
      programs: [...this.#programs],
      difference,
    };
  }

  counts(): ReplayCounts {
    const elapsedMs = performance.now() - this.#startedMs;
    const eventsPerSecond = Math.round((this.#events * 1_000) / Math.max(elapsedMs, 0.001));
    return {
      segments: this.#reader.segments.length,
      batches: this.#batches,
      events: this.#events,
      commands: this.#commands,
      elapsedMs,
      eventsPerSecond,
    };
  }

  #begin(header: JournalHeader): void {
    if (this.#engine !== undefined) return;
    if (header.segment !== 1) {
      const remedy = "Only a journal that retains all its segments can be replayed.";
      throw this.#incomplete(`its beginning was deleted; the first segment is ${header.segment}`, remedy);
    }
    this.#engine = this.#options.stepper.fresh(header);
    this.#programs.add(header.program);
  }

  #step(batch: Batch, place: Place): ReplayDifference | undefined {
    const engine = this.#engine;
    if (engine === undefined) throw this.#incomplete("it has no header", "Put it back from a copy.");
    let commands: readonly unknown[] = [];
    let error: string | undefined;
    try {
      commands = engine.step(batch.atUs, batch.events);
    } catch (thrown) {
      error = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
    }
    this.#batches += 1;
    this.#events += batch.events.length;
    this.#commands += commands.length;
    const digest = digestCommands(commands);
    if (error === undefined && digest === batch.digest && commands.length === batch.commands) return undefined;
    return describeDifference(batch, place, { commands, digest, error });
  }

  #assertWhole(): void {
    const { closed, torn } = this.#reader;
    if (closed && torn !== undefined) {
      throw new JournalError("damaged", "the journal was closed, yet something follows", {
        file: torn.file,
        line: torn.line,
        remedy:
          "Put the file back from a copy. If a start was interrupted there, start once more: it removes the remains.",
      });
    }
    if (this.#options.mustBeClosed && !closed) {
      throw this.#incomplete(
        "its manifest says that it was closed, yet its end is missing",
        "Put it back from a copy.",
      );
    }
  }

  #incomplete(what: string, remedy: string): JournalError {
    return new JournalError("history-missing", `the journal cannot be replayed: ${what}`, {
      file: this.#options.directory,
      remedy,
    });
  }
}

const SHOWN = 5;
const SHOWN_CHARACTERS = 400;

function describeDifference(
  batch: Batch,
  { file, line }: Place,
  { commands, digest, error }: { commands: readonly unknown[]; digest: string; error: string | undefined },
): ReplayDifference {
  return {
    batch: batch.n,
    file,
    line,
    atUs: batch.atUs,
    journalled: { commands: batch.commands, digest: batch.digest },
    replayed: { commands: commands.length, digest, error },
    eventKinds: countKinds(batch.events),
    commandKinds: countKinds(commands),
    firstEvents: batch.events.slice(0, SHOWN).map(abbreviate),
    firstCommands: commands.slice(0, SHOWN).map(abbreviate),
  };
}

function countKinds(values: readonly unknown[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const value of values) {
    const kind = typeof value === "object" && value !== null && "kind" in value ? String(value.kind) : "?";
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}

function abbreviate(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length <= SHOWN_CHARACTERS ? text : `${text.slice(0, SHOWN_CHARACTERS)}…`;
}

/** `directory` itself or its folder `journal`, whichever holds the segments. */
export async function findJournal(directory: string): Promise<string> {
  const inner = join(directory, "journal");
  const isFolder = await stat(inner)
    .then((found) => found.isDirectory())
    .catch(() => false);
  return isFolder ? inner : directory;
}
