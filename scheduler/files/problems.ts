import { readFile, stat } from "node:fs/promises";
import type { Trouble } from "./check.ts";
import type { TextFault, TextPlace, YamlText } from "./yaml.ts";

/** What is wrong with a file, for the one who wrote it. */
export interface FileProblem {
  readonly line: number | undefined;
  readonly column: number | undefined;
  /** Keys from the top, with dots between: `rules.0.policy.delayMs`. Empty for the file as a whole. */
  readonly path: string;
  /** A sentence without its subject. */
  readonly message: string;
}

/** More would scroll the first ones away, and those explain the rest. */
const MAX_PROBLEMS = 20;

/** `pipe.policy.yaml:7:5: rules.0.policy.delayMs: must be …`, as editors and terminals make links of it. */
export function problemText(file: string, { line, column, path, message }: FileProblem): string {
  const place = [file, line, column].filter((part) => part !== undefined).join(":");
  return `${place}: ${path === "" ? "the file" : path}: ${message}`;
}

/** Troubles with their places in the text; those that are too many to be told, as one. */
export function problemsOf(troubles: readonly Trouble[], { placeOf }: YamlText): readonly FileProblem[] {
  // Only those that are told are looked up in the text: each takes a look at all keys of its section.
  const told = troubles.slice(0, MAX_PROBLEMS).map(({ path, message }) => ({
    ...positionOf(placeOf(path)),
    path: path.join("."),
    message,
  }));
  return withMore(told, troubles.length);
}

/** What keeps a text from being YAML. */
export function faultProblems(faults: readonly TextFault[]): readonly FileProblem[] {
  const told = faults.slice(0, MAX_PROBLEMS).map(({ place, message }) => ({ ...positionOf(place), path: "", message }));
  return withMore(told, faults.length);
}

export function wholeProblem(message: string): FileProblem {
  return { line: undefined, column: undefined, path: "", message };
}

/** A file's text. Rejects with an Error whose message, or `code`, says why there is none. */
export async function readBoundedText(path: string, maxBytes: number): Promise<string> {
  // Before it fills the memory.
  const found = await stat(path);
  // A pipe has no end as long as nobody writes, and a device none at all.
  if (!found.isFile() && !found.isDirectory()) throw new Error("is no file");
  if (found.size > maxBytes) throw new Error(`is longer than ${maxBytes} bytes`);
  return readFile(path, "utf8");
}

/** Why a file has no text, as a sentence without its subject. */
export function unreadable(error: unknown): string {
  return error instanceof Error && "code" in error ? `cannot be read (${error.code})` : (error as Error).message;
}

function withMore(told: readonly FileProblem[], all: number): readonly FileProblem[] {
  const more = all - told.length;
  return more > 0 ? [...told, wholeProblem(`has ${more} more problems`)] : told;
}

function positionOf(place: TextPlace | undefined): Pick<FileProblem, "line" | "column"> {
  return { line: place?.line, column: place?.column };
}
