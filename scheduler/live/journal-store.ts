import type { EngineConfig } from "../engine/config.ts";
import type { Journal, Recovered } from "./journal.ts";
import { DEFAULT_JOURNAL_LIMITS, openJournal } from "./journal.ts";
import type { Batch } from "./journal-format.ts";
import { listSegments } from "./journal-files.ts";
import { JournalReader } from "./journal-reader.ts";
import type { Snapshot } from "./journal-snapshots.ts";

/** The journal as the service sees it: the real one, or none. */
export interface JournalStore {
  /** `undefined` for a fresh start. */
  readonly recovered: Recovered | undefined;
  /** The configuration that the engine is made with: that of the journal, which replay needs. */
  readonly config: EngineConfig;
  readonly nextBatch: number;
  readonly backlogBytes: number;
  append(batch: Batch): Promise<void>;
  writeSnapshot(snapshot: Snapshot): Promise<unknown>;
  close(atUs: number): Promise<void>;
  /** Resolves when nothing can be appended any more, though nobody tried. */
  readonly ended?: Promise<Error>;
  /**
   * Whether its recovered batches go on coming for as long as another scheduler leads, so that snapshots are due meanwhile. True
   * from the first of those on: what this journal held at its opening is too old for a snapshot to be written of it.
   */
  readonly follows?: boolean;
}

/** Opens a journal that is to be kept elsewhere than in local files alone. */
export type OpenJournal = (options: FileStoreOptions) => Promise<JournalStore>;

/** Keeps nothing: what is in the service is lost with it. */
export function memoryStore(config: EngineConfig): JournalStore {
  return {
    recovered: undefined,
    config,
    nextBatch: 1,
    backlogBytes: 0,
    append: () => Promise.resolve(),
    writeSnapshot: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}

export interface FileStoreOptions {
  readonly directory: string;
  readonly program: string;
  readonly chainId: string;
  readonly config: EngineConfig;
  readonly retainAll: boolean;
}

/**
 * The journal in a directory. An existing one keeps the policy that it was begun with, since another policy is an event of
 * its own; any other difference in the configuration makes it a foreign journal. Rejects with a `JournalError`.
 */
export async function openFileStore(options: FileStoreOptions): Promise<JournalStore> {
  const { directory, program, chainId, retainAll } = options;
  const begun = await configOf(directory);
  const config = begun === undefined ? options.config : { ...options.config, policy: begun.policy };
  const nowUs = Date.now() * 1000;
  const limits = DEFAULT_JOURNAL_LIMITS;
  const opened = await openJournal({ directory, program, chainId, config, nowUs, limits, retainAll });
  return new FileStore(opened.journal, opened.recovered, config);
}

class FileStore implements JournalStore {
  readonly #journal: Journal;
  readonly recovered: Recovered | undefined;
  readonly config: EngineConfig;

  constructor(journal: Journal, recovered: Recovered | undefined, config: EngineConfig) {
    this.#journal = journal;
    this.recovered = recovered;
    this.config = config;
  }

  get nextBatch(): number {
    return this.#journal.nextBatch;
  }

  get backlogBytes(): number {
    return this.#journal.backlogBytes;
  }

  append(batch: Batch): Promise<void> {
    return this.#journal.append(batch);
  }

  writeSnapshot(snapshot: Snapshot): Promise<unknown> {
    return this.#journal.writeSnapshot(snapshot);
  }

  close(atUs: number): Promise<void> {
    return this.#journal.close({ atUs });
  }
}

/** Whether a journal was begun in this directory. */
export async function hasJournal(directory: string): Promise<boolean> {
  return (await listSegments(directory).catch(() => [])).length > 0;
}

/** The engine's configuration in the first header that there is; `undefined` where no journal was begun. */
async function configOf(directory: string): Promise<EngineConfig | undefined> {
  if (!(await hasJournal(directory))) return undefined;
  const reader = new JournalReader(directory, undefined);
  const records = reader.records();
  await records.next();
  await records.return();
  return reader.header?.config as EngineConfig | undefined;
}
