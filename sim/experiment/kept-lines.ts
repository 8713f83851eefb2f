import { createHash } from "node:crypto";
import { appendFileSync, existsSync, mkdirSync, readFileSync, truncateSync } from "node:fs";
import { basename, dirname } from "node:path";

/**
 * Results in a file, a line of JSON each, under the digest of what they are results of. They are appended as they come, so
 * that work goes on where it was interrupted.
 */
export class KeptLines<T extends { readonly key: string }> {
  readonly #path: string;
  readonly #records = new Map<string, T>();

  /**
   * Reads what is there. A last line that an interruption tore is cut off. `isRecord` looks at a value of JSON; `what` finishes
   * "line 3 is no …". Throws for what cannot be read or is something else.
   */
  constructor(path: string, isRecord: (value: unknown) => value is T, what: string) {
    mkdirSync(dirname(path), { recursive: true });
    this.#path = path;
    if (!existsSync(path)) return;
    const text = readFileSync(path, "utf8");
    const whole = text.slice(0, text.lastIndexOf("\n") + 1);
    if (whole.length < text.length) truncateSync(path, Buffer.byteLength(whole));
    for (const [index, line] of whole.split("\n").entries()) {
      if (line === "") continue;
      const value = parsed(line);
      if (!isRecord(value)) {
        throw new Error(
          `line ${index + 1} of ${basename(path)} is no ${what}. Remove that line, or let the results go into another directory.`,
        );
      }
      this.#records.set(value.key, value);
    }
  }

  get(key: string): T | undefined {
    return this.#records.get(key);
  }

  append(record: T): void {
    appendFileSync(this.#path, `${JSON.stringify(record)}\n`);
    this.#records.set(record.key, record);
  }
}

/** `undefined` for what is no JSON. */
function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** Of plain data, whatever the order of its keys. */
export function digestOf(value: unknown): string {
  return createHash("sha256")
    .update(JSON.stringify(sorted(value)))
    .digest("hex")
    .slice(0, 32);
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
}
