import { startBlockClock } from "./block-clock.ts";
import type { SealOutcome } from "./outcomes.ts";
import type { BlockRecord } from "./records.ts";

/** What a block producer needs of the scheduler. */
export interface BlockTarget {
  openBlock(block: { readonly height: number; readonly sealAtMs: number }): Promise<void>;
  seal(request: {
    readonly height: number;
    readonly maxTransactions: number;
    readonly order: "arrival" | "gas";
  }): Promise<SealOutcome>;
  committed(height: number): Promise<boolean>;
}

export interface BlockProducerOptions {
  readonly pipe: BlockTarget;
  readonly intervalMs: number;
  readonly firstHeight: number;
  readonly maxTransactions: number;
  readonly order: "arrival" | "gas";
  /** Blocks on top of one that confirm it. */
  readonly confirmations: number;
  readonly onSealed: (block: BlockRecord) => void;
  /** The scheduler did not answer, or refused; the producer goes on with the next block. */
  readonly onTrouble: (error: Error) => void;
}

export interface BlockProducer {
  /** Ends after the block under way. Resolves to the height of the next block. */
  stop(): Promise<number>;
}

/**
 * A block producer for demonstrations and tests: opens a block, seals it at its cut-off, commits it when enough blocks
 * follow. A real one does the same in its own loop (docs/EMBEDDING.md).
 */
export function startBlockProducer(options: BlockProducerOptions): BlockProducer {
  const { pipe, confirmations, firstHeight, maxTransactions, order, onSealed, onTrouble } = options;
  let next = firstHeight;
  /** Opening follows the sealing before it, however long that took: the scheduler builds one block at a time. */
  let under: Promise<unknown> = Promise.resolve();
  const then = (act: () => Promise<unknown>): void => {
    under = under.then(act).catch(onTrouble);
  };
  const seal = async (height: number): Promise<void> => {
    next = height + 1;
    const outcome = await pipe.seal({ height, maxTransactions, order });
    if (outcome.ok) onSealed(outcome.block);
    else onTrouble(new Error(outcome.advice));
    if (height >= confirmations) await pipe.committed(height - confirmations);
  };
  const clock = startBlockClock({
    intervalMs: options.intervalMs,
    firstHeight,
    open: (block) => then(() => pipe.openBlock(block)),
    cutOff: (height) => then(() => seal(height)),
  });
  return {
    async stop() {
      clock.stop();
      await under;
      return next;
    },
  };
}
