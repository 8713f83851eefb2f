import { DEFAULT_RACES } from "../../scheduler/engine/config.ts";
import type { Trouble } from "../../scheduler/files/check.ts";
import { losesCopies } from "./faults.ts";
import { EXPERIMENT_LIMITS } from "./limits.ts";
import type { Experiment } from "./types.ts";

/** What is wrong between keys of the world that are right one by one. */
export function worldTroubles(experiment: Experiment): Trouble[] {
  return [
    ...fleetTroubles(experiment),
    ...classTroubles(experiment),
    ...timeoutTroubles(experiment),
    ...hopelessness(experiment),
    ...blockTroubles(experiment),
  ];
}

const at = (path: string, message: string): Trouble => ({ path: path.split("."), message });

function copiesTroubles(key: string, copies: number, nodes: number): Trouble[] {
  if (copies <= nodes) return [];
  const message = `is ${copies}, but copies of one job go to different nodes and there are only ${nodes}`;
  return [at(`policy.${key}`, message)];
}

function fleetTroubles({ fleet, policy, network }: Experiment): Trouble[] {
  const troubles: Trouble[] = [];
  const { nodes, operators, speeds, queue, batching } = fleet;
  // The others name what they would send at the worst, and find out that nobody is left.
  if (policy.kind === "fixed") troubles.push(...copiesTroubles("copies", policy.copies, nodes));
  if (policy.kind === "hedge") troubles.push(...copiesTroubles("maxCopies", policy.maxCopies, nodes));
  if (operators > nodes) troubles.push(at("fleet.operators", `is more than the ${nodes} nodes`));
  if (speeds.length > nodes) troubles.push(at("fleet.speeds", `has more items than there are nodes (${nodes})`));
  if (queue === "batching" && batching === "none") {
    troubles.push(at("fleet.batching", "is missing; `queue: batching` takes `batching: { slowdownPerCopy: 0.01 }`"));
  }
  if (queue === "fifo" && batching !== "none") {
    troubles.push(at("fleet.batching", "is given, but the queue is fifo; say `queue: batching`, or leave it out"));
  }
  for (const [index, cut] of network.partition.entries()) {
    if (cut.operators > operators) {
      troubles.push(at(`network.partition.${index}.operators`, `is more than the fleet's ${operators}`));
    }
  }
  return troubles;
}

function classTroubles({ fleet }: Experiment): Trouble[] {
  const { classes, nodes, speeds } = fleet;
  if (classes === "none") return [];
  const troubles: Trouble[] = [];
  if (classes.length === 0) troubles.push(at("fleet.classes", "must name one class at least, or be `none`"));
  if (nodes > EXPERIMENT_LIMITS.nodes) {
    troubles.push(at("fleet.classes", `make ${nodes} nodes; there may be ${EXPERIMENT_LIMITS.nodes}`));
  }
  if (speeds.length !== 1 || speeds[0] !== 1) {
    troubles.push(at("fleet.speeds", "has no meaning beside classes, which have speeds of their own; leave it out"));
  }
  const names = classes.map(({ name }) => name);
  const twice = names.findIndex((name, index) => names.indexOf(name) < index);
  if (twice >= 0) troubles.push(at(`fleet.classes.${twice}.name`, `stands twice: ${names[twice]}`));
  return troubles;
}

/** With timeouts on, what takes longer than they allow never comes to an end. */
function timeoutTroubles(experiment: Experiment): Trouble[] {
  const troubles: Trouble[] = [];
  const { network, verification, blocks } = experiment;
  const [acceptMs, verdictMs] = [DEFAULT_RACES.acceptTimeoutUs / 1_000, DEFAULT_RACES.verdictTimeoutUs / 1_000];
  if (losesCopies(experiment) && 2 * network.oneWayMs >= acceptMs) {
    troubles.push(
      at(
        "network.oneWayMs",
        `must be below ${acceptMs / 2} where copies can be lost: a node that has not accepted a copy after ${acceptMs} ms is taken for dead`,
      ),
    );
  }
  if ((losesCopies(experiment) || blocks !== "none") && verification.ms >= verdictMs) {
    const where = blocks === "none" ? "where copies can be lost" : "with blocks";
    const message = `must be below ${verdictMs} ${where}: a proof without a verdict after ${verdictMs} ms counts as rejected`;
    troubles.push(at("verification.ms", message));
  }
  return troubles;
}

/** Without blocks a job is over when it is answered, so that some node must answer some time. */
function hopelessness({ fleet, blocks }: Experiment): Trouble[] {
  if (blocks !== "none") return [];
  const troubles: Trouble[] = [];
  const { nodes, deadFraction } = fleet;
  const never = "so that without blocks, which refund, jobs would never be over";
  if (Math.round(deadFraction * nodes) >= nodes) {
    troubles.push(at("fleet.deadFraction", `leaves none of ${nodes} nodes alive, ${never}`));
  }
  for (const kind of ["errors", "dishonest"] as const) {
    const fault = fleet[kind];
    if (fault === "none" || fault.probability < 1 || Math.round(fault.fraction * nodes) < nodes) continue;
    troubles.push(at(`fleet.${kind}`, `leaves no node that ever gives a valid answer, ${never}`));
  }
  return troubles;
}

function blockTroubles({ blocks }: Experiment): Trouble[] {
  if (blocks === "none") return [];
  const troubles: Trouble[] = [];
  const { intervalMs, jitterMs, reorgs } = blocks;
  if (2 * jitterMs > intervalMs) {
    const message = `must be at most half of intervalMs, ${intervalMs / 2}, so that blocks keep their order`;
    troubles.push(at("blocks.jitterMs", message));
  }
  if (reorgs !== "none" && reorgs.everyBlocks <= reorgs.depth) {
    troubles.push(
      at("blocks.reorgs.everyBlocks", `must be more than depth, ${reorgs.depth}, for the chain to get anywhere`),
    );
  }
  return troubles;
}
