import { readFileSync } from "node:fs";
import type { Experiment, SlowdownSpec } from "../experiment/types.ts";
import { arrivalsOf, distributionOf } from "../kernel/distributions.ts";
import { streamFor } from "../kernel/streams.ts";
import { Durations } from "../world/durations.ts";
import { modelledNodes } from "../world/fleet.ts";
import { JobTable } from "../world/job-table.ts";
import { servicesOf } from "../world/simulate.ts";

/** What could be had by one who knows all durations beforehand, in one replication. */
export interface Bound {
  /** Share of counted jobs that some node would have answered in time. */
  readonly onTime: number;
  /** Machine-time of the fastest node's copy, per job. */
  readonly workMs: number;
  /** 99.9th percentile of that copy's response. */
  readonly p999Ms: number;
}

const readText = (path: string): string => readFileSync(path, "utf8");

/**
 * Who knows each job's duration on every node sends one copy to the fastest: P = 1 − Π F̄ⱼ(D), work = E[min Sⱼ], without
 * queues. No policy has more answers in time, since none has more copies than one on each node, at once and with no wait.
 * Jobs and durations are those of the same replication's simulation. What befalls the whole fleet slows these copies, too;
 * of what befalls single nodes he knows as well, and takes another.
 */
export function clairvoyantBound(experiment: Experiment, replication: number): Bound {
  const { warmup, jobs, fleet } = experiment;
  const waitsUs = (2 * experiment.network.oneWayMs + experiment.verification.ms) * 1_000;
  const responses: number[] = [];
  let workUs = 0;
  for (const [number, atUs, fastestUs] of fastestOf(experiment, replication, Number.POSITIVE_INFINITY)) {
    if (number < warmup) continue;
    if (number === warmup + jobs) break;
    const ranUs = afterSlowdowns(atUs, fastestUs, fleet.slowdowns) - atUs;
    workUs += ranUs;
    responses.push(ranUs + waitsUs);
  }
  const deadlineUs = 1_000 * (experiment.deadlineMs ?? Number.POSITIVE_INFINITY);
  const sorted = Float64Array.from(responses).sort();
  return {
    onTime: responses.filter((us) => us <= deadlineUs).length / jobs,
    workMs: workUs / jobs / 1_000,
    p999Ms: (sorted[Math.min(jobs - 1, Math.ceil(0.999 * jobs) - 1)] as number) / 1_000,
  };
}

/** Durations of one copy each of many jobs, on one node after another, in rising order: a workload's time scale. */
export function durationsAlone(experiment: Experiment, jobs: number): Float64Array {
  const durations = new Float64Array(jobs);
  for (const [number, , us] of fastestOf(experiment, 0, 1)) {
    if (number === jobs) break;
    durations[number] = us / 1_000;
  }
  return durations.sort();
}

/** Each job's number, arrival, and time on the fastest of so many nodes, in microseconds, without end. */
function* fastestOf(
  experiment: Experiment,
  replication: number,
  most: number,
): Iterable<readonly [number: number, atUs: number, fastestUs: number]> {
  const { seed, fleet, mode, verification } = experiment;
  const stream = (purpose: string) => streamFor(seed, replication, purpose);
  const service = distributionOf(experiment.service, readText);
  const nodes = modelledNodes(fleet, mode);
  // The first ones are dead, as in the world.
  const alive = nodes.length - Math.round(fleet.deadFraction * nodes.length);
  const table = new JobTable();
  const durations = new Durations(
    {
      experiment,
      service,
      services: servicesOf(experiment, service, readText),
      serviceStream: stream("service"),
      extraStream: stream("further copies"),
    },
    table,
  );
  const arrivals = arrivalsOf(experiment.arrivals, stream("arrivals"), readText);
  for (let number = 0; ; number++) {
    const atUs = arrivals.nextUs();
    const job = table.take(number, atUs);
    durations.arrive(job, arrivals.tokens?.out);
    let fastestUs = Number.POSITIVE_INFINITY;
    for (let ordinal = 0; ordinal < Math.min(most, alive); ordinal++) {
      // The first two copies of jobs are those that policies meet, and go to one node after another.
      const node = nodes.length - alive + ((number + ordinal) % alive);
      const us = (durations.of(job, ordinal, node) + 1_000 * verification.proofMs) / (nodes[node]?.speed ?? 1);
      fastestUs = Math.min(fastestUs, us);
    }
    table.close(job);
    yield [number, atUs, fastestUs];
  }
}

/** When something that begins at `atUs` and takes `us` at full speed is over. */
export function afterSlowdowns(atUs: number, us: number, slowdowns: readonly SlowdownSpec[]): number {
  const edges = slowdowns.flatMap(({ atS, forS }) => [atS * 1e6, (atS + forS) * 1e6]).filter((edge) => edge > atUs);
  let [nowUs, leftUs] = [atUs, us];
  for (const edgeUs of edges.sort((a, b) => a - b)) {
    const factor = factorAt(nowUs, slowdowns);
    const doneUs = (edgeUs - nowUs) / factor;
    if (doneUs >= leftUs) return nowUs + leftUs * factor;
    leftUs -= doneUs;
    nowUs = edgeUs;
  }
  return nowUs + leftUs * factorAt(nowUs, slowdowns);
}

function factorAt(us: number, slowdowns: readonly SlowdownSpec[]): number {
  return slowdowns.reduce(
    (product, { atS, forS, factor }) => (us >= atS * 1e6 && us < (atS + forS) * 1e6 ? product * factor : product),
    1,
  );
}
