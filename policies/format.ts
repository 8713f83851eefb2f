import type { Kind, SectionField } from "../scheduler/fields/fields.ts";
import { durationMs, integer, number } from "../scheduler/fields/field-makers.ts";
import { FIELD_LIMITS } from "../scheduler/fields/limits.ts";
import type { PlacementSpec } from "./placement.ts";
import type { LeafSpec } from "./policy.ts";

const { ms: MAX_MS, copies: MAX_COPIES } = FIELD_LIMITS;

/** What each kind of policy can be told, in experiment files and policy files alike. */
export const POLICIES: { readonly [K in LeafSpec["kind"]]: Kind } = {
  fixed: {
    means: "that many copies at once",
    fields: { copies: integer("copies", { atLeast: 1, atMost: MAX_COPIES }) },
  },
  hedge: {
    means: "one copy, then another after each delay while the job lingers",
    fields: {
      delayMs: durationMs("delay before another copy"),
      maxCopies: integer("copies at the most", { atLeast: 1, atMost: MAX_COPIES }),
    },
  },
};

export const PLACEMENTS: { readonly [K in PlacementSpec["kind"]]: Kind } = {
  random: { means: "distinct nodes, uniformly", fields: {} },
  "least-loaded": { means: "the least loaded node, ties at random", fields: {} },
};

export const BUDGET: SectionField = {
  type: "section",
  word: "unlimited",
  means: "of speculative work: burstMs + ratio × primary work",
  fields: {
    ratio: number("speculative per primary machine-time", { atLeast: 0, atMost: 1_000 }),
    burstMs: number("machine-time granted at the start", { atLeast: 0, atMost: MAX_MS }),
  },
};
