import { assert } from "../shared/assert.ts";
import type { ChallengeTerms } from "../proofs/challenge-sample.ts";

/** How answers are kept honest over time. */
export interface ProofSettings {
  /** Which sealed results in mode `optimistic` are challenged. A directory goes on only with what it was begun with. */
  readonly challenges: Pick<ChallengeTerms, "perMillion" | "epochBlocks">;
  /** After this long an attestation document answers an old nonce; it is renewed twice as often. */
  readonly registrationEpochMs: number;
}

export const DEFAULT_PROOF_SETTINGS: ProofSettings = {
  // One in ten, to which the engine's default bond is fitted; a minute of 500 ms blocks.
  challenges: { perMillion: 100_000, epochBlocks: 120 },
  // An enclave's own certificate lives for three hours with AWS.
  registrationEpochMs: 3_600_000,
};

/** Checked when a service is made. */
export function assertProofSettings({ challenges, registrationEpochMs }: ProofSettings): void {
  const { perMillion, epochBlocks } = challenges;
  const within = (value: number, least: number, most: number): boolean =>
    Number.isSafeInteger(value) && value >= least && value <= most;
  assert(within(perMillion, 0, 1_000_000), "challenges.perMillion is a whole number from 0 to a million");
  assert(within(epochBlocks, 1, 1_000_000), "challenges.epochBlocks is a whole number from 1 to a million");
  assert(within(registrationEpochMs, 100, 31_536_000_000), "registrationEpochMs is 100 ms to a year");
}
