import type { EngineEvent } from "../../scheduler/engine/events.ts";
import type { Command } from "../../scheduler/engine/recorder.ts";
import type { Draw } from "./draw.ts";
import type { FaultTally } from "./faults.ts";
import { BLOCK_US } from "./scenario.ts";

interface SealedHeight {
  readonly height: number;
  committed: boolean;
}

/**
 * The chain and its block producer: one block open at a time, sealed blocks on top of each other, reorgs as deep as agreed.
 * Knows of a seal only what the engine's commands told it.
 */
export class Chain {
  readonly #tell: (event: EngineEvent) => void;
  readonly #nowUs: () => number;
  readonly #draw: Draw;
  readonly #faults: FaultTally;
  readonly #maxReorgDepth: number;
  #openHeight = 0;
  #sealAtUs = 0;
  /** The open block was sealed. */
  #openSealed = false;
  /** The last seal request got an answer, whichever. */
  #answered = false;
  /** Sealed heights that can still be committed or reverted, ascending. */
  #sealed: SealedHeight[] = [];

  constructor(parts: {
    tell: (event: EngineEvent) => void;
    nowUs: () => number;
    draw: Draw;
    faults: FaultTally;
    maxReorgDepth: number;
  }) {
    this.#tell = parts.tell;
    this.#nowUs = parts.nowUs;
    this.#draw = parts.draw;
    this.#faults = parts.faults;
    this.#maxReorgDepth = parts.maxReorgDepth;
  }

  get openHeight(): number {
    return this.#openHeight;
  }

  /** When the open block is cut off. */
  get sealAtUs(): number {
    return this.#sealAtUs;
  }

  /** A command was carried out. */
  note(command: Command): void {
    if (command.kind === "sealRefused") this.#answered = true;
    if (command.kind !== "sealed") return;
    this.#answered = true;
    if (command.block.height !== this.#openHeight || this.#openSealed) return;
    this.#openSealed = true;
    this.#sealed.push({ height: this.#openHeight, committed: false });
  }

  open(height: number): void {
    this.#openHeight = height;
    this.#openSealed = false;
    this.#sealAtUs = this.#nowUs() + BLOCK_US;
    this.#tell({ kind: "block-opened", height, sealAtUs: this.#sealAtUs });
  }

  /** Seals the open block, confirms the ones before, opens the next. */
  produce(maxTransactions: number, order: "arrival" | "gas", commit: boolean): void {
    if (!this.#openSealed) {
      const before = this.#sealed.length;
      this.#seal(maxTransactions, order);
      if (commit) this.commit(before);
    }
    this.open(this.#openHeight + 1);
  }

  /** The block is sealed and then not published: its height is built again. */
  produceInVain(maxTransactions: number): void {
    if (!this.#openSealed) this.#seal(maxTransactions, "gas");
    if (!this.#openSealed) return this.open(this.#openHeight + 1);
    this.#faults.count("failed-seal");
    this.#takeBack(this.#openHeight);
  }

  #seal(maxTransactions: number, order: "arrival" | "gas"): void {
    const height = this.#openHeight;
    this.#answered = false;
    this.#tell({ kind: "seal-requested", height, maxTransactions, order });
    if (this.#answered) return;
    // The scheduler died over it. Either there is time to ask again, or the block goes out without its transactions.
    if (this.#draw("missed", height, this.#nowUs()) < 0.5) {
      return this.#tell({ kind: "seal-requested", height, maxTransactions, order });
    }
    this.#faults.count("missed-seal");
    this.#tell({ kind: "block-reverted", height });
  }

  /** Confirms the first sealed blocks, as many as given. */
  commit(count = this.#sealed.length): void {
    for (const block of this.#sealed.slice(0, count)) {
      if (block.committed) continue;
      block.committed = true;
      this.#tell({ kind: "block-committed", height: block.height });
    }
    // Deeper than a reorg can go, blocks are final for ever.
    while (this.#sealed.length > this.#maxReorgDepth && this.#sealed[0]?.committed) this.#sealed.shift();
  }

  /** Takes back the last blocks, as many as can be, and goes on from there. */
  revert(depth: number): void {
    const first = this.#sealed[Math.max(0, this.#sealed.length - depth)];
    if (first === undefined) return;
    this.#faults.count("reorg");
    this.#takeBack(first.height);
  }

  #takeBack(height: number): void {
    this.#sealed = this.#sealed.filter((block) => block.height < height);
    this.#tell({ kind: "block-reverted", height });
    this.open(height);
  }
}
