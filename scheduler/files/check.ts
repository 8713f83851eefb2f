import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type {
  Field,
  Fields,
  Kind,
  ListField,
  NumberField,
  Plain,
  PlainSection,
  SectionsField,
} from "../fields/fields.ts";
import { allowed, isSection } from "../fields/fields.ts";
import { FIELD_LIMITS } from "../fields/limits.ts";
import { nearest } from "../fields/nearest.ts";
import type { Path } from "./yaml.ts";

/** Something wrong with a file, for the one who wrote it. */
export interface Trouble {
  readonly path: Path;
  /** A sentence without its subject: "must be a number above 0, up to 1000; it is −3". */
  readonly message: string;
}

/** What a check needs to know beside the value. */
export interface Place {
  readonly path: Path;
  /** Relative paths of files start here. */
  readonly directory: string;
  readonly troubles: Trouble[];
  /** Sections within sections of the same kind, so far. */
  readonly depth: number;
}

/** The value with what it leaves out filled in; where there was trouble, `undefined` and an entry in `troubles`. */
export function check(field: Field, value: Plain, place: Place): Plain | undefined {
  switch (field.type) {
    case "number":
      return checkNumber(field, value, place);
    case "word":
      return typeof value === "string" && field.words.includes(value) ? value : wrong(field, value, place);
    case "name":
      if (typeof value === "string" && value.length > 0 && value.length <= field.maxLength) return value;
      return wrong(field, value, place);
    case "file":
      return checkFile(value, place) ?? wrong(field, value, place);
    case "list":
      return checkList(field, value, place);
    case "section":
      if (value === field.word && field.word !== undefined) return value;
      return isSection(value) ? checkFields(field.fields, value, place) : wrong(field, value, place);
    case "sections":
      if (value === field.word && field.word !== undefined) return value;
      return checkSections(field, value, place);
    case "kinds":
      if (value === field.word && field.word !== undefined) return value;
      return isSection(value) ? checkKind(field.kinds, value, place) : wrong(field, value, place);
    case "again":
      if (value === field.word && field.word !== undefined) return value;
      if (place.depth >= FIELD_LIMITS.depth) {
        return trouble(place, `is nested more than ${FIELD_LIMITS.depth} deep`);
      }
      return check(field.field(), value, { ...place, depth: place.depth + 1 });
    default:
      return field satisfies never;
  }
}

/** A section's keys: unknown ones are reported, absent ones filled in. */
export function checkFields(fields: Fields, section: PlainSection, place: Place): PlainSection {
  const checked: Record<string, Plain> = {};
  for (const [key, value] of Object.entries(section)) {
    if (!Object.hasOwn(fields, key)) trouble(inside(place, key), unknown(key, Object.keys(fields)));
    else if (value === null) trouble(inside(place, key), "is empty; give a value or leave the key out");
  }
  for (const [key, field] of Object.entries(fields)) {
    const value = Object.hasOwn(section, key) ? section[key] : undefined;
    const there = inside(place, key);
    const result = value === undefined ? fill(field, there) : value === null ? undefined : check(field, value, there);
    if (result !== undefined) checked[key] = result;
  }
  return checked;
}

function fill(field: Field, place: Place): Plain | undefined {
  if (field.absent === undefined) return trouble(place, `is missing; it is ${allowed(field)}: ${field.means}`);
  if ("value" in field.absent) return field.absent.value;
  // A section whose own keys can all be left out; what else is derived, the parser knows.
  if (field.type !== "section" || Object.values(field.fields).some(({ absent }) => absent === undefined))
    return undefined;
  return checkFields(field.fields, {}, place);
}

function checkKind(kinds: Readonly<Record<string, Kind>>, section: PlainSection, place: Place): Plain | undefined {
  const { kind: name, ...rest } = section;
  const kind = typeof name === "string" && Object.hasOwn(kinds, name) ? kinds[name] : undefined;
  if (kind === undefined) {
    const known = Object.keys(kinds);
    if (name === undefined) return trouble(inside(place, "kind"), `is missing; it is one of ${known.join(", ")}`);
    return trouble(inside(place, "kind"), unknown(String(name), known));
  }
  const [one, other] = (kind.either ?? []).map((keys) => keys.find((key) => Object.hasOwn(rest, key)));
  if (one !== undefined && other !== undefined)
    return trouble(inside(place, other), `is not given together with ${one}; drop one of them`);
  if (kind.oneOf === undefined) return { kind: name as string, ...checkFields(kind.fields, rest, place) };
  return checkOneOf(kind, kind.oneOf, section, place);
}

