import jstat from "jstat";
import { assert } from "../../scheduler/shared/assert.ts";

/** A mean over replications, with its interval; `undefined` when one replication is all there is. */
export interface Estimate {
  readonly mean: number;
  readonly interval: readonly [low: number, high: number] | undefined;
}

/**
 * Mean of independent values with Student's interval: mean ± t(n − 1, (1 + confidence)/2) · s / √n. Replications are
 * independent and their means nearly normal, which is why the interval is over them and not over jobs.
 */
export function estimate(values: readonly number[], confidence: number): Estimate {
  assert(values.length > 0, "an estimate needs values");
  assert(confidence > 0 && confidence < 1, "a confidence lies between 0 and 1");
  const count = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  if (count === 1) return { mean, interval: undefined };
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const half = studentQuantile((1 + confidence) / 2, count - 1) * Math.sqrt(squares / (count - 1) / count);
  return { mean, interval: [mean - half, mean + half] };
}

/** The value below which a Student variable of that many degrees of freedom falls with probability p. */
export function studentQuantile(p: number, degrees: number): number {
  return jstat.studentt.inv(p, degrees);
}
