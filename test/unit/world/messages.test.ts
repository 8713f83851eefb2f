import { describe, expect, it } from "vitest";
import { mg1Mean } from "../../../sim/theory/queues.ts";
import { deterministic } from "../../../sim/theory/laws.ts";
import { meanMs, near, perJob, play } from "./small-world.ts";

describe("the network", () => {
  it("delays each message by its jitter besides: twice per job", () => {
    near(meanMs(play({ network: { oneWayMs: 5, jitterMs: 20 } })), 100 + 2 * (5 + 20), 0.01);
  });

  it("lets messages overtake each other: a Cancel that comes before its copy spares the node all of it", () => {
    const [policy, arrivals] = [
      { kind: "fixed", copies: 2 },
      { kind: "poisson", ratePerS: 5 },
    ];
    const network = { jitterMs: 500 };
    const run = play({ policy, arrivals, network, jobs: 5_000, service: { kind: "deterministic", ms: 1 } }, {}, 5_000);
    const losers = run.samples.flatMap(({ copies }) => copies.filter(({ end }) => end === "cancelled"));
    const untouched = losers.filter(({ startedUs, launchedUs }) => startedUs === launchedUs);
    expect(untouched.length).toBeGreaterThan(100);
    expect(run.decided).toBe(5_000);
  });

  it("loses messages: a copy comes through when neither its dispatch nor its answer is lost, with (1 − p)²", () => {
    const run = play({ network: { loss: 0.2 } });
    near(perJob(run).copies, 1 / 0.8 ** 2, 0.02);
    expect(run.lost).toBe(run.copies - run.decided);
    // Who hears nothing of a copy that was accepted waits for the end of its lease.
    expect(meanMs(run)).toBeGreaterThan(1_000);
  });

  it("a Cancel that is lost leaves the copy running to its end", () => {
    const keys = { policy: { kind: "fixed", copies: 2 }, jobs: 5_000, service: { kind: "exponential", meanMs: 300 } };
    const reliable = play({ ...keys, network: { oneWayMs: 1 } });
    const lossy = play({ ...keys, network: { oneWayMs: 1, loss: 0.3 } });
    expect(lossy.workUs).toBeGreaterThan(1.15 * reliable.workUs);
  });

  it("repeats messages without harm: whatever comes first counts, and each job is decided once", () => {
    const jittery = play({ network: { oneWayMs: 5, jitterMs: 20 } });
    const repeated = play({ network: { oneWayMs: 5, jitterMs: 20, duplication: 1 } });
    const { copies, decided, cancelled, lost } = repeated;
    expect({ copies, decided, cancelled, lost }).toEqual({ copies: 20_000, decided: 20_000, cancelled: 0, lost: 0 });
    // The earlier of two exponential times is half as long.
    near(meanMs(repeated), 100 + 2 * (5 + 10), 0.01);
    expect(repeated.events).toBeGreaterThan(jittery.events);
  });

  it("leaves some operators out of reach for a while, without a word", () => {
    const partition = [{ atS: 20, forS: 20, operators: 5 }];
    const run = play({ jobs: 300, warmup: 0, network: { partition } }, {}, 300);
    const cut = run.samples.filter(({ copies }) => copies.some(({ end }) => end === "lost"));
    expect(cut.length).toBeGreaterThan(3);
    for (const { copies, openedUs } of cut) {
      expect(openedUs).toBeGreaterThan(19e6);
      expect(openedUs).toBeLessThan(40e6);
      for (const { node, end } of copies) if (end === "lost") expect(node % 10).toBeLessThan(5);
    }
    expect(run.decided).toBe(300);
  });
});

describe("verification", () => {
  it("by few is a queue of its own: M/D/1 behind exponential services", () => {
    const service = { kind: "exponential", meanMs: 100 };
    const run = play({ jobs: 60_000, service, verification: { ms: 140, workers: 1 } });
    near(meanMs(run), 100 + 1_000 * mg1Mean(5, deterministic(0.14)), 0.03);
    const enough = play({ jobs: 5_000, service, verification: { ms: 140, workers: 1_000 } });
    expect(enough.responseSumUs).toBe(play({ jobs: 5_000, service, verification: { ms: 140 } }).responseSumUs);
  });

  it("needs a proof, which its node takes time for, at its own speed", () => {
    expect(meanMs(play({ jobs: 500, verification: { proofMs: 30 } }))).toBeCloseTo(130, 6);
    expect(meanMs(play({ jobs: 500, verification: { proofMs: 30 } }, { speeds: [2] }))).toBeCloseTo(65, 6);
  });

  it.each(["optimistic", "tee", "zkml"])(
    "has a mode, %s, which changes nothing but what it is told to cost",
    (mode) => {
      const blocks = { intervalMs: 500, ttlBlocks: 20, reorgs: { everyBlocks: 10, depth: 2 } };
      for (const keys of [{}, { blocks }]) {
        const { elapsedMs: _, engineEvents: __, ...vanilla } = play({ ...keys, jobs: 2_000 });
        const { elapsedMs: ___, engineEvents: ____, ...other } = play({ ...keys, jobs: 2_000, mode });
        expect(other).toEqual(vanilla);
      }
    },
  );
});
