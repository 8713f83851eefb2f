import type { CallResult, SealedBlock, TransactionView } from "../engine/commands.ts";
import type { EngineEvent } from "../engine/events.ts";
import type { ChallengeTerms } from "../proofs/challenge-sample.ts";
import { challengeEpoch, isSampled } from "../proofs/challenge-sample.ts";
import type { HeldBlock } from "./custody.ts";

export interface ChallengeSamplerOptions {
  readonly terms: Pick<ChallengeTerms, "perMillion" | "epochBlocks">;
  /** Seed of a challenge epoch, 64 hexadecimal digits. */
  readonly seedOf: (epoch: number) => string;
  readonly say: (event: Extract<EngineEvent, { kind: "challenged" }>) => void;
}

/** Lets the secret seed of each epoch fall on sealed results in mode `optimistic`, and has those challenged. */
export class ChallengeSampler {
  readonly #options: ChallengeSamplerOptions;

  constructor(options: ChallengeSamplerOptions) {
    this.#options = options;
  }

  /** A block was sealed for the first time. */
  sealed({ height, transactions }: SealedBlock): void {
    for (const { calls } of transactions) {
      for (const { result } of calls) if (result !== undefined) this.#draw(result, height);
    }
  }

  /** After a restart: what a crash may have kept from being challenged, in blocks that are not final. */
  resume(held: {
    readonly blocks: readonly HeldBlock[];
    readonly transaction: (hash: string) => TransactionView | undefined;
    readonly wasChallenged: (txHash: string, callIndex: number) => boolean;
  }): void {
    for (const { height, transactions } of held.blocks) {
      for (const hash of transactions) {
        for (const { result } of held.transaction(hash)?.calls ?? []) {
          if (result !== undefined && !held.wasChallenged(hash, result.callIndex)) this.#draw(result, height);
        }
      }
    }
  }

  #draw({ mode, txHash, callIndex }: CallResult, height: number): void {
    const { terms, seedOf, say } = this.#options;
    if (mode !== "optimistic") return;
    const seed = seedOf(challengeEpoch(terms, height));
    if (isSampled(terms, { seed, txHash, callIndex })) say({ kind: "challenged", txHash, callIndex });
  }
}