/** Exactly one of several sets of keys. */
function checkOneOf(
  kind: Kind,
  sets: readonly (readonly string[])[],
  section: PlainSection,
  place: Place,
): Plain | undefined {
  const { kind: name, ...rest } = section;
  const given = Object.keys(rest).filter((key) => Object.hasOwn(kind.fields, key));
  const set = sets.find((keys) => keys.length === given.length && keys.every((key) => given.includes(key)));
  const before = place.troubles.length;
  const fields = Object.fromEntries(Object.entries(kind.fields).filter(([key]) => (set ?? given).includes(key)));
  const known = Object.keys(kind.fields);
  for (const key of Object.keys(rest)) if (!known.includes(key)) trouble(inside(place, key), unknown(key, known));
  const checked = checkFields(fields, Object.fromEntries(given.map((key) => [key, rest[key] as Plain])), place);
  if (set === undefined && place.troubles.length === before) {
    const forms = sets.map((keys) => `{${keys.join(", ")}}`).join(" or ");
    return trouble(place, `of kind ${String(name)} takes ${forms}; it has {${given.join(", ")}}`);
  }
  return { kind: name as string, ...checked };
}

function checkNumber(field: NumberField, value: Plain, place: Place): Plain | undefined {
  if (field.word !== undefined && value === field.word) return value;
  if (typeof value !== "number" || !Number.isFinite(value)) return wrong(field, value, place);
  const low = field.above === undefined ? value >= (field.atLeast ?? 0) : value > field.above;
  const fits = low && value <= field.atMost && (!field.whole || Number.isInteger(value));
  return fits ? value : wrong(field, value, place);
}

function checkList(field: ListField, value: Plain, place: Place): Plain | undefined {
  if (!Array.isArray(value) || value.length < field.minItems || value.length > field.maxItems) {
    return wrong(field, value as Plain, place);
  }
  const items = value.map((item: Plain, index) => check(field.of, item, inside(place, index)));
  return items.every((item) => item !== undefined) ? items : undefined;
}

function checkSections(field: SectionsField, value: Plain, place: Place): Plain | undefined {
  if (!Array.isArray(value) || value.length > field.maxItems) return wrong(field, value as Plain, place);
  const items = value.map((item: Plain, index) => {
    const there = inside(place, index);
    return isSection(item) ? checkFields(field.fields, item, there) : trouble(there, "must be a section of keys");
  });
  return items.every((item) => item !== undefined) ? items : undefined;
}

function checkFile(value: Plain, place: Place): string | undefined {
  if (typeof value !== "string" || value.length === 0) return undefined;
  const path = resolve(place.directory, value);
  if (!existsSync(path)) trouble(place, `names a file that does not exist: ${path}`);
  return path;
}

export function inside(place: Place, key: string | number): Place {
  return { ...place, path: [...place.path, key] };
}

export function trouble(place: Place, message: string): undefined {
  place.troubles.push({ path: place.path, message });
  return undefined;
}

function wrong(field: Field, value: Plain, place: Place): undefined {
  return trouble(place, `must be ${allowed(field)}; it is ${shown(value)}`);
}

function unknown(key: string, known: readonly string[]): string {
  const near = nearest(key, known);
  const hint = near === undefined ? "" : `; did you mean ${near}?`;
  return `is not known${key === "" ? "" : ` (${JSON.stringify(key)})`}${hint} Known here: ${known.join(", ") || "nothing"}`;
}

/** Enough of a value to recognise it. */
function shown(value: Plain): string {
  const text = JSON.stringify(value);
  return text.length <= 60 ? text : `${text.slice(0, 57)}…`;
}
