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

/** Moments for another copy as shares of the deadline: later ones leave no time for it. */
const SHARES = { quick: [0.2, 0.4, 0.6], full: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.75] } as const;

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
      own > 0 ? [2, 4].map((maxCopies): LeafSpec => ({ kind: "deadline", target: rounded(own), maxCopies })) : [],
    ),
};

export const KINDS = Object.keys(SEARCHED) as readonly LeafSpec["kind"][];

/** The documented setting, with which a policy is what its name alone means. */
export const DOCUMENTED: { readonly [K in LeafSpec["kind"]]: LeafSpec & { readonly kind: K } } = {
  fixed: { kind: "fixed", copies: 2 },
  hedge: { kind: "hedge", delayMs: 4_000, maxCopies: 3 },
  deadline: { kind: "deadline", target: 0.99, maxCopies: 4 },
};

/** Settings to try, the documented one among them. */
export function candidatesOf(kind: LeafSpec["kind"], scale: Scale, thoroughness: Thoroughness): readonly LeafSpec[] {
  const documented = DOCUMENTED[kind];
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
