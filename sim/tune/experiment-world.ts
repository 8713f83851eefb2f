import type { LeafSpec } from "../../policies/policy.ts";
import type { Crew } from "../experiment/crew.ts";
import type { Task } from "../experiment/pool.ts";
import type { Experiment, ReplicationResult } from "../experiment/types.ts";
import { clairvoyantBound, durationsAlone } from "./clairvoyant.ts";
import { scaleOf } from "./candidates.ts";
import type { Trial } from "./objective.ts";
import type { TuneWorld } from "./world.ts";

/** Durations of which the time scale is taken. */
const SCALE_JOBS = 20_000;

/**
 * An experiment in which settings are tried. In time: by its deadline; where there is none but blocks, sealed before its time to
 * live is over. Precondition: one of the two.
 */
export function experimentWorld(experiment: Experiment, target: number, crew: Crew): TuneWorld {
  const deadlineMs = deadlineOf(experiment) ?? Number.POSITIVE_INFINITY;
  const timed = { ...experiment, deadlineMs };
  return {
    present: experiment.policy,
    scale: scaleOf({ deadlineMs, target }, durationsAlone(experiment, SCALE_JOBS)),
    jobs: experiment.jobs,
    size: `${experiment.jobs} jobs`,
    measure: async (policy, replication, seed) => {
      const changed = { ...experiment, policy: policy as LeafSpec, seed };
      const result = await crew.measure(limitedTask(changed, replication, EVENTS_PER_JOB));
      return result === "endless" ? result : trialOf(result, experiment);
    },
    bound: async (replication, seed) => {
      // Results of the workers, and Ctrl-C, come in between.
      await new Promise((resolve) => setImmediate(resolve));
      const { onTime, workMs } = clairvoyantBound({ ...timed, seed }, replication);
      return { onTime, work: workMs };
    },
  };
}

/** What jobs have to be answered by; `undefined` where nothing is said. */
export function deadlineOf({ deadlineMs, blocks }: Experiment): number | undefined {
  if (deadlineMs !== undefined || blocks === "none") return deadlineMs;
  return blocks.intervalMs * blocks.ttlBlocks;
}

function trialOf(result: ReplicationResult, { deadlineMs }: Experiment): Trial {
  const { jobs, workUs, onTime, refunded, refused } = result;
  const inTime = deadlineMs === undefined ? jobs - refunded - refused : onTime;
  return { onTime: inTime / jobs, work: workUs / jobs / 1_000 };
}

/**
 * One replication with limits, so that a search goes on where a fleet never recovers: a run that needs many times the usual
 * number of events per job will not.
 */
export function limitedTask(experiment: Experiment, replication: number, eventsPerJob: number): Task {
  const events = Math.max(LEAST_EVENTS, eventsPerJob * (experiment.jobs + experiment.warmup));
  return { experiment, replication, samples: 0, limits: { patience: Math.ceil(events / 5), events } };
}

const LEAST_EVENTS = 5_000;
/** Of whatever experiment somebody brings: jobs may be rare beside its blocks and faults. */
const EVENTS_PER_JOB = 400;
