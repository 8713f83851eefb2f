import { readFileSync } from "node:fs";
import type { Experiment, ReplicationResult, ServiceSpec } from "../experiment/types.ts";
import type { FileReader } from "../kernel/csv.ts";
import { arrivalsOf, type Distribution, distributionOf } from "../kernel/distributions.ts";
import { streamFor } from "../kernel/streams.ts";
import { BareWorld } from "./bare-world.ts";
import { ChainWorld } from "./chain-world.ts";
import { modelledNodes } from "./fleet.ts";
import type { HowFar, RunLimits } from "./simulation-limit.ts";

export interface SimulateOptions {
  /** Races of so many of the first counted jobs are kept in full. */
  readonly samples: number;
  /** Reads the files that the experiment names. */
  readonly readFile?: (path: string) => string;
  /** After which a run is given up, in place of the usual limits. */
  readonly limits?: RunLimits;
  /** Told every few hundredths of a second how far the run is. What it throws ends the run. */
  readonly onLook?: (far: HowFar) => void;
}

/** One reader for all replications, since what was parsed of a file is remembered by its reader. */
const readText = (path: string): string => readFileSync(path, "utf8");

/** A minute or two without a counted job's end; whoever asks for a hundred million jobs may have them. */
const USUAL_LIMITS: RunLimits = { patience: 100_000_000, events: Number.MAX_SAFE_INTEGER };

/**
 * Runs one replication of an experiment. The same arguments give the same result, but for `elapsedMs`. Throws
 * `SimulationLimit` when it would not come to an end, and `UnusableFile` for a file that does not hold what it should.
 */
export function simulate(experiment: Experiment, replication: number, options: SimulateOptions): ReplicationResult {
  const files = options.readFile ?? readText;
  const stream = (purpose: string) => streamFor(experiment.seed, replication, purpose);
  const service = distributionOf(experiment.service, files);
  const parts = {
    experiment,
    arrivals: arrivalsOf(experiment.arrivals, stream("arrivals"), files),
    service,
    services: servicesOf(experiment, service, files),
    serviceStream: stream("service"),
    extraStream: stream("further copies"),
    streamFor: stream,
    samples: options.samples,
    limits: options.limits ?? USUAL_LIMITS,
    onLook: options.onLook ?? (() => {}),
  };
  const engineSeed = Math.floor(stream("engine").unit() * 2 ** 31);
  const { blocks } = experiment;
  const startedMs = performance.now();
  const world = blocks === "none" ? new BareWorld(parts, engineSeed) : new ChainWorld(parts, blocks, engineSeed);
  world.run();
  return world.result(replication, performance.now() - startedMs);
}

/** The law of each node, where classes of nodes have their own. */
export function servicesOf(
  { fleet, mode }: Experiment,
  usual: Distribution,
  files: FileReader,
): readonly Distribution[] | undefined {
  if (fleet.classes === "none" || fleet.classes.every(({ service }) => service === undefined)) return undefined;
  const laws = new Map<ServiceSpec, Distribution>();
  return modelledNodes(fleet, mode).map(({ service: spec }) => {
    if (spec === undefined) return usual;
    const law = laws.get(spec) ?? distributionOf(spec, files);
    laws.set(spec, law);
    return law;
  });
}
