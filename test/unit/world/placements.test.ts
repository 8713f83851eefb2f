import { describe, expect, it } from "vitest";
import type { PlacementSpec } from "../../../policies/index.ts";
import { BareEngine } from "../../../scheduler/engine/bare-engine.ts";
import { BARE_RACES } from "../../../scheduler/engine/config.ts";
import { Recorder } from "../../../scheduler/engine/recorder.ts";
import { Random } from "../../../scheduler/shared/random.ts";
import { type CallTerms, NEVER } from "../../../scheduler/shared/vocabulary.ts";
import { simulate } from "../../../sim/world/simulate.ts";
import { experimentOf } from "../../support/experiments.ts";

/** Twenty exponential FIFO servers at load 0.8, one copy of each job. */
const QUEUES = experimentOf({
  replications: 1,
  jobs: 30_000,
  warmup: 5_000,
  arrivals: { kind: "poisson", ratePerS: 16 },
  service: { kind: "exponential", meanMs: 1_000 },
  fleet: { nodes: 20 },
  policy: { kind: "fixed", copies: 1 },
});

function meanMs(placement: PlacementSpec, experiment = QUEUES): number {
  const { responseSumUs, decided } = simulate({ ...experiment, placement }, 0, { samples: 0 });
  return responseSumUs / decided / 1_000;
}

describe("placements in queues", () => {
  it("two choices are far better than one, and all choices better still", () => {
    const [one, two, all] = [
      meanMs({ kind: "random" }),
      meanMs({ kind: "power-of-d" }),
      meanMs({ kind: "least-loaded" }),
    ];
    // 1 / (1 − 0.8) = 5 seconds; Σ ρ^(2^i − 2) = 1.95 in a very large fleet.
    expect(one).toBeGreaterThan(4_000);
    expect(two).toBeLessThan(2_400);
    expect(all).toBeLessThan(two);
  });

  it("what knows the nodes' paces beats what knows their queues alone, where paces differ", () => {
    const uneven = { ...QUEUES, fleet: { ...QUEUES.fleet, speeds: [2, 2, 0.25, 0.25, 0.5] } };
    const queues = meanMs({ kind: "least-loaded" }, uneven);
    for (const kind of ["c3", "prequal", "price-aware"] as const) {
      expect(meanMs({ kind }, uneven), kind).toBeLessThan(0.95 * queues);
    }
  });
});

// ── a fleet whose nodes a test makes up ────────────────────────────────────────────────────────────────────────────────

/** What a node does with a copy: answers after so many milliseconds, or fails at once. */
type Conduct = (random: Random) => number | "fail";

const answersIn =
  (ms: number): Conduct =>
  (random) =>
    ms * (0.5 + random.unit());

/** Seven of ten copies fail at once: never long enough in a row for a rest. */
const failsAtOnce: Conduct = (random) => (random.unit() < 0.7 ? "fail" : 1_000);

interface Arrival {
  readonly afterJob: number;
  readonly conduct: Conduct;
}

