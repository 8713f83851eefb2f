import type { Arrivals } from "./arrivals.ts";
import { type FileReader, numberIn, readColumns, UnusableFile } from "./csv.ts";
import type { Stream } from "./streams.ts";

const COLUMNS = ["TIMESTAMP", "ContextTokens", "GeneratedTokens"] as const;

interface Trace {
  /** From the first row on, in microseconds. */
  readonly timesUs: Float64Array;
  readonly contextTokens: Float64Array;
  readonly generatedTokens: Float64Array;
  /** After which the first row comes again: the span, and a gap of average length after the last row. */
  readonly periodUs: number;
}

/** Parsed once for each reader, since every replication asks for the same file. */
const TRACES = new WeakMap<FileReader, Map<string, Trace>>();

/**
 * Arrivals as recorded, in a circle. Each replication starts at a row of its own choice, so that replications differ and
 * every part of a long trace has its turn.
 */
export class TraceArrivals implements Arrivals {
  readonly tokens: { in: number; out: number } = { in: 0, out: 0 };
  readonly #trace: Trace;
  readonly #speedup: number;
  readonly #startUs: number;
  #row: number;
  #roundUs = 0;

  constructor(spec: { file: string; speedup: number }, stream: Stream, files: FileReader) {
    this.#trace = traceOf(files, spec.file);
    this.#speedup = spec.speedup;
    const { timesUs, periodUs } = this.#trace;
    this.#row = stream.below(timesUs.length);
    // One average gap before the first arrival.
    this.#startUs = (timesUs[this.#row] as number) - periodUs / timesUs.length;
  }

  nextUs(): number {
    const { timesUs, contextTokens, generatedTokens, periodUs } = this.#trace;
    const row = this.#row;
    const us = (this.#roundUs + (timesUs[row] as number) - this.#startUs) / this.#speedup;
    this.tokens.in = contextTokens[row] as number;
    this.tokens.out = generatedTokens[row] as number;
    this.#row = row + 1;
    if (this.#row === timesUs.length) {
      this.#row = 0;
      this.#roundUs += periodUs;
    }
    return us;
  }
}

function traceOf(files: FileReader, file: string): Trace {
  const known = TRACES.get(files) ?? new Map<string, Trace>();
  TRACES.set(files, known);
  const trace = known.get(file) ?? parseTrace(files, file);
  known.set(file, trace);
  return trace;
}

function parseTrace(files: FileReader, file: string): Trace {
  const rows = readColumns(files, file, COLUMNS);
  if (rows.length < 2) throw new UnusableFile(`${file}: a trace has two arrivals at least`);
  const column = (index: number) =>
    Float64Array.from(rows, (row, at) =>
      numberIn(row[index] as string, { file, column: COLUMNS[index] as string, row: at + 1 }),
    );
  const stampsUs = rows.map((row, at) => stampUs(row[0] as string, file, at + 1));
  const firstUs = stampsUs[0] as number;
  const timesUs = Float64Array.from(stampsUs, (us) => us - firstUs);
  const falls = timesUs.findIndex((us, at) => at > 0 && us < (timesUs[at - 1] as number));
  if (falls >= 0) throw new UnusableFile(`${file}: row ${falls + 1} is earlier than the one before`);
  const spanUs = timesUs.at(-1) as number;
  if (spanUs === 0) throw new UnusableFile(`${file}: all rows have one time`);
  const periodUs = (spanUs * timesUs.length) / (timesUs.length - 1);
  return { timesUs, periodUs, contextTokens: column(1), generatedTokens: column(2) };
}

/** Date, time, fraction of a second to any length, and an optional offset from universal time. */
const STAMP = /^(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(\.\d+)?(?:Z|([+-])(\d\d):?(\d\d))?$/;

/** Microseconds of a time such as 2023-11-16 18:17:03.9799600, or of a plain number of seconds. */
function stampUs(text: string, file: string, row: number): number {
  const parts = STAMP.exec(text);
  if (parts === null) return numberIn(text, { file, column: COLUMNS[0], row }) * 1e6;
  const [year, month, day, hour, minute, second] = parts.slice(1, 7).map(Number) as [number, ...number[]];
  const ms = Date.UTC(year, (month as number) - 1, day, hour, minute, second);
  const offsetMinutes = (parts[8] === "-" ? -1 : 1) * (Number(parts[9] ?? 0) * 60 + Number(parts[10] ?? 0));
  return ms * 1_000 + Number(parts[7] ?? 0) * 1e6 - offsetMinutes * 60e6;
}
