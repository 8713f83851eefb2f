import { createHash } from "node:crypto";
import { sha256Hex } from "./digest.ts";
import { encodeFields } from "./encoding.ts";

/**
 * Which sealed results in mode `optimistic` are challenged. Blocks are grouped into epochs; each has a secret seed, whose hash
 * is published before the epoch begins and which is published itself when nothing of the epoch can change any more. So nobody
 * can know beforehand which results are challenged, and everybody can check afterwards that they were not picked.
 */
export interface ChallengeTerms {
  /** Of a million results, as many are challenged. */
  readonly perMillion: number;
  /** Blocks of one epoch: epoch e begins at height e × epochBlocks. */
  readonly epochBlocks: number;
  /** The seed is published with the first block that is higher by more than this than the epoch's last: no reorg goes back so far. */
  readonly revealBlocks: number;
}

const SAMPLE_DOMAIN = "pipe/challenge/v1";
const MILLION = 1_000_000n;

export function challengeEpoch({ epochBlocks }: Pick<ChallengeTerms, "epochBlocks">, height: number): number {
  return Math.floor(height / epochBlocks);
}

/** Whether the epoch's seed may be known when a block of this height is sealed. */
export function isRevealed({ epochBlocks, revealBlocks }: ChallengeTerms, epoch: number, height: number): boolean {
  return height > (epoch + 1) * epochBlocks - 1 + revealBlocks;
}

/** What is published of a seed (32 bytes, hexadecimal) beforehand: its SHA-256. */
export function seedCommitment(seed: string): string {
  return sha256Hex(Buffer.from(seed, "hex"));
}

/**
 * Whether the seed falls on this result: the first eight bytes of SHA-256 over seed, transaction and call index, as a fraction
 * of 2^64, are below the rate. Seed and hash are 64 hexadecimal digits.
 */
export function isSampled(
  { perMillion }: Pick<ChallengeTerms, "perMillion">,
  { seed, txHash, callIndex }: { readonly seed: string; readonly txHash: string; readonly callIndex: number },
): boolean {
  const drawn = encodeFields(SAMPLE_DOMAIN, [Buffer.from(seed, "hex"), Buffer.from(txHash, "hex"), callIndex]);
  const fraction = createHash("sha256").update(drawn).digest().readBigUInt64BE();
  return fraction * MILLION < BigInt(perMillion) << 64n;
}
