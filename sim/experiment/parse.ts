import { readYaml } from "../../scheduler/files/yaml.ts";
import type { Place, Trouble } from "../../scheduler/files/check.ts";
import { checkFields, inside, trouble } from "../../scheduler/files/check.ts";
import type { Plain, PlainSection } from "../../scheduler/fields/fields.ts";
import { isSection } from "../../scheduler/fields/fields.ts";
import { EXPERIMENT_FIELDS } from "./format.ts";
import { EXPERIMENT_LIMITS } from "./limits.ts";
import { relationTroubles } from "./relations.ts";
import { normalise } from "./normalise.ts";
import { type Overrides, sweepPoints, withOverrides } from "./sweep-points.ts";
import type { Experiment } from "./types.ts";

/** What an experiment file says. */
export interface ExperimentFile {
  readonly experiment: Experiment;
  /** Named changes to the experiment, for `compare`. */
  readonly variants: ReadonlyMap<string, Experiment>;
  /** Points of the sweep in order; empty without a sweep. */
  readonly points: readonly SweepPoint[];
  /** The experiment under changes that did not stand in the file. */
  under(overrides: Overrides): Parsed<Experiment>;
}

export interface SweepPoint {
  /** What this point changes, by dotted path. */
  readonly overrides: Overrides;
  readonly experiment: Experiment;
}

export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  /** One line per trouble: `line 7, service.meanMs: must be …`. */
  | { readonly ok: false; readonly troubles: readonly string[] };

/** More would scroll the first ones away, and those explain the rest. */
const MAX_TROUBLES = 20;

/** Reads an experiment file's text (YAML, of which JSON is a part). Relative paths in it start at `directory`. */
export function parseExperimentFile(text: string, directory: string): Parsed<ExperimentFile> {
  const read = readYaml(text, EXPERIMENT_LIMITS.textBytes);
  if (!read.ok) return failure(read.troubles);
  const { value, lineOf } = read.text;
  if (!isSection(value)) return failure(["an experiment file is a section of keys such as `jobs: 100000`"]);
  const found = readWhole(value, directory);
  if (found.ok) return found;
  return failure(found.troubles.map((one) => sentence(one, lineOf(one.path))));
}

/** An experiment from plain data, such as one written in a program. */
export function parseExperiment(section: PlainSection, directory: string): Parsed<Experiment> {
  const checked = readExperiment(section, directory);
  return checked.ok ? checked : failure(checked.troubles.map((one) => sentence(one, undefined)));
}

type Checked<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly troubles: Trouble[] };

function readWhole(whole: PlainSection, directory: string): Checked<ExperimentFile> {
  const { variants: variantsGiven, sweep: sweepGiven, ...base } = whole;
  const experiment = readExperiment(base, directory);
  const troubles = experiment.ok ? [] : experiment.troubles;
  const top: Place = { path: [], directory, troubles, depth: 0 };
  // A fault of the base shows in every variant and point; it is told once.
  if (!experiment.ok) return experiment;
  const variants = readVariants(base, variantsGiven, inside(top, "variants"));
  const points = readSweep(base, sweepGiven, inside(top, "sweep"));
  if (troubles.length > 0) return { ok: false, troubles };
  const under = (overrides: Overrides): Parsed<Experiment> => {
    const changed = withOverrides(base, overrides);
    return typeof changed === "string" ? failure([changed]) : parseExperiment(changed, directory);
  };
  return { ok: true, value: { experiment: experiment.value, variants, points, under } };
}

function readExperiment(section: PlainSection, directory: string): Checked<Experiment> {
  const troubles: Trouble[] = [];
  const place: Place = { path: [], directory, troubles, depth: 0 };
  const checked = checkFields(EXPERIMENT_FIELDS, section, place);
  if (troubles.length > 0) return { ok: false, troubles };
  const experiment = normalise(checked, place);
  if (experiment === undefined) return { ok: false, troubles };
  troubles.push(...relationTroubles(experiment));
  return troubles.length > 0 ? { ok: false, troubles } : { ok: true, value: experiment };
}

function readVariants(base: PlainSection, given: Plain | undefined, place: Place): Map<string, Experiment> {
  const variants = new Map<string, Experiment>();
  if (given === undefined) return variants;
  const entries = isSection(given) ? Object.entries(given) : [];
  if (entries.length === 0 || entries.length > EXPERIMENT_LIMITS.variants) {
    trouble(place, `must be a section of 1 to ${EXPERIMENT_LIMITS.variants} names, each with keys to change`);
  }
  for (const [name, overrides] of entries.slice(0, EXPERIMENT_LIMITS.variants)) {
    const there = inside(place, name);
    if (!isSection(overrides)) trouble(there, "must be a section of keys to change, such as `policy: {…}`");
    else {
      const experiment = readChanged(base, overrides, there);
      if (experiment !== undefined) variants.set(name, experiment);
    }
  }
  return variants;
}

function readSweep(base: PlainSection, given: Plain | undefined, place: Place): SweepPoint[] {
  if (given === undefined) return [];
  const points = sweepPoints(given, place);
  const read: SweepPoint[] = [];
  for (const { overrides, path } of points) {
    const experiment = readChanged(base, overrides, { ...place, path });
    if (experiment !== undefined) read.push({ overrides, experiment });
    // The other points would mostly repeat it.
    else break;
  }
  return read;
}

function readChanged(base: PlainSection, overrides: PlainSection, place: Place): Experiment | undefined {
  const changed = withOverrides(base, overrides);
  if (typeof changed === "string") return trouble(place, changed);
  const checked = readExperiment(changed, place.directory);
  if (checked.ok) return checked.value;
  for (const { path, message } of checked.troubles) trouble(place, `with its changes, ${path.join(".")} ${message}`);
  return undefined;
}

function failure(sentences: readonly string[]): { readonly ok: false; readonly troubles: readonly string[] } {
  const rest = sentences.length - MAX_TROUBLES;
  const more = rest > 0 ? [`and ${rest} more`] : [];
  return { ok: false, troubles: [...sentences.slice(0, MAX_TROUBLES), ...more] };
}

function sentence({ path, message }: Trouble, line: number | undefined): string {
  const where = path.join(".");
  return `${line === undefined ? "" : `line ${line}, `}${where === "" ? "the file" : where}: ${message}`;
}
