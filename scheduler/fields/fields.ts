import type { Plain, PlainSection } from "../files/yaml.ts";

/** What a key of a file may hold, as data: the parser, its messages and the table in the docs read the same. */
export type Field =
  | NumberField
  | WordField
  | FileField
  | NameField
  | ListField
  | SectionField
  | SectionsField
  | KindsField
  | AgainField;

/** What a key means when the file leaves it out. A key without one must be there. */
export type Absent = { readonly value: Plain } | { readonly derived: string };

interface Common {
  readonly means: string;
  readonly absent?: Absent;
}

export interface NumberField extends Common {
  readonly type: "number";
  readonly whole: boolean;
  /** Exclusive lower bound, or inclusive with `atLeast`; one of them is given. */
  readonly above?: number;
  readonly atLeast?: number;
  readonly atMost: number;
  /** A word that may stand in place of the number. */
  readonly word?: string;
}

export interface WordField extends Common {
  readonly type: "word";
  readonly words: readonly string[];
}

/** A file's path, relative to the file that names it. */
export interface FileField extends Common {
  readonly type: "file";
}

/** Free text of a few characters, such as a column's name. */
export interface NameField extends Common {
  readonly type: "name";
  readonly maxLength: number;
}

export interface ListField extends Common {
  readonly type: "list";
  readonly of: NumberField | NameField | WordField;
  readonly minItems: number;
  readonly maxItems: number;
}

export interface SectionField extends Common {
  readonly type: "section";
  readonly fields: Fields;
  /** A word that may stand in place of the section. */
  readonly word?: string;
}

/** A list of sections with the same keys. */
export interface SectionsField extends Common {
  readonly type: "sections";
  readonly fields: Fields;
  readonly maxItems: number;
  /** A word that may stand in place of the list. */
  readonly word?: string;
}

/** A section whose `kind` says which other keys it has. */
export interface KindsField extends Common {
  readonly type: "kinds";
  readonly kinds: Readonly<Record<string, Kind>>;
  readonly word?: string;
}

export interface Kind {
  readonly means: string;
  readonly fields: Fields;
  /** Sets of keys of which exactly one is to be given; each of these keys is optional by itself. */
  readonly oneOf?: readonly (readonly string[])[];
  /** Keys that nobody gives together with any of the others. */
  readonly either?: readonly [readonly string[], readonly string[]];
}

/** The same as another field, which may contain this one. */
export interface AgainField extends Common {
  readonly type: "again";
  readonly name: string;
  readonly field: () => KindsField;
  readonly word?: string;
}

export type Fields = Readonly<Record<string, Field>>;

export type { Plain, PlainSection } from "../files/yaml.ts";

export function isSection(value: Plain | undefined): value is PlainSection {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What a field accepts, in words that finish "must be …" and fill a table's cell. */
export function allowed(field: Field): string {
  switch (field.type) {
    case "number":
      return withWord(`${field.whole ? "a whole number" : "a number"} ${range(field)}`, field.word);
    case "word":
      return field.words.map(quoted).join(" or ");
    case "file":
      return "a file's path, relative to this file";
    case "name":
      return `text of 1 to ${field.maxLength} characters`;
    case "list":
      return `a list of ${field.minItems} to ${field.maxItems} ${items(field.of)}`;
    case "section":
      return withWord("a section", field.word);
    case "sections":
      return withWord(`a list of up to ${field.maxItems} sections`, field.word);
    case "kinds":
      return withWord(`a section with kind: ${Object.keys(field.kinds).join(" | ")}`, field.word);
    case "again":
      return withWord(`a section as in \`${field.name}\``, field.word);
    default:
      return field satisfies never;
  }
}

function items(of: ListField["of"]): string {
  if (of.type === "number") return `numbers, each ${range(of)}`;
  return of.type === "name" ? `texts of 1 to ${of.maxLength} characters` : `of ${of.words.map(quoted).join(", ")}`;
}

function range({ above, atLeast, atMost }: NumberField): string {
  return above === undefined ? `from ${atLeast} to ${atMost}` : `above ${above}, up to ${atMost}`;
}

function withWord(what: string, word: string | undefined): string {
  return word === undefined ? what : `${what}, or ${quoted(word)}`;
}

function quoted(word: string): string {
  return `\`${word}\``;
}
