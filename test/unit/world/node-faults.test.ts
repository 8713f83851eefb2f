import { describe, expect, it } from "vitest";
import { simulate } from "../../../sim/world/simulate.ts";
import { experimentOf } from "../../support/experiments.ts";
import { OpenWorld } from "./open-world.ts";
import { meanMs, near, perJob, play, SMALL } from "./small-world.ts";

describe("batching", () => {
  const batching = (slowdownPerCopy: number) => ({
    nodes: 1,
    slots: "unlimited",
    queue: "batching",
    batching: { slowdownPerCopy },
  });

  it("without slowdown is a queue without batching, to the microsecond", () => {
    const service = { kind: "exponential", meanMs: 300 };
    // Raced, so that copies are also taken off before their end, and without a limit some sixty of them at a time.
    const keys = { service, jobs: 2_000, policy: { kind: "fixed", copies: 2 } };
    for (const [slots, ratePerS] of [
      [1, 5],
      [3, 15],
      ["unlimited", 300],
    ] as const) {
      const arrivals = { kind: "poisson", ratePerS };
      const { elapsedMs: _, ...batched } = play({ ...keys, arrivals }, { ...batching(0), nodes: 3, slots });
      const { elapsedMs: __, ...plain } = play({ ...keys, arrivals }, { nodes: 3, slots });
      expect(batched).toEqual(plain);
    }
  });

  it("slows copies down while they run together, and not before and after", () => {
    // Every fifteen seconds one alone, and two that begin 200 ms apart.
    const csv = "TIMESTAMP,ContextTokens,GeneratedTokens\n0,1,1\n0.2,1,1\n10,1,1\n";
    const service = { kind: "deterministic", ms: 400 };
    const experiment = experimentOf({ ...SMALL, jobs: 30, warmup: 0, service, fleet: batching(0.5) });
    const arrivals = { kind: "trace", file: "pairs.csv", speedup: 1 } as const;
    const { samples } = simulate({ ...experiment, arrivals }, 0, { samples: 30, readFile: () => csv });
    const tookMs = samples.map(({ openedUs, decidedUs }) => Math.round((decidedUs - openedUs) / 1_000)).toSorted();
    // Of the first one half is done when the second one comes, and takes 300 ms in place of 200; and so with the second one.
    expect(tookMs).toEqual([...Array(10).fill(400), ...Array(20).fill(500)]);
  });
});

describe("speeds that change", () => {
  it("a slowdown takes everything as many times as long as it says, while it lasts, also what runs already", () => {
    const slowdowns = [{ atS: 0, forS: 1_000_000, factor: 3 }];
    expect(meanMs(play({ jobs: 500 }, { slowdowns }))).toBeCloseTo(300, 6);
    // From the first to the second second everything stands nearly still: what is there then takes until its end.
    const still = [{ atS: 1, forS: 1, factor: 1_000_000 }];
    const arrivals = { kind: "gamma", ratePerS: 20, cv: 0.001 };
    const { samples } = play({ arrivals, jobs: 40, warmup: 0 }, { slowdowns: still }, 40);
    const caught = samples.filter(({ openedUs, decidedUs }) => openedUs < 1_000_000 && decidedUs > 1_000_000);
    expect(caught).toHaveLength(2);
    for (const { openedUs, decidedUs } of caught) expect(decidedUs - openedUs).toBeCloseTo(1_100_000, -1);
  });

  it("two slowdowns at a time multiply, and none is left of them afterwards", () => {
    const slowdowns = [
      { atS: 0, forS: 10, factor: 2 },
      { atS: 5, forS: 10, factor: 3 },
    ];
    const arrivals = { kind: "gamma", ratePerS: 1, cv: 0.001 };
    const { samples } = play({ arrivals, jobs: 20, warmup: 0 }, { slowdowns }, 20);
    const tookMs = samples.map(({ openedUs, decidedUs }) => Math.round((decidedUs - openedUs) / 1_000));
    expect(new Set(tookMs.slice(0, 3))).toEqual(new Set([200]));
    expect(new Set(tookMs.slice(5, 8))).toEqual(new Set([600]));
    expect(new Set(tookMs.slice(10, 13))).toEqual(new Set([300]));
    expect(new Set(tookMs.slice(16))).toEqual(new Set([100]));
  });

  it("slow states take copies as theory says: work w, interrupted every E for L, takes w(1 + L/E) + L²/(E + L)", () => {
    const [work, every, lasts] = [0.1, 2, 0.3];
    const stragglers = { everyS: every, lastsS: lasts, factor: 1_000_000 };
    const expected = work * (1 + lasts / every) + (lasts * lasts) / (every + lasts);
    near(meanMs(play({ jobs: 60_000 }, { stragglers })) / 1_000, expected, 0.02);
  });

  it("slow states begin in the middle of things, with the share of time that they take", () => {
    const service = { kind: "deterministic", ms: 1 };
    const stragglers = { everyS: 20, lastsS: 10, factor: 4 };
    // Copies so short that they see one state: 1 ms of two thirds, 4 ms of one.
    near(meanMs(play({ service, jobs: 60_000 }, { stragglers })), 2, 0.03);
    const early = play(
      { service, jobs: 3_000, warmup: 0, arrivals: { kind: "poisson", ratePerS: 3_000 } },
      { nodes: 300, stragglers },
    );
    near(meanMs(early), 2, 0.1);
  });
});

