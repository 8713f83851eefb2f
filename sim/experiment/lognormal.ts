/** The 95 % quantile of the standard normal distribution. */
const Z95 = 1.6448536269514722;

export interface MeanAndCv {
  readonly meanMs: number;
  /** Coefficient of variation. */
  readonly cv: number;
}

/** ln S = μ + σZ with median e^μ and 95th percentile e^(μ + 1.645σ). A sentence when there is none. */
export function lognormalFromMedianAndP95(given: {
  readonly p50Ms: number;
  readonly p95Ms: number;
}): MeanAndCv | string {
  if (given.p95Ms <= given.p50Ms) return `must be above p50Ms, which is ${given.p50Ms}`;
  return fromMedianAndSigma(given.p50Ms, Math.log(given.p95Ms / given.p50Ms) / Z95);
}

/**
 * The mean is e^(μ + σ²/2) and the 95th percentile e^(μ + 1.645σ), so σ²/2 − 1.645σ + ln(p95/mean) = 0. Of the two roots the
 * smaller is meant: the larger has its median far below both. There is none when p95 exceeds 3.87 times the mean.
 */
export function lognormalFromMeanAndP95(given: {
  readonly meanMs: number;
  readonly p95Ms: number;
}): MeanAndCv | string {
  const logRatio = Math.log(given.p95Ms / given.meanMs);
  if (logRatio <= 0) return `must be above meanMs, which is ${given.meanMs}`;
  const discriminant = Z95 * Z95 - 2 * logRatio;
  if (discriminant < 0) {
    const highest = given.meanMs * Math.exp((Z95 * Z95) / 2);
    return `must be at most ${highest.toPrecision(4)}: no lognormal law with mean ${given.meanMs} has a higher 95th percentile`;
  }
  const sigma = Z95 - Math.sqrt(discriminant);
  return { meanMs: given.meanMs, cv: Math.sqrt(Math.expm1(sigma * sigma)) };
}

function fromMedianAndSigma(medianMs: number, sigma: number): MeanAndCv {
  return { meanMs: medianMs * Math.exp((sigma * sigma) / 2), cv: Math.sqrt(Math.expm1(sigma * sigma)) };
}
