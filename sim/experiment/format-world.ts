import type { Fields, SectionField } from "../../scheduler/fields/fields.ts";
import {
  factor,
  integer,
  momentS,
  number,
  optional,
  probability,
  seconds,
  value,
} from "../../scheduler/fields/field-makers.ts";
import { SERVICE } from "./format-service.ts";
import { EXPERIMENT_LIMITS } from "./limits.ts";

const { ms: MAX_MS, nodes: MAX_NODES, sections: MAX_SECTIONS } = EXPERIMENT_LIMITS;

const speed = { atLeast: EXPERIMENT_LIMITS.lowestSpeed, atMost: EXPERIMENT_LIMITS.speed };
const name = { type: "name", maxLength: 100 } as const;

/** Nodes, as far as nothing befalls them. */
const NODES: Fields = {
  nodes: integer("how many", { atLeast: 1, atMost: MAX_NODES, absent: { derived: "those of `fleet.classes`" } }),
  slots: integer("copies that a node runs at once; `unlimited` for no queueing", {
    atLeast: 1,
    atMost: EXPERIMENT_LIMITS.slots,
    word: "unlimited",
    absent: value(1),
  }),
  queue: {
    type: "word",
    words: ["fifo", "batching"],
    means:
      "`fifo`: each running copy has its slot for itself; `batching`: those that run together slow each other down",
    absent: value("fifo"),
  },
  batching: optional("with `queue: batching`", {
    slowdownPerCopy: number("x: each of n copies runs at 1 / (1 + x (n − 1)) of its speed; 1 shares one processor", {
      atLeast: 0,
      atMost: 1_000,
    }),
  }),
  speeds: {
    type: "list",
    of: number("speed", speed),
    minItems: 1,
    maxItems: EXPERIMENT_LIMITS.listItems,
    means: "relative speeds, dealt out in a circle",
    absent: value([1]),
  },
  operators: integer("failure domains, dealt out in a circle; copies of a job avoid sharing one", {
    atLeast: 1,
    atMost: MAX_NODES,
    absent: { derived: "one per node" },
  }),
  classes: {
    type: "sections",
    maxItems: MAX_SECTIONS,
    word: "none",
    means: "in place of `nodes`, `speeds` and `operators`: nodes of several kinds, mixed evenly",
    absent: value("none"),
    fields: {
      name: { ...name, means: "the hardware that the nodes register with" },
      count: integer("nodes of the class", { atLeast: 1, atMost: MAX_NODES }),
      speed: number("relative speed", { ...speed, absent: value(1) }),
      operator: { ...name, means: "whose all of them are", absent: { derived: "one per node" } },
      priceGwei: integer("what they ask for an answer", { atLeast: 0, atMost: 1_000, absent: value(10) }),
      service: {
        type: "again",
        name: "service",
        field: () => SERVICE,
        means: "how long a copy takes on them at speed 1",
        absent: { derived: "`service`" },
      },
    },
  },
};

/** What befalls nodes. */
const FAULTS: Fields = {
  deadFraction: number("share of nodes that accept copies and never answer", {
    atLeast: 0,
    atMost: 0.99,
    absent: value(0),
  }),
  stragglers: optional("nodes that are slow for a while, with all that they run", {
    everyS: seconds("mean time at full speed"),
    lastsS: seconds("mean time in the slow state"),
    factor: factor("how many times as long everything takes meanwhile"),
  }),
  outages: optional("nodes that fail for a while", {
    everyS: seconds("mean time in good health"),
    lastsS: seconds("mean time until it is back"),
    kind: {
      type: "word",
      words: ["crash", "hang"],
      means: "`crash`: what it has is lost, and the scheduler hears that it left; `hang`: it stands still in silence",
    },
  }),
  churn: optional("nodes that give back what they have, leave, and come again", {
    leaveEveryS: seconds("mean time in the fleet"),
    returnAfterS: seconds("mean time away"),
  }),
  slowdowns: {
    type: "sections",
    maxItems: MAX_SECTIONS,
    means: "times in which the whole fleet is slow",
    absent: value([]),
    fields: {
      atS: momentS("beginning"),
      forS: seconds("length"),
      factor: factor("how many times as long everything takes meanwhile"),
    },
  },
  dishonest: optional("nodes, chosen at random, that answer without having run the model; verification finds out", {
    fraction: probability("share of nodes"),
    probability: probability("of a copy on one of them"),
    speedFactor: number("how many times as fast such an answer comes", {
      atLeast: 1,
      atMost: EXPERIMENT_LIMITS.factor,
    }),
  }),
  errors: optional("nodes, chosen at random, that fail copies at a random point of their run", {
    fraction: probability("share of nodes"),
    probability: probability("of a copy on one of them"),
  }),
};

export const FLEET: SectionField = { type: "section", means: "the nodes", fields: { ...NODES, ...FAULTS } };

export const NETWORK: SectionField = {
  type: "section",
  means: "between scheduler and nodes",
  absent: { derived: "no delay" },
  fields: {
    oneWayMs: number("delay in one direction", { atLeast: 0, atMost: MAX_MS, absent: value(0) }),
    jitterMs: number("mean of a further, exponential delay of each message, so that they overtake each other", {
      atLeast: 0,
      atMost: MAX_MS,
      absent: value(0),
    }),
    loss: number("probability that a message is lost", { atLeast: 0, atMost: 0.9, absent: value(0) }),
    duplication: number("probability that a message comes twice", { atLeast: 0, atMost: 1, absent: value(0) }),
    partition: {
      type: "sections",
      maxItems: MAX_SECTIONS,
      means: "times in which no message passes to and from some nodes",
      absent: value([]),
      fields: {
        atS: momentS("beginning"),
        forS: seconds("length"),
        operators: integer("the nodes of so many operators, the first ones", { atLeast: 1, atMost: MAX_NODES }),
      },
    },
  },
};

export const VERIFICATION: SectionField = {
  type: "section",
  means: "proofs, and checking them",
  absent: { derived: "takes no time" },
  fields: {
    ms: number("how long one check takes", { atLeast: 0, atMost: MAX_MS, absent: value(0) }),
    workers: integer("checks done at a time; other answers wait in line", {
      atLeast: 1,
      atMost: EXPERIMENT_LIMITS.slots,
      word: "unlimited",
      absent: value("unlimited"),
    }),
    proofMs: number("how long the proof takes the node, after the model, at speed 1", {
      atLeast: 0,
      atMost: MAX_MS,
      absent: value(0),
    }),
  },
};

export const BLOCKS: SectionField = {
  type: "section",
  word: "none",
  means: "`none`: races alone, without mempool, fees and blocks",
  absent: value("none"),
  fields: {
    intervalMs: number("time between blocks", { atLeast: EXPERIMENT_LIMITS.shortestBlockMs, atMost: MAX_MS }),
    ttlBlocks: integer("blocks in which a transaction may be sealed", {
      atLeast: 1,
      atMost: EXPERIMENT_LIMITS.ttlBlocks,
    }),
    jitterMs: number("each block seals up to so much earlier or later than announced, uniformly", {
      atLeast: 0,
      atMost: MAX_MS,
      absent: value(0),
    }),
    reorgs: optional("blocks that the chain takes back; a job is over once its block cannot be taken back any more", {
      everyBlocks: number("mean number of blocks from one reorg to the next", { atLeast: 1, atMost: 1_000_000 }),
      depth: integer("blocks taken back at a time", { atLeast: 1, atMost: EXPERIMENT_LIMITS.reorgDepth }),
    }),
  },
};
