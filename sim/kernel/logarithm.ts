/** Intervals of [1, 2), each with a point near which the logarithm is a short polynomial. */
const INTERVALS = 256;
/** 1 ÷ the middle of each interval, and the logarithm of that middle. */
const INVERSES = Float64Array.from({ length: INTERVALS }, (_, index) => 1 / (1 + (index + 0.5) / INTERVALS));
const LOGARITHMS = INVERSES.map((inverse) => -Math.log(inverse));
/** 2^−26 … 2^−52 by the leading zeros of `high`, and the logarithms of the powers that they leave. */
const SCALES = Float64Array.from({ length: 33 }, (_, zeros) => 2 ** -(57 - zeros));
const POWERS = Float64Array.from({ length: 33 }, (_, zeros) => (zeros - 5) * Math.LN2);
/** With fewer bits than the interval needs, or so close to 1 that the terms cancel: two draws in a thousand. */
const LOWEST_HIGH = INTERVALS;
const HIGHEST_HIGH = 2 ** 26 - 2 ** 17;

/**
 * −ln u of u = (high · 2^26 + low + ½) · 2^−52 for integers of 26 bits, always above 0, with a relative error below 1e-13.
 * Tang's method (ACM Transactions on Mathematical Software 16(4), 1990): u = 2^−k · c · (1 + r) with c from a table, and
 * five terms of ln(1 + r) for |r| ≤ 2^−9. About three times as fast as `Math.log`.
 */
export function minusLogOfUnit(high: number, low: number): number {
  const value = high * 2 ** 26 + low + 0.5;
  if (high < LOWEST_HIGH || high >= HIGHEST_HIGH) return -Math.log(value * 2 ** -52);
  const zeros = Math.clz32(high);
  const interval = ((high << zeros) >>> 23) & (INTERVALS - 1);
  const r = value * (SCALES[zeros] as number) * (INVERSES[interval] as number) - 1;
  const logarithm = r * (1 + r * (-1 / 2 + r * (1 / 3 + r * (-1 / 4 + r * (1 / 5)))));
  return (POWERS[zeros] as number) - (LOGARITHMS[interval] as number) - logarithm;
}
