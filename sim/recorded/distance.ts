/**
 * The distance of Kolmogorov and Smirnov between two samples: the largest difference of their distribution functions, 0 to 1.
 * NaN when one of them is empty.
 */
export function ksDistance(a: readonly number[], b: readonly number[]): number {
  if (a.length === 0 || b.length === 0) return Number.NaN;
  const [left, right] = [ascending(a), ascending(b)];
  let [i, j, distance] = [0, 0, 0];
  while (i < left.length && j < right.length) {
    const value = Math.min(left[i] as number, right[j] as number);
    // Equal values of both are passed together: only between values do the functions differ.
    while (i < left.length && left[i] === value) i++;
    while (j < right.length && right[j] === value) j++;
    distance = Math.max(distance, Math.abs(i / left.length - j / right.length));
  }
  return distance;
}

/** A sorted copy. */
export function ascending(values: readonly number[]): Float64Array {
  return Float64Array.from(values).sort();
}

/** The smallest value that a share of at least `p` (0 to 1) does not exceed; NaN of nothing. `sorted` rises. */
export function quantile(sorted: ArrayLike<number>, p: number): number {
  const index = Math.ceil(p * sorted.length) - 1;
  return sorted[Math.min(Math.max(index, 0), sorted.length - 1)] ?? Number.NaN;
}
