/** A choice: what it costs, and what it gives. */
export interface Choice {
  readonly cost: number;
  /** The more the better. */
  readonly gain: number;
}

/**
 * The Pareto frontier: choices of which no other costs at most as much and gives at least as much, and one of the two
 * strictly. O(n log n): by rising cost, a choice is on it if it gives more than all cheaper ones.
 */
export function paretoFrontier<T extends Choice>(choices: readonly T[]): T[] {
  const sorted = choices.toSorted((a, b) => a.cost - b.cost || b.gain - a.gain);
  const frontier: T[] = [];
  for (const choice of sorted) {
    const last = frontier.at(-1);
    // Equal in both, neither is better.
    const equal = last !== undefined && last.cost === choice.cost && last.gain === choice.gain;
    if (last === undefined || choice.gain > last.gain || equal) frontier.push(choice);
  }
  return frontier;
}
