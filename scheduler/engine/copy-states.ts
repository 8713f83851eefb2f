import type { Transitions } from "../shared/transitions.ts";
import type { CopyState } from "../shared/vocabulary.ts";

export type CopyEvent =
  | "accept"
  | "progress"
  | "answer"
  | "fail"
  | "hold"
  | "verified"
  | "support"
  | "outvote"
  | "refuted"
  | "outrun"
  | "expire"
  | "cancel";

/**
 * Life of a copy. `hold`: its answer was accepted, but the conflict rule waits for others; `support` and `outvote` say what it
 * was for the decision. `outrun`: another copy won while this one's answer was being verified; it has answered, so it needs no
 * Cancel (P9). A terminal copy's handle is gone, so that whatever arrives for it later is late by construction.
 */
export const COPY_STATES: Transitions<CopyState, CopyEvent> = {
  sent: {
    accept: "running",
    progress: "running",
    answer: "verifying",
    fail: "failed",
    expire: "expired",
    cancel: "cancelled",
  },
  running: {
    accept: "same",
    progress: "same",
    answer: "verifying",
    fail: "failed",
    expire: "expired",
    cancel: "cancelled",
  },
  // A second answer is a duplicate or equivocation; a failure after the answer is worth as little as its sender.
  verifying: {
    accept: "same",
    progress: "same",
    answer: "same",
    fail: "same",
    verified: "won",
    hold: "held",
    refuted: "rejected",
    outrun: "outrun",
    expire: "rejected",
  },
  held: {
    accept: "same",
    progress: "same",
    answer: "same",
    fail: "same",
    verified: "won",
    support: "supported",
    outvote: "outvoted",
  },
  won: {},
  supported: {},
  outvoted: {},
  outrun: {},
  rejected: {},
  failed: {},
  expired: {},
  cancelled: {},
};
