import type { EngineConfig } from "../../scheduler/engine/config.ts";
import type { EngineEvent } from "../../scheduler/engine/events.ts";
import type { CallTerms, Mode, TransactionTerms } from "../../scheduler/shared/vocabulary.ts";
import type { Outcome } from "./outcome.ts";

/** What a live run left, sorted by what it says about: whom it served, on which clock, on which nodes, and what came of it. */
export interface Recording {
  readonly config: EngineConfig;
  /** The first and the last moment that it tells of, in microseconds on the run's clock. */
  readonly startedUs: number;
  readonly endedUs: number;
  /** What came from outside whatever the scheduler did: users, blocks, nodes that come and go. In order. */
  readonly given: readonly Given[];
  /** What pre-execution said about each transaction, by its hash, in order. */
  readonly preExecutions: ReadonlyMap<string, readonly PreExecutionRecord[]>;
  /** Every copy that was sent out, in order. */
  readonly copies: readonly CopyRecord[];
  /** Models that each node last said to have loaded; a node that reported once, or never, is quiet. */
  readonly nodes: ReadonlyMap<string, { readonly warm: readonly string[]; readonly reports: number }>;
  /** From a node's word that changes its load to its next report, where no such report was due already. In order. */
  readonly changeReports: readonly NodeTook[];
  /** Answer in → verdict in, of each verdict, in order of the verdicts. */
  readonly verifications: readonly Verification[];
  /** Sealed results that could be challenged, by `callKey`, and whether the secret sample fell on them. */
  readonly sampled: ReadonlyMap<string, boolean>;
  /** What really happened. */
  readonly actual: Outcome;
}

/** How long something took that began then, in microseconds. */
export interface Took {
  readonly atUs: number;
  readonly us: number;
}

/** The same on one node. */
export interface NodeTook extends Took {
  readonly node: string;
}

/** A verdict's time; what is to be checked, and so how long it takes, is the mode's. */
export interface Verification extends NodeTook {
  readonly mode: Mode;
}

/** A call's name among all of a run. */
export function callKey(txHash: string, callIndex: number): string {
  return `${txHash}/${callIndex}`;
}

/** An event that is told again as it was. */
type Repeated = Extract<
  EngineEvent,
  {
    readonly kind:
      | "deposited"
      | "withdrawn"
      | "state-changed"
      | "node-joined"
      | "node-left"
      | "bond-changed"
      | "block-opened"
      | "seal-requested"
      | "block-committed"
      | "block-reverted"
      | "policy-changed";
  }
>;

export type Given =
  | { readonly atUs: number; readonly event: Repeated }
  | {
      readonly atUs: number;
      readonly event: { readonly kind: "submitted"; readonly transaction: TransactionTerms };
      /**
       * Its nonce, less the one that its sender's next transaction needed then: 0 for nearly all, negative for one that was to
       * replace another. Where a refund sets a nonce free in one run and not in another, senders count on from there.
       */
      readonly nonceOffset: number;
    };

export interface PreExecutionRecord {
  /** Calls whose results were at hand. */
  readonly answered: number;
  readonly tookUs: number;
  readonly found:
    | { readonly kind: "calls-discovered"; readonly calls: readonly CallTerms[] }
    | { readonly kind: "pre-executed"; readonly readSet: readonly string[] }
    | { readonly kind: "pre-execution-failed"; readonly reason: string };
}

/** Life of one copy as the scheduler saw it. Times in microseconds on the run's clock. */
export interface CopyRecord {
  readonly txHash: string;
  readonly callIndex: number;
  readonly node: string;
  readonly model: string;
  readonly mode: Mode;
  readonly tokensOut: number;
  readonly launchedUs: number;
  /** `undefined` when the node never said that it took it. */
  readonly acceptedUs: number | undefined;
  /** When a slot of the node was free for it; `undefined` when none was before its end. */
  readonly startedUs: number | undefined;
  /** Its last word, the Cancel after which it was silent, or the end of the recording. */
  readonly endedUs: number;
  /**
   * `answered` and `failed`: it ran to its end. `stopped`: it would have run longer (right-censored). `refused`: the node did
   * not run it.
   */
  readonly end: "answered" | "failed" | "stopped" | "refused";
  /** Whether it had been told to stop when it ended. */
  readonly cancelled: boolean;
  /** What the verifier said of its answer; `undefined` when it was not asked, or nobody waited for it. */
  readonly verdict: { readonly accepted: boolean; readonly reason: string } | undefined;
  /** Digest of its output, and the output as a number where its model says how to read one; `undefined` without an answer. */
  readonly outputHash: string | undefined;
  readonly value: number | undefined;
}

/** What a journal holds cannot be played; the message says why, and what to do. */
export class RecordingError extends Error {
  override readonly name = "RecordingError";
}

/** Limits of a recording, which is held in memory (P11). */
export const RECORDING_LIMITS = {
  /** A day of a busy scheduler; a copy's record is about 300 bytes. */
  copies: 2_000_000,
  given: 2_000_000,
} as const;
