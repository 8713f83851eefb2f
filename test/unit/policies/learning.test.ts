import { describe, expect, it } from "vitest";
import { Correlation } from "../../../policies/learning/correlation.ts";
import { Drift } from "../../../policies/learning/drift.ts";
import { JobSizes } from "../../../policies/learning/job-sizes.ts";
import { Learning, UNIT } from "../../../policies/learning/learning.ts";
import { NodePaces } from "../../../policies/learning/node-paces.ts";
import { normalCdf } from "../../../scheduler/shared/normal.ts";
import { Random } from "../../../scheduler/shared/random.ts";

const SECOND = 1_000_000;
const ALIKE = { tokensIn: 0, tokensOut: 0 };

function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random.unit())) * Math.cos(2 * Math.PI * random.unit());
}

/** Lognormal of mean 1 and coefficient of variation 1. */
function unitLognormal(random: Random): number {
  return Math.exp(-Math.LN2 / 2 + Math.sqrt(Math.LN2) * normal(random));
}

function again<T>(plain: T): T {
  return JSON.parse(JSON.stringify(plain)) as T;
}

describe("job sizes", () => {
  it("find the time to the first token and the time per token", () => {
    const random = new Random(1);
    const sizes = new JobSizes();
    for (let job = 0; job < 5_000; job++) {
      const size = { tokensIn: random.below(4_000), tokensOut: random.below(500) };
      const us = (96_000 + 20 * size.tokensIn + 45_000 * size.tokensOut) * Math.exp(0.1 * normal(random));
      sizes.observe(size, us);
    }
    for (const tokensOut of [10, 100, 400]) {
      const trueUs = 96_000 + 20 * 2_000 + 45_000 * tokensOut;
      expect(sizes.expectedUs({ tokensIn: 2_000, tokensOut }) / trueUs).toBeCloseTo(1, 1);
    }
  });

  it("see no slope where there is none, nor where all jobs are alike", () => {
    const random = new Random(2);
    const [noise, alike] = [new JobSizes(), new JobSizes()];
    for (let job = 0; job < 4_000; job++) {
      const us = SECOND * unitLognormal(random);
      noise.observe({ tokensIn: random.below(1_000), tokensOut: random.below(1_000) }, us);
      alike.observe({ tokensIn: 550, tokensOut: 150 }, us);
    }
    const [small, large] = [0, 1_000].map((tokens) => noise.expectedUs({ tokensIn: tokens, tokensOut: tokens }));
    expect((large as number) / (small as number)).toBeGreaterThan(0.8);
    expect((large as number) / (small as number)).toBeLessThan(1.25);
    expect(alike.expectedUs({ tokensIn: 550, tokensOut: 150 }) / SECOND).toBeCloseTo(1, 1);
  });

  it("never expect less than nothing, however durations fall with size", () => {
    const sizes = new JobSizes();
    for (let job = 0; job < 500; job++) sizes.observe({ tokensIn: 0, tokensOut: job }, SECOND * (501 - job));
    for (const tokensOut of [0, 499, 100_000]) expect(sizes.expectedUs({ tokensIn: 0, tokensOut })).toBeGreaterThan(0);
  });
});

describe("paces of nodes", () => {
  it("tell a slow node from its peers, and leave alike ones alike", () => {
    const random = new Random(3);
    const [one, all] = [new NodePaces(), new NodePaces()];
    for (let copy = 0; copy < 4_000; copy++) {
      const node = `node-${copy % 8}`;
      const offset = 0.3 * normal(random);
      one.answered(node, offset + (copy % 8 === 0 ? Math.LN2 : 0) - Math.LN2 / 8);
      all.answered(node, offset);
    }
    expect(one.pace("node-0") / one.pace("node-1")).toBeGreaterThan(1.8);
    expect(one.pace("node-0") / one.pace("node-1")).toBeLessThan(2.2);
    for (let node = 0; node < 8; node++) expect(Math.abs(Math.log(all.pace(`node-${node}`)))).toBeLessThan(0.05);
    expect(all.pace("node-99")).toBe(1);
  });

  it("find the dead one, forgive it when it is back, and learn nothing from copies that were cancelled at once", () => {
    const paces = new NodePaces();
    for (let copy = 0; copy < 200; copy++) for (const node of ["a", "b", "c"]) paces.answered(node, 0);
    const alive = paces.alive("a");
    for (let copy = 0; copy < 50; copy++) paces.silent("a", 1 - alive);
    expect(paces.alive("a")).toBeCloseTo(alive, 2);
    for (let copy = 0; copy < 12; copy++) paces.silent("b", 1);
    expect(paces.alive("b")).toBeLessThan(0.75);
    for (let copy = 0; copy < 60; copy++) paces.silent("b", 1);
    expect(paces.alive("b")).toBeLessThan(0.2);
    for (let copy = 0; copy < 60; copy++) paces.answered("b", 0);
    expect(paces.alive("b")).toBeGreaterThan(0.8);
    expect(paces.alive("c")).toBeGreaterThan(0.95);
  });
});

