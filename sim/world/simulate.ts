import { readFileSync } from "node:fs";
import type { Experiment, ReplicationResult } from "../experiment/types.ts";
import { arrivalsOf, distributionOf } from "../kernel/distributions.ts";
import { streamFor } from "../kernel/streams.ts";
import { BareWorld } from "./bare-world.ts";
import { ChainWorld } from "./chain-world.ts";

export interface SimulateOptions {
  /** Races of so many of the first counted jobs are kept in full. */
  readonly samples: number;
  /** Reads the files that the experiment names. */
  readonly readFile?: (path: string) => string;
}

/** One reader for all replications, since what was parsed of a file is remembered by its reader. */
const readText = (path: string): string => readFileSync(path, "utf8");

/** Runs one replication of an experiment. The same arguments give the same result, but for `elapsedMs`. */
export function simulate(experiment: Experiment, replication: number, options: SimulateOptions): ReplicationResult {
  const files = options.readFile ?? readText;
  const stream = (purpose: string) => streamFor(experiment.seed, replication, purpose);
  const parts = {
    experiment,
    arrivals: arrivalsOf(experiment.arrivals, stream("arrivals"), files),
    service: distributionOf(experiment.service, files),
    serviceStream: stream("service"),
    extraStream: stream("further copies"),
    samples: options.samples,
  };
  const engineSeed = Math.floor(stream("engine").unit() * 2 ** 31);
  const { blocks } = experiment;
  const startedMs = performance.now();
  const world = blocks === "none" ? new BareWorld(parts, engineSeed) : new ChainWorld(parts, blocks, engineSeed);
  world.run();
  return world.result(replication, performance.now() - startedMs);
}
