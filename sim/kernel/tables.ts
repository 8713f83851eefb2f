import { assert } from "../../scheduler/shared/assert.ts";
import { type FileReader, numberIn, readColumns } from "./csv.ts";
import { type Distribution, within } from "./families.ts";

/** Linear between given quantiles; `probabilities` rise from 0 to 1, and `ms` do not fall. */
export function quantileTable(probabilities: readonly number[], ms: readonly number[]): Distribution {
  assert(
    probabilities.length === ms.length && ms.length >= 2,
    "quantile table: two points at least, each with a duration",
  );
  const [p, x] = [Float64Array.from(probabilities), Float64Array.from(ms)];
  const quantile = (u: number) => interpolated(p, x, u);
  let meanMs = 0;
  for (let index = 1; index < p.length; index++) {
    const [before, after] = [x[index - 1] as number, x[index] as number];
    meanMs += (((p[index] as number) - (p[index - 1] as number)) * (before + after)) / 2;
  }
  return {
    quantile,
    sample: (stream) => quantile(stream.unit()),
    cdf: (value) => interpolated(x, p, value),
    meanMs,
  };
}

/** The values of a CSV's column, each as probable as the others. */
export function empirical(files: FileReader, spec: { file: string; column: string; unitMs: number }): Distribution {
  const { file, column, unitMs } = spec;
  const texts = readColumns(files, file, [column]);
  const numbers = texts.map(([text], index) => numberIn(text as string, { file, column, row: index + 1 }));
  const values = Float64Array.from(numbers, (value) => value * unitMs).sort();
  const quantile = (u: number) => values[Math.ceil(within(u) * values.length) - 1] as number;
  return {
    quantile,
    sample: (stream) => values[stream.below(values.length)] as number,
    cdf: (ms) => countUpTo(values, ms) / values.length,
    meanMs: values.reduce((total, value) => total + value, 0) / values.length,
  };
}

/** y at x on the line through the points (xs, ys), both rising; the ends go on level. */
export function interpolated(xs: Float64Array, ys: Float64Array, x: number): number {
  const after = countUpTo(xs, x);
  if (after === 0) return ys[0] as number;
  if (after === xs.length) return ys[after - 1] as number;
  const [left, right] = [xs[after - 1] as number, xs[after] as number];
  const [low, high] = [ys[after - 1] as number, ys[after] as number];
  return low + ((high - low) * (x - left)) / (right - left);
}

/** How many of the rising `values` are at most `limit`. */
function countUpTo(values: Float64Array, limit: number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((values[middle] as number) <= limit) low = middle + 1;
    else high = middle;
  }
  return low;
}
