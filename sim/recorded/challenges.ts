import type { SealedBlock } from "../../scheduler/engine/commands.ts";
import { streamFor } from "../kernel/streams.ts";
import { callKey, type Recording } from "./recording.ts";

/** A sealed result on which the secret sample may fall. */
export interface Challengeable {
  readonly txHash: string;
  readonly callIndex: number;
}

export function challengeable({ transactions }: SealedBlock): readonly Challengeable[] {
  return transactions.flatMap(({ hash, calls }) =>
    calls.flatMap(({ result }) =>
      result?.mode === "optimistic" ? [{ txHash: hash, callIndex: result.callIndex }] : [],
    ),
  );
}

/**
 * On which sealed results the secret sample falls in a run that is played: on those on which it really fell, and not on those that it
 * really passed over. What the real run never sealed is drawn at the rate of what it did.
 */
export class Sample {
  readonly #sampled: Recording["sampled"];
  readonly #rate: number;
  readonly #seed: number;

  constructor({ sampled }: Recording, seed: number) {
    this.#sampled = sampled;
    this.#seed = seed;
    this.#rate = sampled.size === 0 ? 0 : [...sampled.values()].filter((fell) => fell).length / sampled.size;
  }

  fallsOn({ txHash, callIndex }: Challengeable): boolean {
    const key = callKey(txHash, callIndex);
    return this.#sampled.get(key) ?? streamFor(this.#seed, 0, `sample/${key}`).unit() < this.#rate;
  }
}
