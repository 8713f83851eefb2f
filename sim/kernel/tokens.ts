import { assert } from "../../scheduler/shared/assert.ts";
import { type Distribution, within } from "./families.ts";
import { normalCdf, normalQuantile } from "../../scheduler/shared/normal.ts";
import { risingRoot } from "./root.ts";
import { interpolated } from "./tables.ts";

export interface TokenCosts {
  readonly firstTokenMs: number;
  readonly perTokenMs: number;
  readonly noiseSigma: number;
}

/** Keeps the logarithm finite for an answer without tokens on a node that starts at once: a nanosecond. */
const SHORTEST_MS = 1e-6;
/** The trapezoidal rule in a normal variable z: beyond ±8 there is 1e-15. */
const REACH = 8;
const QUADRATURE_STEP = 1 / 16;
/** Between points the table is a straight line, which leaves a relative error of about 1e-5. */
const TABLE_STEP = 1 / 32;
const TABLE_TOLERANCE = 1e-8;

/** (first + per · tokens) × noise, where each job's tokens are known and ln of the noise is normal around 0. */
export function tokensOfTrace(costs: TokenCosts): Distribution {
  const base = (tokens: number | undefined) => {
    assert(tokens !== undefined, "token model: the tokens come from a trace, so each job has to bring its own");
    return baseMs(costs, tokens);
  };
  const { noiseSigma: sigma } = costs;
  return {
    quantile: (u, tokens) => base(tokens) * Math.exp(sigma * normalQuantile(within(u))),
    sample: (stream, tokens) => base(tokens) * Math.exp(sigma * stream.normal()),
    cdf: (ms, tokens) => {
      if (sigma === 0 || ms <= 0) return ms >= base(tokens) ? 1 : 0;
      return normalCdf(Math.log(ms / base(tokens)) / sigma);
    },
    meanMs: undefined,
  };
}

/** The same with tokens drawn anew for each copy; `tokens` is a distribution of counts. */
export function tokensDrawn(costs: TokenCosts, tokens: Distribution): Distribution {
  const { firstTokenMs, perTokenMs, noiseSigma: sigma } = costs;
  const meanTokens = tokens.meanMs;
  const law = sigma === 0 ? withoutNoise(costs, tokens) : withNoise(costs, tokens);
  return {
    ...law,
    sample: (stream) => baseMs(costs, tokens.sample(stream)) * Math.exp(sigma * stream.normal()),
    meanMs:
      meanTokens === undefined ? undefined : (firstTokenMs + perTokenMs * meanTokens) * Math.exp((sigma * sigma) / 2),
  };
}

function baseMs({ firstTokenMs, perTokenMs }: TokenCosts, tokens: number): number {
  return Math.max(firstTokenMs + perTokenMs * tokens, SHORTEST_MS);
}

function withoutNoise(costs: TokenCosts, tokens: Distribution): Pick<Distribution, "quantile" | "cdf"> {
  const { firstTokenMs, perTokenMs } = costs;
  return {
    quantile: (u) => baseMs(costs, tokens.quantile(u)),
    cdf: (ms) => {
      if (ms < SHORTEST_MS || ms < firstTokenMs) return 0;
      return perTokenMs === 0 ? 1 : tokens.cdf((ms - firstTokenMs) / perTokenMs);
    },
  };
}

/**
 * The product has no closed form, so its quantiles are tabulated once: ln t against z = Φ⁻¹(u), nearly a straight line for
 * durations that are nearly lognormal. Made on first use, since only correlated copies need it.
 */
function withNoise(costs: TokenCosts, tokens: Distribution): Pick<Distribution, "quantile" | "cdf"> {
  let table: { zs: Float64Array; logs: Float64Array } | undefined;
  const tabulated = () => {
    table ??= tabulate(costs, tokens);
    return table;
  };
  return {
    quantile: (u) => {
      const { zs, logs } = tabulated();
      return Math.exp(interpolated(zs, logs, normalQuantile(within(u))));
    },
    cdf: (ms) => {
      const { zs, logs } = tabulated();
      return ms <= 0 ? 0 : normalCdf(interpolated(logs, zs, Math.log(ms)));
    },
  };
}

function tabulate(costs: TokenCosts, tokens: Distribution): { zs: Float64Array; logs: Float64Array } {
  const nodes = grid(QUADRATURE_STEP);
  const bases = nodes.map((z) => Math.log(baseMs(costs, tokens.quantile(normalCdf(z)))));
  const densities = nodes.map((z) => Math.exp((-z * z) / 2));
  const total = densities.reduce((sum, density) => sum + density, 0);
  const weights = densities.map((density) => density / total);
  const [lowest, highest] = [bases[0] as number, bases.at(-1) as number];
  const sigma = costs.noiseSigma;
  /** Of the nearer tail, so that neither end loses its digits; as a quantile of the normal distribution. */
  const probit = (log: number, side: 1 | -1) => {
    let tail = 0;
    for (let index = 0; index < weights.length; index++) {
      tail += (weights[index] as number) * normalCdf((side * (log - (bases[index] as number))) / sigma);
    }
    return side * normalQuantile(within(tail));
  };
  const zs = grid(TABLE_STEP);
  const logs = zs.map((z) => {
    const side = z < 0 ? 1 : -1;
    // Between the quantiles that the least and the most tokens would give alone, and a little for rounding.
    const [low, high] = [lowest + sigma * z - 1e-9, highest + sigma * z + 1e-9];
    return risingRoot((log) => probit(log, side) - z, low, high, TABLE_TOLERANCE);
  });
  return { zs, logs };
}

function grid(step: number): Float64Array {
  return Float64Array.from({ length: (2 * REACH) / step + 1 }, (_, index) => -REACH + index * step);
}
