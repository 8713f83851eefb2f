import type { Experiment } from "./types.ts";

/**
 * Whether copies can be lost. The engine then runs with its production timeouts and leases, with or without blocks; without
 * blocks and losses no timer but the policy's is armed, as in queueing theory.
 */
export function losesCopies({ fleet, network }: Experiment): boolean {
  const { deadFraction, outages, churn, dishonest, errors } = fleet;
  const kinds = [outages, churn, dishonest, errors];
  return deadFraction > 0 || kinds.some(happens) || network.loss > 0 || network.partition.length > 0;
}

/** Whether something befalls nodes over time. */
export function befallsNodes({ fleet, network }: Experiment): boolean {
  const { stragglers, outages, churn, slowdowns } = fleet;
  return [stragglers, outages, churn].some(happens) || slowdowns.length + network.partition.length > 0;
}

/** Whether messages about one copy may overtake each other or get lost, so that each has to say which copy it is about. */
export function mixesMessages(experiment: Experiment): boolean {
  const { oneWayMs, jitterMs, loss, duplication, partition } = experiment.network;
  return jitterMs + loss + duplication + partition.length > 0 || (oneWayMs > 0 && losesCopies(experiment));
}

function happens(fault: object | "none"): boolean {
  return fault !== "none";
}
