import { xoroshiro128plusFromState } from "pure-rand/generator/xoroshiro128plus";
import { uniformFloat64 } from "pure-rand/distribution/uniformFloat64";
import { sha256Hex } from "../../proofs/digest.ts";
import type { Fault } from "./faults.ts";
import { delayFactorOf } from "./faults.ts";
import type { Delay, Latency } from "./latency-profile.ts";
import { drawDelay } from "./latency-profile.ts";
import type { Uniform } from "./random.ts";

/** All that decides how long a node takes and when it errs. Plain data, without the node's secret. */
export interface Temperament {
  readonly latency: Latency;
  /** 1 is the profiles' reference hardware; 2 takes half the time. */
  readonly speed: number;
  readonly fault: Fault;
  /** Seed of its delays and errors, 64 hexadecimal digits. No secret: who knows it only knows how long copies will take. */
  readonly luckHex: string;
}

/** Which copy: the `ordinal`-th (0 for the first) that this node takes of this call. */
export interface CopyName {
  readonly txHash: string;
  readonly callIndex: number;
  readonly ordinal: number;
}

/** What is in store for one copy, decided before it runs. */
export interface CopyFate {
  readonly delay: Delay;
  /** It ends as an error, at the time of its first token. */
  readonly fails: boolean;
}

/**
 * The fate of one copy: a pure function of node and copy. What else goes on, in which order copies come and what the engine
 * drew for itself do not matter, so that a live run and its simulated twin share their luck copy by copy.
 */
export function fateOf(
  { latency, speed, fault, luckHex }: Temperament,
  copy: CopyName,
  { model, tokensOut }: { readonly model: string; readonly tokensOut: number },
): CopyFate {
  const uniform = luckOf(luckHex, copy);
  const fails = fault.kind === "erroring" && uniform() < fault.fraction;
  const profile = latency.kind === "none" ? undefined : latency.profiles[model];
  if (profile === undefined) return { delay: { totalMs: 0, firstTokenMs: 0, tokens: tokensOut }, fails };
  return { delay: drawDelay(profile, { tokens: tokensOut, speed: speed / delayFactorOf(fault) }, uniform), fails };
}

/** Half a SHA-256 is the generator's state, so that neighbouring copies have nothing in common. */
function luckOf(luckHex: string, { txHash, callIndex, ordinal }: CopyName): Uniform {
  const digest = sha256Hex(Buffer.from(`${luckHex}/${txHash}/${callIndex}/${ordinal}`));
  const word = (index: number): number => Number.parseInt(digest.slice(8 * index, 8 * index + 8), 16) | 0;
  const generator = xoroshiro128plusFromState([word(0), word(1), word(2), word(3)]);
  return () => uniformFloat64(generator);
}
