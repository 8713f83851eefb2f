import { createReadStream, existsSync } from "node:fs";
import { createInterface } from "node:readline";
import type { ChallengeTerms } from "../proofs/challenge-sample.ts";
import { challengeEpoch, isRevealed, seedCommitment } from "../proofs/challenge-sample.ts";
import type { RegistryEntry } from "../proofs/registry-log.ts";
import { modelsDigest, orderNodeKeys } from "../proofs/registry-log.ts";
import { assert } from "../shared/assert.ts";
import type { NodeTerms } from "../shared/vocabulary.ts";

/** The seeds that the registry log tells, 64 hexadecimal digits each; derived from the directory's secret. */
export interface EpochSeeds {
  /** Of a registration epoch. */
  registration(epoch: number): string;
  /** Of a challenge epoch. */
  challenge(epoch: number): string;
}

export interface RegistryWriterOptions {
  readonly chainId: string;
  readonly key: string;
  readonly challenges: ChallengeTerms;
  readonly seeds: EpochSeeds;
}

/**
 * Knows what the registry log says already, and gives the lines that it lacks.
 *
 * 1. A node's terms are written when they are not those last written for it; before them the document and the epoch's seed that
 *    they name.
 * 2. With each block the commitments of its challenge epoch and of the next one are written, so that the seed of an epoch is
 *    fixed before its first block; the seed itself when it cannot matter any more.
 */
export class RegistryWriter {
  readonly #options: RegistryWriterOptions;
  /** Each node's terms as they were last written. */
  readonly #nodes = new Map<string, string>();
  /** Registration epochs whose seed was written. */
  readonly #epochs = new Set<number>();
  /** Challenge epochs whose seed is fixed and secret. */
  readonly #secret = new Set<number>();
  #revealedThrough = -1;
  #models: readonly string[] = [];

  constructor(options: RegistryWriterOptions) {
    this.#options = options;
  }

  /** The first line of a new log. */
  begin(): RegistryEntry {
    const { chainId, key, challenges } = this.#options;
    return { entry: "scheduler", chainId, key, ...challenges };
  }

  /** Lines of the model registry in force. */
  get models(): readonly string[] {
    return this.#models;
  }

  /** `document`: the one that the terms name. */
  registered(terms: NodeTerms, document: Uint8Array | undefined, atUs: number): RegistryEntry[] {
    const line = JSON.stringify(orderNodeKeys(terms));
    if (this.#nodes.get(terms.id) === line) return [];
    this.#nodes.set(terms.id, line);
    const { attestation } = terms;
    const entries: RegistryEntry[] = [];
    if (attestation !== undefined && document !== undefined) {
      const { epoch, hash } = attestation;
      if (!this.#epochs.has(epoch)) {
        this.#epochs.add(epoch);
        entries.push({ entry: "epoch", epoch, seed: this.#options.seeds.registration(epoch) });
      }
      entries.push({ entry: "attestation", attestation: hash, document: Buffer.from(document).toString("base64") });
    }
    return [...entries, { entry: "node", atUs, ...terms }];
  }

  /** `text`: the registry's canonical lines, each with its line feed. */
  modelsChanged(text: Uint8Array, atUs: number): RegistryEntry[] {
    const lines = Buffer.from(text).toString("utf8").split("\n").slice(0, -1);
    this.#models = lines;
    return [{ entry: "models", atUs, digest: modelsDigest(lines), lines }];
  }

  /** A block of this height is about to be sealed. */
  sealing(height: number): RegistryEntry[] {
    const { challenges, seeds } = this.#options;
    const entries: RegistryEntry[] = [];
    const current = challengeEpoch(challenges, height);
    for (const epoch of [current, current + 1]) {
      if (this.#secret.has(epoch) || epoch <= this.#revealedThrough) continue;
      this.#secret.add(epoch);
      entries.push({ entry: "commitment", epoch, commitment: seedCommitment(seeds.challenge(epoch)) });
    }
    for (const epoch of [...this.#secret].sort((a, b) => a - b)) {
      if (!isRevealed(challenges, epoch, height)) break;
      this.#secret.delete(epoch);
      this.#revealedThrough = epoch;
      entries.push({ entry: "revealed", epoch, seed: seeds.challenge(epoch) });
    }
    return entries;
  }

  /**
   * Reads what a log of ours says, cut back to a position: a line that cannot be read is a bug or a broken disk, and stops the
   * start. Rejects with an Error when the log was begun with other keys or terms.
   */
  async recall(path: string): Promise<void> {
    // Line by line: nodes that change their terms all the time make it longer than one string can be.
    for await (const text of createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY })) {
      const { n, prev, hash, ...entry } = JSON.parse(text);
      assert(Number.isInteger(n) && prev !== hash, "a registry line without its chain");
      this.#recallEntry(entry as RegistryEntry, path);
    }
  }

  /**
   * Looks at the first line of a log that is about to be written anew from the journal's beginning. Rejects as `recall` does; what
   * is not there, or cannot be read, is no objection.
   */
  async requireBegunAlike(path: string): Promise<void> {
    if (!existsSync(path)) return;
    for await (const text of createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY })) {
      const first = parse(text);
      if (first?.entry === "scheduler") this.#requireSame(first, path);
      return;
    }
  }

  #recallEntry(entry: RegistryEntry, path: string): void {
    switch (entry.entry) {
      case "scheduler":
        return this.#requireSame(entry, path);
      case "models":
        this.#models = entry.lines;
        return;
      case "epoch":
        this.#epochs.add(entry.epoch);
        return;
      case "node": {
        this.#nodes.set(entry.id, JSON.stringify(orderNodeKeys(entry)));
        return;
      }
      case "commitment":
        this.#secret.add(entry.epoch);
        return;
      case "revealed":
        this.#secret.delete(entry.epoch);
        this.#revealedThrough = entry.epoch;
        return;
      case "attestation":
        return;
    }
  }

  #requireSame(begun: Extract<RegistryEntry, { entry: "scheduler" }>, path: string): void {
    const { key, challenges } = this.#options;
    if (begun.key !== key) {
      throw new Error(`${path} names another key than secret.key holds; restore the one that belongs to it`);
    }
    const { perMillion, epochBlocks, revealBlocks } = begun;
    const terms = { perMillion, epochBlocks, revealBlocks };
    if (JSON.stringify(terms) === JSON.stringify({ ...terms, ...challenges })) return;
    throw new Error(
      `${path} was begun with ${perMillion} challenges per million results in epochs of ${epochBlocks} blocks; go on with these, or begin a new directory`,
    );
  }
}

function parse(text: string): RegistryEntry | undefined {
  try {
    return JSON.parse(text) as RegistryEntry;
  } catch {
    return undefined;
  }
}
