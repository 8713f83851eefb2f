import type { Trouble } from "./check.ts";
import { EXPERIMENT_LIMITS } from "./limits.ts";
import type { Experiment, ServiceSpec } from "./types.ts";

/** What is wrong between keys that are right one by one. */
export function relationTroubles(experiment: Experiment): Trouble[] {
  return [...jobTroubles(experiment), ...fleetTroubles(experiment), ...serviceTroubles(experiment.service, experiment)];
}

function jobTroubles({ jobs, warmup }: Experiment): Trouble[] {
  if (jobs + warmup <= EXPERIMENT_LIMITS.jobs) return [];
  return [{ path: ["warmup"], message: `and jobs are more than ${EXPERIMENT_LIMITS.jobs} together` }];
}

function fleetTroubles({ fleet, policy, blocks }: Experiment): Trouble[] {
  const troubles: Trouble[] = [];
  const [copies, key] = policy.kind === "fixed" ? [policy.copies, "copies"] : [policy.maxCopies, "maxCopies"];
  if (copies > fleet.nodes) {
    troubles.push({
      path: ["policy", key],
      message: `is ${copies}, but copies of one job go to different nodes and there are only ${fleet.nodes}`,
    });
  }
  if (fleet.operators > fleet.nodes) {
    troubles.push({ path: ["fleet", "operators"], message: `is more than the ${fleet.nodes} nodes` });
  }
  if (fleet.speeds.length > fleet.nodes) {
    troubles.push({ path: ["fleet", "speeds"], message: `has more items than there are nodes (${fleet.nodes})` });
  }
  if (fleet.deadFraction > 0 && blocks === "none") {
    troubles.push({
      path: ["fleet", "deadFraction"],
      message: "needs blocks: without them copies have no leases, and a job on dead nodes would stay for ever",
    });
  }
  return troubles;
}

function serviceTroubles(
  service: ServiceSpec,
  experiment: Experiment,
  path: readonly string[] = ["service"],
): Trouble[] {
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
  path: readonly string[],
): Trouble[] {
  if (weights.length !== meansMs.length) {
    return [{ path: [...path, "meansMs"], message: `has ${meansMs.length} items and weights has ${weights.length}` }];
  }
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return Math.abs(sum - 1) < 1e-9 ? [] : [{ path: [...path, "weights"], message: `must sum to 1; they sum to ${sum}` }];
}

function quantileTroubles(
  { probabilities, ms }: ServiceSpec & { kind: "quantiles" },
  path: readonly string[],
): Trouble[] {
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