/** Names of the nodes that were given copies, in order, over so many jobs of one copy each, seven under way at a time. */
function dispatches(placement: PlacementSpec, nodes: Readonly<Record<string, Conduct>>, newcomer?: Arrival): string[] {
  const races = { ...BARE_RACES, quarantineAfter: 1_000 };
  const engine = new BareEngine({
    seed: 3,
    policy: { kind: "fixed", copies: 1 },
    placement,
    budget: "unlimited",
    races,
  });
  const out = new Recorder();
  const random = new Random(5);
  const conducts = new Map<string, Conduct>(Object.entries(nodes));
  const due: { readonly atUs: number; readonly copy: number; readonly node: string; readonly fails: boolean }[] = [];
  const given: string[] = [];
  const freeUs = new Map<string, number>();
  let nowUs = 1_000_000;

  const join = (id: string): void => {
    const offers = [{ model: "m", mode: "vanilla", priceGwei: 10 }] as const;
    const base = { key: "", operator: id, region: id, hardware: "h", slots: 1, queueLimit: 1_000, offers };
    engine.step(nowUs, { kind: "node-joined", node: { id, ...base } }, out);
  };
  const carryOut = (): void => {
    for (const command of out.take()) {
      if (command.kind === "verify") {
        engine.step(nowUs, { kind: "verdict", copy: command.copy.id, accepted: true, reason: "" }, out);
        carryOut();
      }
      if (command.kind !== "dispatch") continue;
      const { id: copy, node } = command.copy;
      given.push(node.id);
      const takes = conducts.get(node.id)?.(random) ?? "fail";
      const fails = takes === "fail";
      // One after the other on each node.
      const startsUs = Math.max(nowUs, freeUs.get(node.id) ?? 0);
      const atUs = startsUs + (fails ? 1_000 : Math.round(1_000 * takes));
      freeUs.set(node.id, atUs);
      due.push({ atUs, copy, node: node.id, fails });
    }
  };

  for (const id of conducts.keys()) join(id);
  for (let job = 0; job < JOBS; job++) {
    if (newcomer?.afterJob === job) {
      conducts.set("new", newcomer.conduct);
      join("new");
      given.push("joined");
    }
    const owner = { id: job, hash: `${job}`, seq: job, sender: "", nonce: 0 };
    engine.step(nowUs, { kind: "job-opened", owner, call: CALL, targetUs: NEVER }, out);
    carryOut();
    while (due.length > 7) {
      due.sort((a, b) => a.atUs - b.atUs);
      const { atUs, copy, node, fails } = due.shift() as (typeof due)[number];
      nowUs = Math.max(nowUs, atUs);
      if (fails) engine.step(nowUs, { kind: "copy-failed", copy, node, reason: "error" }, out);
      else engine.step(nowUs, { kind: "copy-answered", copy, node, outputHash: "o", answerHash: "a" }, out);
      carryOut();
    }
  }
  return given;
}

const JOBS = 4_000;
const CALL: CallTerms = {
  model: "m",
  mode: "vanilla",
  digest: "d",
  inputHash: "i",
  tokensIn: 1,
  tokensOut: 1,
  maxFeeGwei: 10,
  conflict: { kind: "first-valid" },
  validityBlocks: 1,
};

function shareOf(node: string, given: readonly string[]): number {
  return given.filter((name) => name === node).length / given.length;
}

const ALIKE = Object.fromEntries(Array.from({ length: 9 }, (_, index) => [`n${index}`, answersIn(1_000)]));
const LEARNING = ["c3", "prequal", "price-aware"] as const;

describe("a node that fails seven of ten copies at once", () => {
  it("draws copies in where load alone counts", () => {
    expect(shareOf("sink", dispatches({ kind: "least-loaded" }, { ...ALIKE, sink: failsAtOnce }))).toBeGreaterThan(
      0.15,
    );
  });

  it.each(LEARNING)("gets less than its share under %s", (kind) => {
    expect(shareOf("sink", dispatches({ kind }, { ...ALIKE, sink: failsAtOnce }))).toBeLessThan(0.07);
  });
});

describe("a node that nobody knows", () => {
  const quick = Object.fromEntries(Array.from({ length: 9 }, (_, index) => [`n${index}`, answersIn(300)]));

  it.each(LEARNING)(
    "gets its first copy soon, and its part of the work once it is known as quick, under %s",
    (kind) => {
      const given = dispatches({ kind }, quick, { afterJob: 2_000, conduct: answersIn(200) });
      const since = given.slice(given.indexOf("joined") + 1);
      expect(since.indexOf("new")).toBeGreaterThanOrEqual(0);
      expect(since.indexOf("new")).toBeLessThan(200);
      expect(shareOf("new", since.slice(500))).toBeGreaterThan(0.1);
    },
  );

  it.each(LEARNING)("gets no more than exploration's share when it turns out slow, under %s", (kind) => {
    const given = dispatches({ kind }, quick, { afterJob: 1_000, conduct: answersIn(30_000) });
    expect(shareOf("new", given.slice(given.indexOf("joined") + 200))).toBeLessThan(0.01);
  });
});

describe("the fastest node", () => {
  it.each(LEARNING)("is used more than others and does not drown under %s", (kind) => {
    const share = shareOf("fast", dispatches({ kind }, { ...ALIKE, fast: answersIn(300) }));
    expect(share).toBeGreaterThan(0.15);
    expect(share).toBeLessThan(0.7);
  });
});
