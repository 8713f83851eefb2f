import { readFileSync } from "node:fs";
import { basename, dirname, extname, join, resolve } from "node:path";
import { performance } from "node:perf_hooks";
import { pairedDifferences } from "../../sim/experiment/compare.ts";
import type { Plain } from "../fields/fields.ts";
import { type ExperimentFile, type Parsed, parseExperimentFile, type SweepPoint } from "../../sim/experiment/parse.ts";
import { ReplicationFailed, workersFor } from "../../sim/experiment/pool.ts";
import { runExperiment, runExperiments, type RunOptions } from "../../sim/experiment/run.ts";
import { runSweep, SweepDirectory } from "../../sim/experiment/sweep.ts";
import type { Experiment } from "../../sim/experiment/types.ts";
import { validate } from "../../sim/theory/validate.ts";
import { parsePolicy } from "../../policies/short-form.ts";
import { progressOn } from "./sim-progress.ts";
import { compareTable, runTable, sweepTable, validationTable } from "./sim-tables.ts";

/** What the experiments of `pipe sim` can be told beside their file. */
export interface SimOptions {
  readonly seed: number | undefined;
  readonly replications: number | undefined;
  /** Worker threads; one per core if not given. */
  readonly workers: number | undefined;
  readonly json: boolean;
}

/** Exit codes: the work is done; a check failed; the request makes no sense; Ctrl-C. */
export const EXIT = { done: 0, failed: 1, refused: 2, interrupted: 130 } as const;

/** Races of the first replication that a report may draw. */
const SAMPLES = 200;

/** What was asked for cannot be done; the message says why. */
export class SimRefused extends Error {
  override readonly name = "SimRefused";
}

/** `pipe sim run`; with a directory, the result is kept there as a sweep's only point. */
export async function simRun(
  file: string,
  options: SimOptions & { readonly out: string | undefined },
  signal: AbortSignal,
): Promise<number> {
  const { experiment } = readExperiment(file, options);
  const measured = await withProgress("replications", options, experiment.replications, signal, (run) =>
    runExperiment(experiment, run),
  );
  if (measured === "interrupted") return EXIT.interrupted;
  if (options.out !== undefined) openDirectory(options.out).append({ overrides: {}, experiment }, measured);
  print(options.json, measured.result, () => runTable(experiment, measured.result));
  return EXIT.done;
}

/** `pipe sim sweep`: measures what the directory lacks, then shows all points in the file's order. */
export async function simSweep(
  file: string,
  options: SimOptions & { readonly out: string | undefined },
  signal: AbortSignal,
): Promise<number> {
  const { points } = readExperiment(file, options);
  if (points.length === 0) throw new SimRefused(`${file} has no sweep section. Add one, or use pipe sim run.`);
  const path = options.out ?? `${join(dirname(file), basename(file, extname(file)))}.results`;
  const directory = openDirectory(path);
  const changed = points.map((point) => ({ ...point, experiment: withFlags(point.experiment, options) }));
  const missing = changed.filter(({ experiment }) => directory.record(experiment) === undefined);
  if (missing.length < changed.length)
    note(`${changed.length - missing.length} of ${changed.length} points are in ${path}`);
  const total = missing.reduce((sum, { experiment }) => sum + experiment.replications, 0);
  const outcome = await withProgress("replications", options, total, signal, (run) =>
    runSweep(changed, directory, run),
  );
  showSweep(changed, directory, options.json);
  note(`results are in ${path}`);
  return outcome === "interrupted" ? EXIT.interrupted : EXIT.done;
}

function showSweep(points: readonly SweepPoint[], directory: SweepDirectory, json: boolean): void {
  const records = points.map(({ experiment }) => directory.record(experiment)).filter((one) => one !== undefined);
  const results = records.map(({ overrides, result }) => ({ overrides, ...result }));
  if (records.length > 0) print(json, results, () => sweepTable(records));
}