describe("drift", () => {
  it("is quiet while nothing changes", () => {
    const random = new Random(4);
    const drift = new Drift();
    let drifting = 0;
    for (let copy = 0; copy < 20_000; copy++) {
      drift.observe(0.5 * normal(random));
      if (drift.drifting) drifting++;
    }
    expect(drifting).toBe(0);
    expect(drift.pace).toBe(1);
  });

  it("knows of a fleet that is five times slower within two dozen answers, and of its recovery", () => {
    const random = new Random(5);
    const drift = new Drift();
    for (let copy = 0; copy < 2_000; copy++) drift.observe(0.3 * normal(random));
    for (let copy = 0; copy < 24; copy++) drift.observe(Math.log(5) + 0.3 * normal(random));
    expect(drift.pace).toBeGreaterThan(2.5);
    for (let copy = 0; copy < 76; copy++) drift.observe(Math.log(5) + 0.3 * normal(random));
    expect(drift.pace).toBeGreaterThan(4);
    expect(drift.pace).toBeLessThan(6);
    for (let copy = 0; copy < 150; copy++) drift.observe(0.3 * normal(random));
    expect(drift.pace).toBe(1);
    expect(Math.abs(drift.mean)).toBeLessThan(0.05);
  });

  it("takes a change that stays for the new usual", () => {
    const random = new Random(6);
    const drift = new Drift();
    for (let copy = 0; copy < 2_000; copy++) drift.observe(0.3 * normal(random));
    for (let copy = 0; copy < 1_200; copy++) drift.observe(1 + 0.3 * normal(random));
    expect(drift.drifting).toBe(false);
    expect(drift.mean).toBeCloseTo(1, 0);
  });
});

describe("correlation", () => {
  it.each([0, 0.5, 0.9])("of copies that share φ = %d of their variance is found from who outran whom", (phi) => {
    const random = new Random(7);
    const correlation = new Correlation();
    for (let job = 0; job < 4_000; job++) {
      const shared = Math.sqrt(phi) * normal(random);
      const ownZ = () => shared + Math.sqrt(1 - phi) * normal(random);
      const [first, second] = [Math.exp(0.5 * ownZ()), 0.5 + Math.exp(0.5 * ownZ())];
      // The second copy starts after half a median; whoever is first cancels the other.
      const endUs = Math.min(first, second);
      if (endUs <= 0.5) continue;
      const by = (duration: number) => normalCdf(Math.log(duration) / 0.5);
      if (first < second) correlation.pair(by(endUs), by(endUs - 0.5));
      else correlation.pair(by(endUs - 0.5), by(endUs));
    }
    expect(Math.abs(correlation.phi - phi)).toBeLessThan(0.15);
  });
});

describe("learning", () => {
  it("knows the 95th percentile within 2 % after twelve windows under a hedge at the percentile that it has learned", () => {
    const random = new Random(8);
    const learning = new Learning();
    const trueP95 = 2.781;
    let delay = trueP95;
    for (let window = 0; window < 12; window++) {
      for (let job = 0; job < 4_000; job++) {
        const [first, second] = [unitLognormal(random), delay + unitLognormal(random)];
        const end = Math.min(first, second);
        if (first <= second) learning.answered(ALIKE, "a", SECOND * first);
        else {
          learning.answered(ALIKE, "b", SECOND * (second - delay));
          learning.cut(ALIKE, "a", SECOND * end);
        }
        if (first <= second && first > delay) learning.cut(ALIKE, "b", SECOND * (end - delay));
      }
      // At the 90th percentile: every tenth job is hedged.
      const p90 = learning.law.smoothQuantileUs(0.9) as number;
      delay = (p90 / UNIT / SECOND) * learning.expectedUs(ALIKE);
    }
    const p95 = ((learning.law.smoothQuantileUs(0.95) as number) / UNIT / SECOND) * learning.expectedUs(ALIKE);
    expect(Math.abs(p95 / trueP95 - 1)).toBeLessThan(0.02);
  });

  it("does not take long jobs for slow nodes, nor dead nodes for long jobs", () => {
    const random = new Random(9);
    const learning = new Learning();
    for (let job = 0; job < 6_000; job++) {
      // The long jobs all go to one node, and one node in ten never answers: its copies are cut when another wins.
      const long = job % 4 === 0;
      const size = { tokensIn: 100, tokensOut: long ? 400 : 50 };
      const us = 45_000 * size.tokensOut * Math.exp(0.2 * normal(random));
      learning.answered(size, long ? "long" : `node-${job % 9}`, us);
      if (job % 10 === 0) learning.cut({ tokensIn: 100, tokensOut: 50 }, "dead", 20 * SECOND);
    }
    expect(Math.abs(Math.log(learning.paces.pace("long")))).toBeLessThan(0.1);
    expect(learning.paces.alive("dead")).toBeLessThan(0.2);
    expect(learning.law.smoothSurvival(2 * UNIT)).toBeLessThan(0.01);
    expect(learning.expectedUs({ tokensIn: 100, tokensOut: 400 }) / (45_000 * 400)).toBeCloseTo(1, 1);
  });

  it("goes on from a snapshot in plain JSON exactly where it was", () => {
    const random = new Random(10);
    const learning = new Learning();
    const tell = (to: Learning, job: number, us: number) => {
      const size = { tokensIn: job % 7, tokensOut: job % 5 };
      if (job % 3 === 0) to.cut(size, `node-${job % 4}`, us);
      else to.answered(size, `node-${job % 4}`, us);
      if (job % 50 === 0) to.silent("node-9");
    };
    for (const at of [5, 60, 3_000]) {
      for (let job = 0; job < at; job++) tell(learning, job, SECOND * unitLognormal(random));
      const restored = new Learning();
      restored.restore(again(learning.snapshot()));
      const ahead = new Random(at);
      const back = new Random(at);
      for (let job = 0; job < 100; job++) tell(learning, job, SECOND * unitLognormal(ahead));
      for (let job = 0; job < 100; job++) tell(restored, job, SECOND * unitLognormal(back));
      expect(again(restored.snapshot())).toEqual(again(learning.snapshot()));
    }
  });
});
