import { DEFAULTS } from "../../policies/defaults.ts";
import type { LeafSpec } from "../../policies/policy.ts";

/** What settings are measured by: the time scale of a workload. */
export interface Scale {
  readonly deadlineMs: number;
  /** Share of jobs to be answered by then. */
  readonly target: number;
  /** Duration of one copy alone on some node, below which it is with probability p. */
  quantileMs(p: number): number;
}

/** How many settings are tried. */
export type Thoroughness = "quick" | "full";

/** Settings of one policy that a search tries. */
type Settings = (scale: Scale, thoroughness: Thoroughness) => readonly LeafSpec[];

/** Moments for another copy as shares of the deadline. The last one comes too late to help: hardly hedging may be best. */
const SHARES = { quick: [0.2, 0.4, 0.6, 1], full: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.75, 1] } as const;

/** Quantiles of the duration of one copy at which another is launched. */
const QUANTILES = { quick: [0.5, 0.8, 0.95], full: [0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99] } as const;
/** Shares of jobs, or of requests, that may have another copy. */
const EXTRA = { quick: [0.1, 0.3, 0.7], full: [0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9] } as const;

/** By kind of policy. The few parameters that matter to a deadline are searched; the others stay as documented. */
const SEARCHED: { readonly [K in LeafSpec["kind"]]: Settings } = {
  fixed: () => [1, 2, 3, 4].map((copies) => ({ kind: "fixed", copies })),
  hedge: (scale, thoroughness) =>
    delays(scale, SHARES[thoroughness]).flatMap((delayMs) =>
      [2, 3].map((maxCopies): LeafSpec => ({ kind: "hedge", delayMs, maxCopies })),
    ),
  // What it promises itself and what comes of it differ by what it has not learned, so that a little more or less may be best.
  deadline: ({ target }) =>
    [1 - 2 * (1 - target), target, 1 - (1 - target) / 2].flatMap((own) =>
      own > 0 ? [2, 4].map((maxCopies) => ({ ...DEFAULTS.deadline, target: rounded(own), maxCopies })) : [],
    ),
  // Its bucket only empties by failures, so that a larger one makes no difference where nothing fails.
  "grpc-hedging": (scale, thoroughness) =>
    delays(scale, SHARES[thoroughness]).flatMap((hedgingDelayMs) =>
      [2, 3].map((maxAttempts) => ({ ...DEFAULTS["grpc-hedging"], hedgingDelayMs, maxAttempts })),
    ),
  // Beyond two seconds its histogram takes everything for two seconds, and no backup is sent: an operator would raise that.
  finagle: ({ deadlineMs }, thoroughness) =>
    EXTRA[thoroughness].flatMap((maxExtraLoad) => ({
      ...DEFAULTS.finagle,
      maxExtraLoad,
      highestTrackableMs: Math.ceil(4 * deadlineMs),
    })),
  cassandra: ({ deadlineMs, quantileMs }, thoroughness) =>
    [
      ...QUANTILES[thoroughness].map((p) => `${Math.round(100 * p)}p`),
      ...QUANTILES[thoroughness].map((p) => `${Math.max(1, Math.round(quantileMs(p)))}ms`),
      "ALWAYS",
      "NEVER",
    ].map((retry): LeafSpec => ({ kind: "cassandra", retry, timeoutMs: 2 * deadlineMs })),
  envoy: (scale, thoroughness) =>
    delays(scale, SHARES[thoroughness]).flatMap((perTryTimeoutMs) =>
      [20, 100].map((budgetPercent) => ({ ...DEFAULTS.envoy, perTryTimeoutMs, budgetPercent })),
    ),
  spark: (_scale, thoroughness) =>
    (thoroughness === "quick" ? [0.7, 1, 1.5] : [0.5, 0.7, 0.85, 1, 1.2, 1.5, 2]).flatMap((multiplier) =>
      [0.5, 0.9].map((quantile) => ({ ...DEFAULTS.spark, multiplier, quantile })),
    ),
  mantri: ({ quantileMs }, thoroughness) =>
    (thoroughness === "quick" ? [0.05, 0.25, 0.5] : [0.01, 0.05, 0.1, 0.25, 0.4, 0.6]).flatMap((delta) =>
      [2, 4].map((maxCopies) => ({ ...DEFAULTS.mantri, delta, maxCopies, reportMs: Math.ceil(quantileMs(0.5) / 10) })),
    ),
  "single-d": ({ deadlineMs }, thoroughness) => [
    ...EXTRA[thoroughness].map((budget): LeafSpec => ({ kind: "single-d", budget })),
    ...SHARES[thoroughness].map((share): LeafSpec => ({ kind: "single-d", delayMs: Math.round(share * deadlineMs) })),
  ],
  "single-r": ({ deadlineMs }, thoroughness) => [
    ...EXTRA[thoroughness].map((budget): LeafSpec => ({ kind: "single-r", budget, deadlineMs })),
    ...SHARES[thoroughness].flatMap((share) =>
      [0.3, 0.7].map(
        (probability): LeafSpec => ({ kind: "single-r", delayMs: Math.round(share * deadlineMs), probability }),
      ),
    ),
  ],
};

export const KINDS = Object.keys(SEARCHED) as readonly LeafSpec["kind"][];

/** Settings to try, the documented one among them. */
export function candidatesOf(kind: LeafSpec["kind"], scale: Scale, thoroughness: Thoroughness): readonly LeafSpec[] {
  const documented = DEFAULTS[kind];
  const others = SEARCHED[kind](scale, thoroughness).filter((one) => !same(one, documented));
  return [documented, ...others];
}

function delays({ deadlineMs }: Scale, shares: readonly number[]): number[] {
  return shares.map((share) => Math.max(1, Math.round(share * deadlineMs)));
}

/** Four digits after the point, as people write shares. */
function rounded(share: number): number {
  return Number(share.toFixed(4));
}

export function same(a: LeafSpec, b: LeafSpec): boolean {
  const sorted = (spec: LeafSpec): string => JSON.stringify(Object.entries(spec).sort());
  return sorted(a) === sorted(b);
}

/** The scale of durations that were seen, in rising order. */
export function scaleOf(goal: Pick<Scale, "deadlineMs" | "target">, sortedMs: Float64Array): Scale {
  return {
    ...goal,
    quantileMs: (p) => sortedMs[Math.min(sortedMs.length - 1, Math.floor(p * sortedMs.length))] as number,
  };
}
