import { type FSWatcher, statSync, watch } from "node:fs";
import { basename, dirname } from "node:path";
import type { RulesSpec } from "../../policies/rules.ts";
import { PolicyFileError, readPolicyFile } from "../files/policy-file.ts";

export interface PolicyWatchOptions {
  readonly path: string;
  /** The file says something that can be followed. Whether that is news is the caller's to see. */
  readonly found: (spec: RulesSpec) => Promise<void>;
  /** The file cannot be followed. Not called again for the same text. */
  readonly refused: (error: PolicyFileError) => void;
  /** Something is in the way, and is tried again in a while. */
  readonly troubled: (why: string) => void;
}

/** From the first sign of a change to the reading: an editor's several steps become one. */
const SETTLE_MS = 200;
/** Between tries when the directory cannot be watched, or what was found not be taken up. */
const RETRY_MS = 5_000;

/**
 * Follows a policy file. It watches the directory, not the file: who writes beside it and renames puts another file in its
 * place, of which a watch on the old one hears nothing. The file is read when there was a sign of change, and at no other time.
 */
export class PolicyWatch {
  readonly #options: PolicyWatchOptions;
  readonly #directory: string;
  readonly #name: string;
  #watcher: FSWatcher | undefined;
  /** The directory that is watched: another one of the same name is not. */
  #inode: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #reading: Promise<void> = Promise.resolve();
  /** What the file said when it was last read: its text, or why it has none. */
  #said: string | undefined;
  #closed = false;

  /** `said` is what the file is known to say; it is told of when that has changed. */
  constructor(options: PolicyWatchOptions, said: string | undefined) {
    this.#options = options;
    this.#directory = dirname(options.path);
    this.#name = basename(options.path);
    this.#said = said;
    // It may have changed between its last reading and now.
    this.#arm(SETTLE_MS);
    this.#watch();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#watcher?.close();
    await this.#reading;
  }

  #watch(): void {
    try {
      this.#inode = statSync(this.#directory).ino;
      this.#watcher = watch(this.#directory, { persistent: false }, (_event, name) => {
        // Of a mounted configuration it is a link whose name begins with two dots that is put in place. When the directory
        // itself goes, its own name is told.
        const told = name === null || name === this.#name || name.startsWith("..");
        if (told || name === basename(this.#directory)) this.#lookSoon();
      });
      this.#watcher.on("error", (error) => this.#unwatch(error.message));
    } catch (error) {
      this.#unwatch((error as Error).message);
    }
  }

  #unwatch(why: string): void {
    this.#watcher?.close();
    this.#watcher = undefined;
    this.#tryAgain(`the policy file's directory cannot be watched: ${why}`);
  }

  #tryAgain(why: string): void {
    if (this.#closed) return;
    this.#options.troubled(why);
    this.#arm(RETRY_MS);
  }

  #lookSoon(): void {
    // Not put off by further signs, so that a busy directory cannot put it off for ever.
    if (this.#timer === undefined) this.#arm(SETTLE_MS);
  }

  #arm(afterMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#watcher === undefined && !this.#closed) this.#watch();
      this.#reading = this.#reading.then(() => this.#look());
    }, afterMs);
    this.#timer.unref();
  }

  async #look(): Promise<void> {
    if (this.#closed) return;
    const { path, found, refused } = this.#options;
    const { said, read } = await readPolicyFile(path);
    if (said !== this.#said) {
      this.#said = said;
      if (read instanceof PolicyFileError) refused(read);
      else {
        await found(read).catch((error: unknown) => {
          this.#said = undefined;
          this.#tryAgain(`the policy could not be changed: ${error instanceof Error ? error.message : String(error)}`);
        });
      }
    }
    if (this.#watcher !== undefined && inodeOf(this.#directory) !== this.#inode) this.#unwatch("it was replaced");
  }
}

function inodeOf(directory: string): number | undefined {
  return statSync(directory, { throwIfNoEntry: false })?.ino;
}
