import type { Uniform } from "./random.ts";
import { standardNormal } from "./random.ts";

/**
 * How long a model takes on reference hardware. A copy's duration is
 *
 *     (firstTokenMs + perTokenMs × tokens out) × noise ÷ speed, and × stragglerFactor with probability stragglerProbability
 *
 * where noise is lognormal with median 1 and `noiseSigma` the standard deviation of its logarithm.
 */
export interface LatencyProfile {
  readonly firstTokenMs: number;
  readonly perTokenMs: number;
  readonly noiseSigma: number;
  readonly stragglerProbability: number;
  readonly stragglerFactor: number;
}

/** `none`: a copy takes what the model's computation takes. `modelled`: profiles by model; a model without one is not delayed. */
export type Latency =
  | { readonly kind: "none" }
  | { readonly kind: "modelled"; readonly profiles: Readonly<Record<string, LatencyProfile>> };

/**
 * Llama-2-70B, 512 tokens in, batch 1, tensor parallel over eight cards: time to first token and per token as measured by the
 * authors of Splitwise (Patel et al., ISCA 2024; data in Mutinifni/splitwise-sim, MIT). An idle healthy node is nearly
 * deterministic there (coefficient of variation at most 0.045); noise and stragglers are set for a node that is in use: sigma
 * within the 0.06–0.23 that fits hosted endpoints, a straggler state as rare as their worst percent.
 */
export const CHAT_70B_ON_H100: LatencyProfile = {
  firstTokenMs: 57,
  perTokenMs: 29.7,
  noiseSigma: 0.08,
  stragglerProbability: 0.01,
  stragglerFactor: 4,
};

/** The same measurements on A100. */
export const CHAT_70B_ON_A100: LatencyProfile = {
  firstTokenMs: 96,
  perTokenMs: 44.9,
  noiseSigma: 0.12,
  stragglerProbability: 0.02,
  stragglerFactor: 4,
};

/** A small classifier behind a network stack. Not measured: chosen so that it answers well within a block of 500 ms. */
export const SMALL_CLASSIFIER: LatencyProfile = {
  firstTokenMs: 20,
  perTokenMs: 2,
  noiseSigma: 0.1,
  stragglerProbability: 0.01,
  stragglerFactor: 10,
};

/** How one copy will spend its time. */
export interface Delay {
  /** From the start of the execution to the answer. */
  readonly totalMs: number;
  /** From the start of the execution to the first token. */
  readonly firstTokenMs: number;
  readonly tokens: number;
}

/** Draws the delay of one copy. `speed` 2 takes half the time. Takes three numbers of the stream, whatever comes out. */
export function drawDelay(
  profile: LatencyProfile,
  node: { readonly tokens: number; readonly speed: number },
  uniform: Uniform,
): Delay {
  const noise = Math.exp(profile.noiseSigma * standardNormal(uniform));
  const straggles = uniform() < profile.stragglerProbability;
  const factor = (noise * (straggles ? profile.stragglerFactor : 1)) / node.speed;
  return {
    totalMs: (profile.firstTokenMs + profile.perTokenMs * node.tokens) * factor,
    firstTokenMs: profile.firstTokenMs * factor,
    tokens: node.tokens,
  };
}

/** The mean of `drawDelay`'s `totalMs`; a lognormal number with median 1 has mean exp(σ² ÷ 2). */
export function meanDelayMs(
  profile: LatencyProfile,
  node: { readonly tokens: number; readonly speed: number },
): number {
  const straggling = 1 + profile.stragglerProbability * (profile.stragglerFactor - 1);
  const noise = Math.exp(profile.noiseSigma ** 2 / 2);
  return ((profile.firstTokenMs + profile.perTokenMs * node.tokens) * noise * straggling) / node.speed;
}

/** Tokens that are out after `elapsedMs` of the delay, 0 to `tokens`. */
export function tokensAfter(delay: Delay, elapsedMs: number): number {
  if (elapsedMs >= delay.totalMs) return delay.tokens;
  if (elapsedMs < delay.firstTokenMs) return 0;
  const perTokenMs = (delay.totalMs - delay.firstTokenMs) / delay.tokens;
  return Math.min(delay.tokens, Math.floor((elapsedMs - delay.firstTokenMs) / perTokenMs));
}
