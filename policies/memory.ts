import type { RacePicture } from "./policy.ts";

/** What survives JSON unchanged. */
export type PlainData = null | boolean | number | string | readonly PlainData[] | { readonly [key: string]: PlainData };

/** How a copy ended, as far as policies tell ends apart. */
export type CopyOutcome =
  /** Its proof was accepted: the winner, and supporters. */
  | "accepted"
  /** Its proof was rejected, or nobody could check it. */
  | "rejected"
  /** Its node said that it failed. */
  | "failed"
  /** Its node gave it back as full or leaving: what gRPC calls pushback. */
  | "refused"
  /** Nothing was heard of it in time. */
  | "silent"
  /** The race was decided without it, or its transaction left. */
  | "cancelled";

/** The end of a copy. Times are the engine's. */
export interface CopyEnd {
  readonly outcome: CopyOutcome;
  readonly speculative: boolean;
  readonly launchedUs: number;
  /** When its answer came, else the moment of its end. */
  readonly endedUs: number;
}

/**
 * What a policy remembers of the races of one (model, mode) under it, beyond the engine's own statistics: windows, tokens,
 * counts. It hears of everything in the engine's order, so that the same journal gives the same memory (P13), and is bounded.
 */
export interface PolicyMemory {
  /** A race began: its first copy has been launched. */
  opened(race: RacePicture, nowUs: number): void;
  launched(copy: { readonly speculative: boolean }, nowUs: number): void;
  ended(end: CopyEnd, nowUs: number): void;
  /** A race was decided this long after it opened. */
  decided(responseUs: number, nowUs: number): void;
  snapshot(): PlainData;
}
