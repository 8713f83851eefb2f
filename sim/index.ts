/** `pipe-scheduler/sim`: experiments on the production engine in a simulated world. docs/SIMULATOR.md tells the whole. */
export type { ComparedMetric, PairedDifference } from "./experiment/compare.ts";
export { pairedDifferences } from "./experiment/compare.ts";
export type { ExperimentFile, Parsed, SweepPoint } from "./experiment/parse.ts";
export { parseExperiment, parseExperimentFile } from "./experiment/parse.ts";
export { ReplicationFailed, workersFor } from "./experiment/pool.ts";
export type { ExperimentResult, MeasuredExperiment, Metric, Metrics, ResponseMetric } from "./experiment/result.ts";
export type { RunOptions } from "./experiment/run.ts";
export { runExperiment, runExperiments } from "./experiment/run.ts";
export type { PointRecord } from "./experiment/sweep.ts";
export { POINTS_FILE, runSweep, SweepDirectory } from "./experiment/sweep.ts";
export type {
  ArrivalSpec,
  BlockSeries,
  BlocksSpec,
  Experiment,
  FleetSpec,
  NetworkSpec,
  RaceSample,
  ReplicationResult,
  ServiceSpec,
  VerificationSpec,
} from "./experiment/types.ts";
export { UnusableFile } from "./kernel/csv.ts";
export type { ValidationOptions, ValidationRow } from "./theory/validate.ts";
export { validate } from "./theory/validate.ts";
export { type SimulateOptions, simulate } from "./world/simulate.ts";
export { SimulationLimit } from "./world/simulation-limit.ts";
