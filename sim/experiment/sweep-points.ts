import type { Path } from "../../scheduler/files/yaml.ts";
import type { Place } from "../../scheduler/files/check.ts";
import { inside, trouble } from "../../scheduler/files/check.ts";
import type { Plain, PlainSection } from "../../scheduler/fields/fields.ts";
import { isSection } from "../../scheduler/fields/fields.ts";
import { EXPERIMENT_LIMITS } from "./limits.ts";
import { nearest } from "../../scheduler/fields/nearest.ts";

/** Changes to an experiment file: dotted paths such as `arrivals.ratePerS`, and what stands there instead. */
export type Overrides = PlainSection;

interface RawPoint {
  readonly overrides: Overrides;
  /** Where the point stands in the file. */
  readonly path: Path;
}

/** The points of a `sweep` section: `grid` (every combination, the last key fastest) or `list` (exactly these). */
export function sweepPoints(given: Plain, place: Place): readonly RawPoint[] {
  const keys = isSection(given) ? Object.keys(given) : [];
  if (!isSection(given) || keys.length !== 1) {
    trouble(place, "must be a section with either `grid` or `list`");
    return [];
  }
  const [key] = keys as [string];
  if (key === "grid") return gridPoints(given["grid"] as Plain, inside(place, key));
  if (key === "list") return listPoints(given["list"] as Plain, inside(place, key));
  const near = nearest(key, ["grid", "list"]);
  trouble(
    inside(place, key),
    `is not known${near === undefined ? "" : `; did you mean ${near}?`} Known here: grid, list`,
  );
  return [];
}

function gridPoints(grid: Plain, place: Place): readonly RawPoint[] {
  if (!isSection(grid) || Object.keys(grid).length === 0) {
    trouble(place, "must be a section of dotted paths, each with a list of values");
    return [];
  }
  let points: Overrides[] = [{}];
  for (const [path, values] of Object.entries(grid)) {
    if (!Array.isArray(values) || values.length === 0) {
      trouble(inside(place, path), "must be a list of values, at least one");
      return [];
    }
    if (points.length * values.length > EXPERIMENT_LIMITS.points) {
      trouble(place, `has more than ${EXPERIMENT_LIMITS.points} combinations`);
      return [];
    }
    points = points.flatMap((point) => values.map((value: Plain) => ({ ...point, [path]: value })));
  }
  return points.map((overrides) => ({ overrides, path: place.path }));
}

function listPoints(list: Plain, place: Place): readonly RawPoint[] {
  if (!Array.isArray(list) || list.length === 0 || list.length > EXPERIMENT_LIMITS.points) {
    trouble(place, `must be a list of 1 to ${EXPERIMENT_LIMITS.points} points`);
    return [];
  }
  const points: RawPoint[] = [];
  for (const [index, overrides] of list.entries()) {
    const there = inside(place, index);
    if (isSection(overrides)) points.push({ overrides, path: there.path });
    else trouble(there, "must be a section of dotted paths and their values");
  }
  return points;
}

/** A file's keys with the changes made, or what makes a change impossible. */
export function withOverrides(base: PlainSection, overrides: Overrides): PlainSection | string {
  let changed: PlainSection | string = base;
  for (const [path, value] of Object.entries(overrides)) {
    changed = withOverride(changed, path.split("."), value, path);
    if (typeof changed === "string") return changed;
  }
  return changed;
}

function withOverride(
  section: PlainSection,
  [key = "", ...rest]: readonly string[],
  value: Plain,
  path: string,
): PlainSection | string {
  if (rest.length === 0) return { ...section, [key]: value };
  const inner = Object.hasOwn(section, key) ? section[key] : {};
  if (!isSection(inner)) return `${path} cannot be set, since ${key} is ${JSON.stringify(inner)} and not a section`;
  const changed = withOverride(inner, rest, value, path);
  return typeof changed === "string" ? changed : { ...section, [key]: changed };
}
