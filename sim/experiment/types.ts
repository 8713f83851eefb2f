import type { BudgetSpec } from "../../policies/work-budget.ts";
import type { PlacementSpec } from "../../policies/placement.ts";
import type { LeafSpec } from "../../policies/policy.ts";
import type { Mode } from "../../scheduler/shared/vocabulary.ts";

/** A validated experiment: every field present, units in the names. What a file leaves out has been filled in. */
export interface Experiment {
  readonly seed: number;
  readonly replications: number;
  /** Jobs counted per replication, after `warmup` jobs that are not. */
  readonly jobs: number;
  readonly warmup: number;
  readonly arrivals: ArrivalSpec;
  readonly service: ServiceSpec;
  /** φ: share of the (Gaussian) variance of a copy's duration that comes from the job, 0 to 1. */
  readonly correlation: number;
  readonly fleet: FleetSpec;
  readonly network: NetworkSpec;
  readonly verification: VerificationSpec;
  /** What every call asks for and every node offers; what it costs stands in `verification`. */
  readonly mode: Mode;
  /** `none`: bare mode, races alone. */
  readonly blocks: BlocksSpec | "none";
  /** Counts jobs answered by then; `undefined` counts none. */
  readonly deadlineMs: number | undefined;
  readonly policy: LeafSpec;
  readonly placement: PlacementSpec;
  readonly budget: BudgetSpec;
}

export type ArrivalSpec =
  | { readonly kind: "poisson"; readonly ratePerS: number }
  /** Renewal process with gamma distributed times between arrivals; `cv` is their coefficient of variation. */
  | { readonly kind: "gamma"; readonly ratePerS: number; readonly cv: number }
  /** Poisson at `ratePerS` during exponential bursts of mean `onMs`, silence of mean `offMs` between them. */
  | { readonly kind: "onoff"; readonly ratePerS: number; readonly onMs: number; readonly offMs: number }
  /** TIMESTAMP, ContextTokens, GeneratedTokens of a CSV, in a circle; `speedup` 2 lets it run twice as fast. */
  | { readonly kind: "trace"; readonly file: string; readonly speedup: number };

/** How long one copy takes on a node of speed 1. */
export type ServiceSpec =
  | { readonly kind: "deterministic"; readonly ms: number }
  | { readonly kind: "exponential"; readonly meanMs: number }
  | { readonly kind: "lognormal"; readonly meanMs: number; readonly cv: number }
  | { readonly kind: "weibull"; readonly shape: number; readonly meanMs: number }
  | { readonly kind: "pareto"; readonly shape: number; readonly scaleMs: number }
  | { readonly kind: "gamma"; readonly shape: number; readonly meanMs: number }
  /** A mixture of exponentials: `weights` sum to 1. */
  | { readonly kind: "hyperexponential"; readonly weights: readonly number[]; readonly meansMs: readonly number[] }
  /** Linear interpolation between quantiles; `probabilities` rise from 0 to 1. */
  | { readonly kind: "quantiles"; readonly probabilities: readonly number[]; readonly ms: readonly number[] }
  /** Values of a column of a CSV, in `unitMs` milliseconds each, drawn with equal probability. */
  | { readonly kind: "empirical"; readonly file: string; readonly column: string; readonly unitMs: number }
  /** Every so often a copy takes `factor` times as long. */
  | { readonly kind: "stragglers"; readonly of: ServiceSpec; readonly probability: number; readonly factor: number }
  /** (firstTokenMs + perTokenMs × tokens) × lognormal(0, noiseSigma); tokens from the trace, or from `tokens`. */
  | {
      readonly kind: "tokens";
      readonly firstTokenMs: number;
      readonly perTokenMs: number;
      readonly noiseSigma: number;
      readonly tokens: ServiceSpec | "trace";
    };

/** What is `none`, or an empty list, does not happen. Times of faults are means of exponential distributions. */
export interface FleetSpec {
  readonly nodes: number;
  /** Copies that a node runs at once. */
  readonly slots: number | "unlimited";
  /** `fifo`: each copy has its slot for itself. `batching`: copies that run together slow each other down. */
  readonly queue: "fifo" | "batching";
  readonly batching: BatchingSpec | "none";
  /** Relative speeds, node by node in a circle; `[1]` for all alike. */
  readonly speeds: readonly number[];
  /** Nodes of one operator share a failure domain; operators are dealt out in a circle. */
  readonly operators: number;
  /** In place of equal nodes. `nodes` and `operators` then say what they sum up to. */
  readonly classes: readonly NodeClassSpec[] | "none";
  /** Share of nodes that accept copies and never answer. */
  readonly deadFraction: number;
  readonly stragglers: StragglersSpec | "none";
  readonly outages: OutagesSpec | "none";
  readonly churn: ChurnSpec | "none";
  readonly slowdowns: readonly SlowdownSpec[];
  readonly dishonest: DishonestSpec | "none";
  readonly errors: ErrorsSpec | "none";
}

/** Each of n copies on a node runs at 1 / (1 + slowdownPerCopy · (n − 1)) of the rate that it would have alone. */
export interface BatchingSpec {
  readonly slowdownPerCopy: number;
}

