import { type ConflictRule, quorum } from "../shared/vocabulary.ts";

/** An accepted answer as a conflict rule sees it. */
export interface Accepted {
  readonly outputHash: string;
  /** The output as a number; NaN where it is none. */
  readonly value: number;
}

/** Places of the answers that decide, in a list in the order of their verdicts. */
export interface Consensus {
  readonly winner: number;
  readonly supporters: readonly number[];
}

/** What a list of accepted answers comes to: a decision, or how many more answers it takes at the least. */
export type Judgement = Consensus | { readonly missing: number };

/**
 * Applies the rule to the accepted answers. Deterministic in their order: of several sets that would decide, the one counts
 * that was complete first, since this is asked after each verdict.
 */
export function judge(rule: ConflictRule, accepted: readonly Accepted[]): Judgement {
  const k = quorum(rule);
  const group = rule.kind === "median" ? closest(accepted, rule.tolerance, k) : largestAgreement(accepted);
  if (group.length < k) return { missing: k - group.length };
  const counted = group.slice(0, k);
  const winner = rule.kind === "median" ? medianOf(counted, accepted) : (counted[0] as number);
  return { winner, supporters: counted.filter((place) => place !== winner) };
}

/** Places of the most frequent output; of equally frequent ones the first. */
function largestAgreement(accepted: readonly Accepted[]): readonly number[] {
  let largest: readonly number[] = [];
  for (let i = 0; i < accepted.length; i++) {
    const { outputHash } = accepted[i] as Accepted;
    const group: number[] = [];
    for (let j = 0; j < accepted.length; j++) if (accepted[j]?.outputHash === outputHash) group.push(j);
    if (group.length > largest.length) largest = group;
  }
  return largest;
}

/** Places of up to k answers that lie within the tolerance of their median; as many as there can be, lowest values first. */
function closest(accepted: readonly Accepted[], tolerance: number, k: number): readonly number[] {
  const byValue: number[] = [];
  for (let i = 0; i < accepted.length; i++) if (Number.isFinite(accepted[i]?.value)) byValue.push(i);
  const valueAt = (place: number): number => accepted[place]?.value as number;
  byValue.sort((a, b) => valueAt(a) - valueAt(b) || a - b);
  for (let size = Math.min(k, byValue.length); size > 0; size--) {
    for (let from = 0; from + size <= byValue.length; from++) {
      const group = byValue.slice(from, from + size);
      const median = valueAt(group[(size - 1) >> 1] as number);
      const low = valueAt(group[0] as number);
      const high = valueAt(group[size - 1] as number);
      if (median - low <= tolerance && high - median <= tolerance) return group;
    }
  }
  return [];
}

/** The place with the median value: the lower one of the two in the middle. */
function medianOf(group: readonly number[], accepted: readonly Accepted[]): number {
  const sorted = [...group].sort((a, b) => (accepted[a]?.value as number) - (accepted[b]?.value as number) || a - b);
  return sorted[(sorted.length - 1) >> 1] as number;
}