describe("nodes that fail", () => {
  const service = { kind: "deterministic", ms: 300 };

  it("a copy fails as often as it says, half-way on average: 1/(1 − p) copies", () => {
    const run = play({}, { errors: { fraction: 1, probability: 0.3 } });
    near(perJob(run).copies, 1 / 0.7, 0.02);
    expect(run.lost).toBe(run.copies - run.decided);
    near(meanMs(run), 100 * (1 + (0.3 / 0.7) * 0.5), 0.02);
  });

  it("only the nodes concerned fail copies", () => {
    const run = play({ placement: { kind: "random" } }, { errors: { fraction: 0.2, probability: 0.05 } });
    // A failed copy goes to another node first; so rarely do they fail that none of them ever rests.
    near(perJob(run).lost, 0.2 * 0.05, 0.25);
  });

  it("dishonest answers come faster, are rejected, and cost another copy: 1/(1 − p)", () => {
    const run = play({}, { dishonest: { fraction: 1, probability: 0.3, speedFactor: 10 } });
    near(perJob(run).copies, 1 / 0.7, 0.02);
    expect(run.rejectedProofs).toBe(run.copies - run.decided);
    expect(run.lost).toBe(0);
    near(meanMs(run), 100 * (1 + (0.3 / 0.7) * 0.1), 0.01);
  });

  it("a crash loses what runs, the scheduler hears of it and tries elsewhere: a copy survives with e^(−w/E)", () => {
    const run = play({ service }, { outages: { everyS: 10, lastsS: 5, kind: "crash" } });
    near(perJob(run).lost, Math.exp(0.3 / 10) - 1, 0.15);
    expect(run.cancelled).toBe(0);
    // It is told at once, so that a job loses half of its copy's time.
    near(meanMs(run), 300 + perJob(run).lost * 150, 0.005);
  });

  it("a hang says nothing: the copy is given up after the production timeouts, and told to stop", () => {
    const run = play({ service }, { outages: { everyS: 10, lastsS: 5, kind: "hang" } });
    expect(perJob(run).lost).toBeGreaterThan(0.1);
    expect(run.cancelled).toBe(run.lost);
    // A second passes before a copy that was not accepted is given up.
    expect(meanMs(run)).toBeGreaterThan(300 + perJob(run).lost * 1_000);
  });

  it("a hang of a tenth of a second is waited for, also by a copy that came meanwhile and takes longer than a second", () => {
    const long = play(
      { service: { kind: "deterministic", ms: 1_500 } },
      {
        outages: { everyS: 10, lastsS: 0.1, kind: "hang" },
      },
    );
    expect(perJob(long).lost).toBeLessThan(0.002);
    const run = play({ service }, { outages: { everyS: 10, lastsS: 0.1, kind: "hang" } });
    const [work, every, lasts] = [300, 10_000, 100];
    near(meanMs(run), work * (1 + lasts / every) + (lasts * lasts) / (every + lasts), 0.01);
    expect(perJob(run).lost).toBeLessThan(0.001);
  });

  it("a node that leaves gives its copies back first: none waits for a timeout, none is cancelled", () => {
    const run = play({ service }, { churn: { leaveEveryS: 10, returnAfterS: 5 } });
    near(perJob(run).lost, Math.exp(0.3 / 10) - 1, 0.15);
    expect(run.cancelled).toBe(0);
    expect(meanMs(run)).toBeLessThan(310);
  });

  it("who crashes says that it left; who leaves fails its copies first; nothing runs where nobody is", () => {
    const keys = { ...SMALL, jobs: 5_000, service, network: { oneWayMs: 100 } };
    const fleet = { nodes: 10, slots: "unlimited" };
    const crashing = new OpenWorld({ ...keys, fleet: { ...fleet, outages: { everyS: 10, lastsS: 5, kind: "crash" } } });
    crashing.run();
    expect(crashing.told).toContain("node-left");
    expect(crashing.told).toContain("node-joined");
    expect(crashing.told.filter((kind) => kind.startsWith("copy-failed"))).toEqual([]);
    expect(crashing.ghosts).toBe(0);
    const leaving = new OpenWorld({ ...keys, fleet: { ...fleet, churn: { leaveEveryS: 10, returnAfterS: 5 } } });
    leaving.run();
    const [failed, left] = [leaving.told.indexOf("copy-failed: drained"), leaving.told.indexOf("node-left")];
    expect(failed).toBeGreaterThan(-1);
    expect(left).toBeGreaterThan(-1);
    expect(leaving.told[failed + 1]).toMatch(/copy-failed: drained|node-left/);
    expect(leaving.ghosts).toBe(0);
  });

  it("dead nodes need no blocks: leases bring their copies back", () => {
    const run = play({ jobs: 2_000 }, { deadFraction: 0.3 });
    expect(run.decided).toBe(2_000);
    expect(run.lost).toBe(run.copies - run.decided);
    expect(run.lost).toBeGreaterThan(10);
  });

  it("what befalls nodes does not depend on the policy", () => {
    const fleet = {
      outages: { everyS: 10, lastsS: 5, kind: "crash" },
      stragglers: { everyS: 5, lastsS: 5, factor: 2 },
    };
    const one = play({ jobs: 2_000, policy: { kind: "fixed", copies: 1 } }, fleet);
    const two = play({ jobs: 2_000, policy: { kind: "fixed", copies: 2 } }, fleet);
    // With more copies a job is never slower, copy by copy the same.
    expect(two.responseSumUs).toBeLessThan(one.responseSumUs);
    expect(two.simulatedUs).toBeLessThanOrEqual(one.simulatedUs);
  });
});