export interface NodeClassSpec {
  readonly name: string;
  readonly count: number;
  readonly speed: number;
  /** Of all nodes of the class; left out, each has an operator of its own. */
  readonly operator?: string;
  readonly priceGwei: number;
  /** Left out, that of the experiment. */
  readonly service?: ServiceSpec;
}

/** Every so often a node is slow for a while: everything on it takes `factor` times as long. */
export interface StragglersSpec {
  readonly everyS: number;
  readonly lastsS: number;
  readonly factor: number;
}

/** `crash`: what runs is lost and the scheduler hears that the node left. `hang`: the node stands still and says nothing. */
export interface OutagesSpec {
  readonly everyS: number;
  readonly lastsS: number;
  readonly kind: "crash" | "hang";
}

/** Nodes give back what they have, leave, and come again. */
export interface ChurnSpec {
  readonly leaveEveryS: number;
  readonly returnAfterS: number;
}

/** From `atS` on, for `forS`, everything on every node takes `factor` times as long. */
export interface SlowdownSpec {
  readonly atS: number;
  readonly forS: number;
  readonly factor: number;
}

/** So large a share of the nodes, chosen at random, answers with this probability `speedFactor` times as fast, and wrongly. */
export interface DishonestSpec {
  readonly fraction: number;
  readonly probability: number;
  readonly speedFactor: number;
}

/** So large a share of the nodes, chosen at random, fails copies with this probability, somewhere on their way. */
export interface ErrorsSpec {
  readonly fraction: number;
  readonly probability: number;
}

export interface NetworkSpec {
  readonly oneWayMs: number;
  /** Mean of the exponential time that each message takes besides. */
  readonly jitterMs: number;
  /** Probabilities of each message. */
  readonly loss: number;
  readonly duplication: number;
  readonly partition: readonly PartitionSpec[];
}

/** From `atS` on, for `forS`, no message passes between the scheduler and the nodes of the first `operators` operators. */
export interface PartitionSpec {
  readonly atS: number;
  readonly forS: number;
  readonly operators: number;
}

export interface VerificationSpec {
  readonly ms: number;
  /** Checks done at a time; others wait in the order in which answers came. */
  readonly workers: number | "unlimited";
  /** What the proof adds to a copy's time on a node of speed 1. */
  readonly proofMs: number;
}

export interface BlocksSpec {
  readonly intervalMs: number;
  readonly ttlBlocks: number;
  /** Each block seals up to so much earlier or later than announced, uniformly. */
  readonly jitterMs: number;
  readonly reorgs: ReorgsSpec | "none";
}

/** After one block in `everyBlocks` on average the chain takes back the last `depth` blocks. */
export interface ReorgsSpec {
  readonly everyBlocks: number;
  readonly depth: number;
}

/** What one replication measured. Plain data, so that it crosses threads. Times in microseconds of simulated time. */
export interface ReplicationResult {
  readonly replication: number;
  readonly jobs: number;
  /** HDR histogram of response times (arrival → decision), base64 of its compressed encoding; three significant digits. */
  readonly responseHistogram: string;
  readonly responseSumUs: number;
  /** Counted jobs with a decision by `deadlineMs`; 0 without a deadline. */
  readonly onTime: number;
  /** Counted jobs that were decided at all. */
  readonly decided: number;
  readonly workUs: number;
  readonly copies: number;
  readonly speculative: number;
  readonly cancelled: number;
  /** Copies that ended without an answer: they failed, nothing was heard of them in time, or their node left. */
  readonly lost: number;
  /** Copies whose proof was rejected, or not checked in time. */
  readonly rejectedProofs: number;
  /** Fees of the winners. */
  readonly feesGwei: number;
  /** Σ over counted jobs of blocks between the first possible one and the one that carried it; 0 in bare mode. */
  readonly blocksLate: number;
  readonly sealed: number;
  readonly refunded: number;
  /** Not admitted, since an answer in time was too improbable, or the mempool was full. */
  readonly refused: number;
  /** Times that a counted job's transaction was taken back with its block. */
  readonly reorged: number;
  readonly simulatedUs: number;
  /** Kernel events and engine events. */
  readonly events: number;
  readonly engineEvents: number;
  readonly elapsedMs: number;
  /** Races of a few jobs in full, for the timeline picture; empty unless asked for. */
  readonly samples: readonly RaceSample[];
  /** `null` without blocks. */
  readonly blockSeries: BlockSeries | null;
}

/** What blocks carried, warm-up included, by stretch of simulated time; a few hundred stretches whatever the run's length. */
export interface BlockSeries {
  readonly stretchUs: number;
  /** Blocks sealed per stretch; likewise the following. */
  readonly blocks: readonly number[];
  readonly sealed: readonly number[];
  /** Σ over sealed transactions of blocks after the first possible one. */
  readonly blocksLate: readonly number[];
  readonly refunded: readonly number[];
  /** Counted transactions by how many blocks late they were sealed: 0, 1, …, and 64 or more. */
  readonly lateness: readonly number[];
}

export interface RaceSample {
  readonly job: number;
  readonly openedUs: number;
  readonly decidedUs: number;
  readonly copies: readonly {
    readonly node: number;
    readonly speculative: boolean;
    readonly launchedUs: number;
    readonly startedUs: number;
    readonly endedUs: number;
    /** `lost`: its node failed it or vanished, or a message got lost. */
    readonly end: "won" | "cancelled" | "answered" | "lost";
  }[];
}
