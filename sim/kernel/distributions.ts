import type { ServiceSpec } from "../experiment/types.ts";
import type { FileReader } from "./csv.ts";
import { type Distribution, deterministic, exponential, gamma, lognormal, pareto, weibull } from "./families.ts";
import { hyperexponential, stragglers } from "./mixtures.ts";
import { empirical, quantileTable } from "./tables.ts";
import { tokensDrawn, tokensOfTrace } from "./tokens.ts";

export { type Arrivals, arrivalsOf } from "./arrivals.ts";
export { type FileReader, UnusableFile } from "./csv.ts";
export type { Distribution } from "./families.ts";
export { normalCdf } from "../../scheduler/shared/normal.ts";

/**
 * How long one copy takes on a node of speed 1. Throws `UnusableFile`, or what `files` throws, when a file that `spec` names
 * does not hold what it should.
 */
export function distributionOf(spec: ServiceSpec, files: FileReader): Distribution {
  switch (spec.kind) {
    case "deterministic":
      return deterministic(spec.ms);
    case "exponential":
      return exponential(spec.meanMs);
    case "lognormal":
      return lognormal(spec.meanMs, spec.cv);
    case "weibull":
      return weibull(spec.shape, spec.meanMs);
    case "pareto":
      return pareto(spec.shape, spec.scaleMs);
    case "gamma":
      return gamma(spec.shape, spec.meanMs);
    case "hyperexponential":
      return hyperexponential(spec.weights, spec.meansMs);
    case "quantiles":
      return quantileTable(spec.probabilities, spec.ms);
    case "empirical":
      return empirical(files, spec);
    case "stragglers":
      return stragglers(distributionOf(spec.of, files), spec.probability, spec.factor);
    case "tokens":
      return spec.tokens === "trace" ? tokensOfTrace(spec) : tokensDrawn(spec, distributionOf(spec.tokens, files));
  }
}
