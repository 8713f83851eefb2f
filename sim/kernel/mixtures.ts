import { type Distribution, within } from "./families.ts";
import { risingRoot } from "./root.ts";

const RELATIVE_TOLERANCE = 1e-13;
const MAX_NEWTON_STEPS = 200;

/** One of several exponentials, chosen by `weights`, which sum to 1. */
export function hyperexponential(weights: readonly number[], meansMs: readonly number[]): Distribution {
  const phases = weights.map((weight, index) => ({ weight, meanMs: meansMs[index] as number }));
  const last = weights.length - 1;
  const upTo = weights.map((_, index) => weights.slice(0, index + 1).reduce((total, weight) => total + weight, 0));
  return {
    quantile: (u) => hyperexponentialQuantile(phases, within(u)),
    sample: (stream) => {
      const u = stream.unit();
      let phase = 0;
      while (phase < last && u >= (upTo[phase] as number)) phase++;
      return (meansMs[phase] as number) * stream.exponential();
    },
    cdf: (ms) =>
      ms <= 0 ? 0 : -phases.reduce((total, { weight, meanMs }) => total + weight * Math.expm1(-ms / meanMs), 0),
    meanMs: phases.reduce((total, { weight, meanMs }) => total + weight * meanMs, 0),
  };
}

interface Phase {
  readonly weight: number;
  readonly meanMs: number;
}

/**
 * Newton's method on ln P(duration > t), which is convex in t, from a point to the left of the root: it rises to the root and
 * never passes it. Each phase alone keeps at least its own tail, which gives the point.
 */
function hyperexponentialQuantile(phases: readonly Phase[], u: number): number {
  const target = Math.log1p(-u);
  let t = 0;
  for (const { weight, meanMs } of phases) if (weight > 0) t = Math.max(t, meanMs * (Math.log(weight) - target));
  for (let step = 0; step < MAX_NEWTON_STEPS; step++) {
    let survival = 0;
    let density = 0;
    for (const { weight, meanMs } of phases) {
      const part = weight * Math.exp(-t / meanMs);
      survival += part;
      density += part / meanMs;
    }
    const change = ((Math.log(survival) - target) * survival) / density;
    t += change;
    if (!(change > RELATIVE_TOLERANCE * t)) break;
  }
  return Math.max(t, 0);
}

/** `of`, but with a probability of `probability` it takes `factor` times as long. */
export function stragglers(of: Distribution, probability: number, factor: number): Distribution {
  const cdf = (ms: number, tokens?: number) =>
    (1 - probability) * of.cdf(ms, tokens) + probability * of.cdf(ms / factor, tokens);
  return {
    quantile: (u, tokens) => {
      const [usual, late] = [of.quantile(u, tokens), factor * of.quantile(u, tokens)];
      const inside = within(u);
      const high = Math.max(usual, late);
      return risingRoot((ms) => cdf(ms, tokens) - inside, Math.min(usual, late), high, RELATIVE_TOLERANCE * high);
    },
    sample: (stream, tokens) => {
      const ms = of.sample(stream, tokens);
      return stream.unit() < probability ? factor * ms : ms;
    },
    cdf,
    meanMs: of.meanMs === undefined ? undefined : of.meanMs * (1 - probability + probability * factor),
  };
}
