import { assert } from "../../scheduler/shared/assert.ts";
import type { Plain, PlainSection } from "../../scheduler/fields/fields.ts";
import { parseExperiment } from "../experiment/parse.ts";
import type { Experiment, ServiceSpec } from "../experiment/types.ts";
import { distributionOf } from "../kernel/distributions.ts";
import { modelledNodes } from "../world/fleet.ts";
import { UNLOADED_RATE_PER_S, type Workload, type WorkloadArrivals } from "./workloads.ts";

/** How much is measured. */
export interface Size {
  readonly seed: number;
  readonly replications: number;
  /** Counted jobs of a replication; half as many come before them, since policies have to learn first. */
  readonly jobs: number;
}

/** A workload at a load, which is a share of what its fleet can serve on average; `undefined` where nothing queues. */
export interface Place {
  readonly workload: Workload;
  readonly load: number | undefined;
  /** Where traces are. */
  readonly traces: string;
}

/** Length of a block where blocks are counted. */
const BLOCK_MS = 500;

/** The experiment with a single copy of each job, with which every policy's differs in the policy alone. */
export function experimentAt({ workload, load, traces }: Place, size: Size): Experiment {
  const { fleet, service, correlation, deadlineMs, slowdown } = workload;
  const ratePerS = load === undefined ? UNLOADED_RATE_PER_S : load * workload.capacity * servedPerS(workload);
  const warmup = Math.ceil(size.jobs / 2);
  const slow: Plain[] = slowdown === undefined ? [] : [{ atS: (warmup + size.jobs / 4) / ratePerS, ...slowdown }];
  const section = {
    seed: size.seed,
    replications: size.replications,
    jobs: size.jobs,
    warmup,
    arrivals: arrivalsAt(workload.arrivals, ratePerS),
    service,
    correlation,
    fleet: { ...fleet, slowdowns: slow },
    deadlineMs,
    policy: { kind: "fixed", copies: 1 },
    // One for all, so that what differs is when copies are launched and not where.
    placement: { kind: "least-loaded" },
  };
  return parsed(section, traces);
}

/** The same with blocks: what is not sealed by the deadline is refunded. */
export function withBlocks(experiment: Experiment): Experiment {
  const ttlBlocks = Math.ceil((experiment.deadlineMs ?? BLOCK_MS) / BLOCK_MS);
  return { ...experiment, blocks: { intervalMs: BLOCK_MS, ttlBlocks, jitterMs: 0, reorgs: "none" } };
}

/** Jobs that the fleet would finish in a second if each had one copy and no node were ever idle, dead, away or slow. */
function servedPerS(workload: Workload): number {
  const { fleet, mode, service } = parsed(
    {
      jobs: 1,
      arrivals: { kind: "poisson", ratePerS: 1 },
      service: onAverage(workload.service, workload.arrivals),
      fleet: workload.fleet,
      policy: { kind: "fixed", copies: 1 },
    },
    "",
  );
  assert(fleet.slots !== "unlimited", "a workload without queues has no load");
  const perMs = modelledNodes(fleet, mode).reduce((sum, node) => sum + node.speed / meanMs(node.service ?? service), 0);
  return 1_000 * fleet.slots * perMs;
}

function meanMs(service: ServiceSpec): number {
  const mean = distributionOf(service, () => "").meanMs;
  assert(mean !== undefined, "a standard workload's mean is known");
  return mean;
}

/** The same work on average without the trace, since durations are proportional to what the tokens cost. */
function onAverage(service: PlainSection, arrivals: WorkloadArrivals): PlainSection {
  if (arrivals.kind !== "trace") return service;
  const tokens = { kind: "deterministic", ms: arrivals.tokensOut };
  if (service["kind"] === "tokens") return { ...service, tokens };
  return { ...service, of: onAverage(service["of"] as PlainSection, arrivals) };
}

function arrivalsAt(arrivals: WorkloadArrivals, ratePerS: number): PlainSection {
  switch (arrivals.kind) {
    case "poisson":
      return { kind: "poisson", ratePerS };
    case "onoff":
      return { ...arrivals, ratePerS: (ratePerS * (arrivals.onMs + arrivals.offMs)) / arrivals.onMs };
    case "trace":
      return { kind: "trace", file: arrivals.file, speedup: ratePerS / arrivals.rowsPerS };
  }
}

function parsed(section: PlainSection, directory: string): Experiment {
  const read = parseExperiment(section, directory);
  assert(read.ok, `a standard workload is an experiment: ${read.ok ? "" : read.troubles.join("; ")}`);
  return read.value;
}