describe("classes of nodes", () => {
  const classes = [
    { name: "H100", count: 2, speed: 2, operator: "north", priceGwei: 30 },
    { name: "A100", count: 6, speed: 1 },
  ];
  it("are as fast and as dear as they say", () => {
    const run = play({ placement: { kind: "random" } }, { nodes: 8, classes });
    near(meanMs(run), (2 * 50 + 6 * 100) / 8, 0.01);
    near(run.feesGwei / run.jobs, (2 * 30 + 6 * 10) / 8, 0.02);
  });

  it("are mixed evenly: of the first nodes, which are dead, each class has its share", () => {
    const halves = [
      { name: "fast", count: 5, speed: 2 },
      { name: "slow", count: 5, speed: 1 },
    ];
    const { samples } = play({ jobs: 5_000 }, { classes: halves, deadFraction: 0.4 }, 5_000);
    const winners = samples.flatMap(({ copies }) => copies.filter(({ end }) => end === "won"));
    const tookUs = winners.reduce((sum, { startedUs, endedUs }) => sum + endedUs - startedUs, 0) / winners.length;
    // Three nodes of each class are alive.
    near(tookUs / 1_000, (50 + 100) / 2, 0.03);
  });

  it("may have services of their own, on the same random numbers as the others", () => {
    const service = { kind: "exponential", meanMs: 100 };
    const slower = { kind: "exponential", meanMs: 300 };
    const one = [{ name: "all", count: 8, service: slower }];
    const run = play({ service }, { nodes: 8, classes: one });
    near(meanMs(run), 300, 0.02);
    const same = play({ service }, { nodes: 8, classes: [{ name: "all", count: 8, service }] });
    near(run.responseSumUs, 3 * same.responseSumUs, 1e-4);
  });
});
