import type { Plain, PlainSection } from "../../scheduler/fields/fields.ts";
import { isSection } from "../../scheduler/fields/fields.ts";

/** What some experiments have in common, and where they differ. */
export interface Comparison {
  /** The keys with the same value everywhere. */
  readonly common: PlainSection;
  /** Dotted paths whose values differ, in the experiments' order of keys. */
  readonly paths: readonly string[];
  /** By experiment, its values at those paths; a path that it does not have is left out. */
  readonly differing: readonly PlainSection[];
}

/**
 * Takes experiments apart. Sections with the same keys are compared key by key, others as a whole: two policies of different
 * kinds are two policies, not some keys that the one has and the other has not.
 */
export function compareExperiments(experiments: readonly PlainSection[]): Comparison {
  const differing = experiments.map((): Record<string, Plain> => ({}));
  const common = split(experiments, [], differing);
  return { common, paths: [...new Set(differing.flatMap((values) => Object.keys(values)))], differing };
}

function split(
  sections: readonly PlainSection[],
  path: readonly string[],
  differing: readonly Record<string, Plain>[],
): PlainSection {
  const common: Record<string, Plain> = {};
  for (const key of new Set(sections.flatMap((section) => Object.keys(section)))) {
    const values = sections.map((section) => (Object.hasOwn(section, key) ? section[key] : undefined));
    const [first] = values;
    const whole = [...path, key];
    if (first !== undefined && values.every((value) => same(value, first))) common[key] = first;
    else if (areAlike(values)) {
      const inner = split(values, whole, differing);
      if (Object.keys(inner).length > 0) common[key] = inner;
    } else {
      for (const [index, value] of values.entries()) {
        if (value !== undefined) (differing[index] as Record<string, Plain>)[whole.join(".")] = value;
      }
    }
  }
  return common;
}

/** Sections of one kind, with the same keys. */
function areAlike(values: readonly (Plain | undefined)[]): values is readonly PlainSection[] {
  if (!values.every(isSection)) return false;
  const [first, ...rest] = values.map((value) => [value["kind"] ?? "", ...Object.keys(value).sort()]);
  return rest.every((likeness) => same(likeness, first));
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  );
}
