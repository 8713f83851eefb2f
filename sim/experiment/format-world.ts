import type { SectionField } from "./fields.ts";
import { durationMs, integer, number, value } from "./field-makers.ts";
import { EXPERIMENT_LIMITS } from "./limits.ts";

const { ms: MAX_MS } = EXPERIMENT_LIMITS;

export const FLEET: SectionField = {
  type: "section",
  means: "the nodes",
  fields: {
    nodes: integer("how many", { atLeast: 1, atMost: EXPERIMENT_LIMITS.nodes }),
    slots: integer("copies that a node runs at once; `unlimited` for no queueing", {
      atLeast: 1,
      atMost: EXPERIMENT_LIMITS.slots,
      word: "unlimited",
      absent: value(1),
    }),
    queue: { type: "word", words: ["fifo"], means: "order of waiting copies", absent: value("fifo") },
    speeds: {
      type: "list",
      of: number("speed", { above: 0, atMost: 1_000 }),
      minItems: 1,
      maxItems: EXPERIMENT_LIMITS.listItems,
      means: "relative speeds, dealt out in a circle",
      absent: value([1]),
    },
    operators: integer("failure domains, dealt out in a circle; copies of a job avoid sharing one", {
      atLeast: 1,
      atMost: EXPERIMENT_LIMITS.nodes,
      absent: { derived: "one per node" },
    }),
    deadFraction: number("share of nodes that accept copies and never answer", {
      atLeast: 0,
      atMost: 0.99,
      absent: value(0),
    }),
  },
};

export const NETWORK: SectionField = {
  type: "section",
  means: "between scheduler and nodes",
  absent: { derived: "no delay" },
  fields: { oneWayMs: number("delay in one direction", { atLeast: 0, atMost: MAX_MS, absent: value(0) }) },
};

export const VERIFICATION: SectionField = {
  type: "section",
  means: "checking an answer's proof",
  absent: { derived: "takes no time" },
  fields: { ms: number("how long", { atLeast: 0, atMost: MAX_MS, absent: value(0) }) },
};

export const BLOCKS: SectionField = {
  type: "section",
  word: "none",
  means: "`none`: races alone, without mempool, fees and blocks",
  absent: value("none"),
  fields: {
    intervalMs: durationMs("time between blocks"),
    ttlBlocks: integer("blocks in which a transaction may be sealed", { atLeast: 1, atMost: 10_000 }),
  },
};
