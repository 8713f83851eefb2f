/**
 * Whether counts could come from a uniform draw, by Pearson's chi-square test at the level of one in ten thousand. The bound
 * is Wilson and Hilferty's approximation of the quantile. A fixed seed makes the answer a fixed one.
 */
export function chiSquare(counts: readonly number[]): "uniform" | `not uniform: ${string}` {
  if (counts.length < 2) return "uniform";
  const expected = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  const statistic = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
  const freedom = counts.length - 1;
  const bound = freedom * (1 - 2 / (9 * freedom) + Z_ONE_IN_TEN_THOUSAND * Math.sqrt(2 / (9 * freedom))) ** 3;
  return statistic <= bound
    ? "uniform"
    : `not uniform: ${statistic.toFixed(1)} > ${bound.toFixed(1)}, ${counts.join(" ")}`;
}

/** 99.99 % quantile of the standard normal distribution. */
const Z_ONE_IN_TEN_THOUSAND = 3.719;
