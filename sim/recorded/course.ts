import type { CallTerms } from "../../scheduler/shared/vocabulary.ts";

/** Which copy: the `ordinal`-th (0 for the first) that this node takes of this call. */
export interface NamedCopy {
  readonly node: string;
  readonly txHash: string;
  readonly callIndex: number;
  readonly ordinal: number;
  readonly call: CallTerms;
}

/** A wait for the machine, in microseconds: on a node whose thread attends to messages, and on one whose thread computes. */
export interface Wait {
  readonly idleUs: number;
  readonly computingUs: number;
}

/** What will become of a copy if nobody stops it. Times in microseconds. */
export interface Course {
  /** From dispatch to its arrival at the node, who says so at once, when no other copy is on its way there. */
  readonly there: Wait;
  /** From the arrival of the copy before it to its own, when that one is on its way. */
  readonly behind: Wait;
  /** From a slot's being free to the end of the execution. */
  readonly runUs: number;
  readonly end: "answered" | "failed";
  /** What it answers with, one after the other: the output that the model really gives, or another one. */
  readonly outputs: readonly ("right" | "wrong")[];
  /** From the last word to the scheduler's hearing it. */
  readonly endBack: Wait;
  /** The node's thread computes all the while, and keeps other copies waiting. */
  readonly computes: boolean;
  /** From there to the verdict. */
  readonly verificationUs: number;
  /** Why the verifier rejects the answer; `undefined` when it accepts. */
  readonly rejectedBecause: string | undefined;
}

/** How one node treats all its copies alike. */
export interface Manner {
  /** Takes copies at all. */
  readonly responds: boolean;
  /** Stops when it is told to, and at the end of a lease. */
  readonly stops: boolean;
  /** Models that it says to have loaded. */
  readonly warm: readonly string[];
  /** Reports its load now and then, not only when it joins. */
  readonly reports: boolean;
}

/** How the nodes of a recorded world behave: fitted to what they did, or as their profiles say. */
export interface FleetBehaviour {
  manner(node: string): Manner;
  /**
   * The course of a copy that is sent at `nowUs`. What is the node's own depends on seed and copy alone, whatever the policy
   * (common random numbers).
   */
  course(copy: NamedCopy, seed: number, nowUs: number): Course;
  /** Times between a node's reports, and from a change of its load to a report of it. */
  readonly reportIntervalUs: number;
  readonly reportDelayUs: number;
}