/** `pipe sim compare`: each name is a variant of the file, or a policy in its short form. */
export async function simCompare(
  file: string,
  names: { readonly a: string; readonly b: string },
  options: SimOptions,
  signal: AbortSignal,
): Promise<number> {
  const read = readExperiment(file, options);
  const [a, b] = [variantOf(read, names.a, options), variantOf(read, names.b, options)];
  if (a.seed !== b.seed || a.replications !== b.replications) {
    throw new SimRefused("A and B differ in seed or replications, so that they cannot be paired.");
  }
  const total = a.replications + b.replications;
  const measured = await withProgress("replications", options, total, signal, (run) => runExperiments([a, b], run));
  if (measured === "interrupted") return EXIT.interrupted;
  const [ofA, ofB] = measured;
  if (ofA === undefined || ofB === undefined) throw new SimRefused("nothing was measured");
  const differences = pairedDifferences(ofA, ofB);
  print(options.json, { ...names, differences }, () => compareTable(names, differences));
  return EXIT.done;
}

function variantOf(file: ExperimentFile, name: string, options: SimOptions): Experiment {
  const variant = file.variants.get(name);
  if (variant !== undefined) return withFlags(variant, options);
  const known = file.variants.size === 0 ? "no variants" : `the variants ${[...file.variants.keys()].join(", ")}`;
  try {
    const policy = parsePolicy(name) as unknown as Plain;
    return withFlags(accepted(name, file.under({ policy })), options);
  } catch (error) {
    if (error instanceof RangeError) throw new SimRefused(`The file has ${known}. ${error.message}`, { cause: error });
    throw error;
  }
}

/** `pipe sim validate`. */
export async function simValidate(
  options: Omit<SimOptions, "replications"> & { readonly seed: number },
  signal: AbortSignal,
): Promise<number> {
  const progress = progressOn(process.stderr, "replications", () => performance.now());
  const workers = options.workers ?? workersFor(Number.MAX_SAFE_INTEGER);
  try {
    const rows = await validate({ seed: options.seed, workers, signal, onProgress: progress.show });
    progress.close();
    if (rows === "interrupted") return EXIT.interrupted;
    print(options.json, { rows }, () => validationTable(rows));
    return rows.every(({ verdict }) => verdict === "holds") ? EXIT.done : EXIT.failed;
  } finally {
    progress.close();
  }
}

async function withProgress<T>(
  what: string,
  options: SimOptions,
  tasks: number,
  signal: AbortSignal,
  work: (run: RunOptions) => Promise<T>,
): Promise<T> {
  const progress = progressOn(process.stderr, what, () => performance.now());
  const workers = options.workers ?? workersFor(tasks);
  try {
    return await work({ workers, signal, samples: SAMPLES, onProgress: progress.show });
  } catch (error) {
    if (error instanceof ReplicationFailed) throw new SimRefused(error.message, { cause: error });
    throw error;
  } finally {
    progress.close();
  }
}

function readExperiment(file: string, options: SimOptions): ExperimentFile {
  const read = accepted(file, parseExperimentFile(textOf(file), resolve(dirname(file))));
  return { ...read, experiment: withFlags(read.experiment, options) };
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new SimRefused(`${file} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

function accepted<T>(what: string, parsed: Parsed<T>): T {
  if (parsed.ok) return parsed.value;
  throw new SimRefused(`${what} is no experiment:\n${parsed.troubles.map((trouble) => `  ${trouble}`).join("\n")}`);
}

/** Flags win over the file. Their ranges were checked where they were read. */
function withFlags(experiment: Experiment, { seed, replications }: SimOptions): Experiment {
  return { ...experiment, seed: seed ?? experiment.seed, replications: replications ?? experiment.replications };
}

function openDirectory(path: string): SweepDirectory {
  try {
    return new SweepDirectory(path);
  } catch (error) {
    throw new SimRefused(`${path} cannot be used: ${(error as Error).message}`, { cause: error });
  }
}

function print(json: boolean, value: unknown, text: () => string): void {
  process.stdout.write(json ? `${JSON.stringify(value)}\n` : text());
}

function note(text: string): void {
  process.stderr.write(`${text}\n`);
}
