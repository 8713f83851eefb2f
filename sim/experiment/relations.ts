import { problemOf } from "../../policies/policy.ts";
import type { Path } from "../../scheduler/files/yaml.ts";
import type { Trouble } from "../../scheduler/files/check.ts";
import { EXPERIMENT_LIMITS } from "./limits.ts";
import { worldTroubles } from "./relations-world.ts";
import type { Experiment, ServiceSpec } from "./types.ts";

/** What is wrong between keys that are right one by one. */
export function relationTroubles(experiment: Experiment): Trouble[] {
  const { classes } = experiment.fleet;
  const ofClasses = (classes === "none" ? [] : classes).flatMap(({ service }, index) =>
    service === undefined ? [] : serviceTroubles(service, experiment, ["fleet", "classes", index, "service"]),
  );
  return [
    ...jobTroubles(experiment),
    ...burstTroubles(experiment),
    ...policyTroubles(experiment),
    ...worldTroubles(experiment),
    ...serviceTroubles(experiment.service, experiment, ["service"]),
    ...ofClasses,
  ];
}

function jobTroubles({ jobs, warmup }: Experiment): Trouble[] {
  if (jobs + warmup <= EXPERIMENT_LIMITS.jobs) return [];
  return [{ path: ["warmup"], message: `and jobs are more than ${EXPERIMENT_LIMITS.jobs} together` }];
}

function burstTroubles({ arrivals }: Experiment): Trouble[] {
  if (arrivals.kind !== "onoff") return [];
  const jobs = (arrivals.ratePerS * arrivals.onMs) / 1_000;
  if (jobs * EXPERIMENT_LIMITS.burstsPerJob >= 1) return [];
  const message = `makes bursts of ${jobs} jobs on average with ratePerS ${arrivals.ratePerS}; one in ${EXPERIMENT_LIMITS.burstsPerJob} must hold a job`;
  return [{ path: ["arrivals", "onMs"], message }];
}

function policyTroubles({ policy }: Experiment): Trouble[] {
  const problem = problemOf(policy);
  return problem === undefined ? [] : [{ path: ["policy"], message: `is none: ${problem}` }];
}

function serviceTroubles(service: ServiceSpec, experiment: Experiment, path: Path): Trouble[] {
  switch (service.kind) {
    case "hyperexponential":
      return hyperexponentialTroubles(service, path);
    case "quantiles":
      return quantileTroubles(service, path);
    case "stragglers":
      return serviceTroubles(service.of, experiment, [...path, "of"]);
    case "tokens":
      if (service.tokens !== "trace") return serviceTroubles(service.tokens, experiment, [...path, "tokens"]);
      if (experiment.arrivals.kind === "trace") return [];
      return [{ path: [...path, "tokens"], message: "is trace, which needs `arrivals: { kind: trace, file: … }`" }];
    default:
      return [];
  }
}

function hyperexponentialTroubles(
  { weights, meansMs }: ServiceSpec & { kind: "hyperexponential" },
  path: Path,
): Trouble[] {
  if (weights.length !== meansMs.length) {
    return [{ path: [...path, "meansMs"], message: `has ${meansMs.length} items and weights has ${weights.length}` }];
  }
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return Math.abs(sum - 1) < 1e-9 ? [] : [{ path: [...path, "weights"], message: `must sum to 1; they sum to ${sum}` }];
}

function quantileTroubles({ probabilities, ms }: ServiceSpec & { kind: "quantiles" }, path: Path): Trouble[] {
  const rises = (values: readonly number[], least: number): boolean =>
    values.every((value, index) => index === 0 || value - (values[index - 1] as number) >= least);
  if (probabilities.length !== ms.length) {
    return [{ path: [...path, "ms"], message: `has ${ms.length} items and probabilities has ${probabilities.length}` }];
  }
  if (probabilities[0] !== 0 || probabilities.at(-1) !== 1 || !rises(probabilities, Number.EPSILON)) {
    return [{ path: [...path, "probabilities"], message: "must rise from 0 to 1" }];
  }
  return rises(ms, 0) ? [] : [{ path: [...path, "ms"], message: "must not fall" }];
}
