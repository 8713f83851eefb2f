import { describe, expect, it } from "vitest";
import { DEFAULTS } from "../../../../policies/defaults.ts";
import { DecayingHistogram } from "../../../../policies/peers/decaying-histogram.ts";
import { HdrWindow } from "../../../../policies/peers/hdr-window.ts";
import { RetryBudget } from "../../../../policies/peers/retry-budget.ts";
import { speculativeRetryOf } from "../../../../policies/peers/speculative-retry.ts";
import { Thresholds } from "../../../../policies/peers/thresholds.ts";
import { Stage } from "./stage.ts";

const repeated = (ms: number, count: number): number[] => Array.from({ length: count }, () => ms);

describe("finagle", () => {
  const spec = { ...DEFAULTS.finagle, maxExtraLoad: 0.1 };
  /** Ninety of 20 ms and ten of 200 ms in each ten seconds, for a minute. */
  const steady = (stage: Stage): Stage => {
    for (let second = 0; second < 60; second++) {
      stage.history(...repeated(20, 9), ...repeated(200, 1)).wait(620);
    }
    return stage;
  };

  it("sends one backup at the quantile that maxExtraLoad leaves", () => {
    const stage = steady(new Stage(spec)).open().wait(5_000);
    expect(stage.launchesMs).toEqual([0, 20]);
    expect(stage.lookMs).toBe("never");
    expect(
      steady(new Stage({ ...spec, maxExtraLoad: 0.09 }))
        .open()
        .wait(5_000).launchesMs,
    ).toEqual([0, 200]);
  });

  it("sends no second backup, also when the first one failed", () => {
    const stage = steady(new Stage(spec)).open().wait(50).lose(1, "failed").wait(5_000);
    expect(stage.launched).toBe(2);
  });

  it("sends none before it has read its window, then at once until the first interval is full", () => {
    // The percentile of nothing is 0, and a backup is sent after 1 ms at the earliest.
    expect(new Stage(spec).history(100).open().wait(2_000).launchesMs).toEqual([0]);
    expect(new Stage(spec).history(100).wait(3_000).history(1).open().wait(500).launchesMs).toEqual([0, 1]);
  });

  it("is off for services slower than its histogram's 2 s, unless it is told to look further", () => {
    const slow = (stage: Stage): Stage =>
      stage
        .history(...repeated(6_000, 20))
        .open()
        .wait(60_000);
    expect(slow(new Stage(spec)).launched).toBe(1);
    expect(slow(new Stage({ ...spec, highestTrackableMs: 60_000 })).launched).toBe(2);
  });

  it("keeps for a race the threshold that held when its copy was launched", () => {
    const stage = new Stage({ ...spec, highestTrackableMs: 60_000 }).history(...repeated(10_000, 20)).open();
    const inForce = stage.lookMs as number;
    expect(inForce).toBeGreaterThanOrEqual(10_000);
    // Meanwhile others have become a thousand times as fast.
    for (let index = 0; index < 990; index++) {
      const launchedUs = stage.nowUs;
      stage.wait(10);
      stage.memory?.ended({ outcome: "accepted", speculative: false, launchedUs, endedUs: stage.nowUs }, stage.nowUs);
    }
    stage.ask();
    expect(stage.lookMs).toBe(inForce);
    expect(stage.wait(200).launched).toBe(2);
    stage.win();
    expect(stage.wait(10_000).history(10).open().lookMs).toBe(10);
  });

  it("learns from what it cut off itself and from silence, not from fast failures", () => {
    const ends = (stage: Stage, outcome: "cancelled" | "failed"): Stage => {
      for (let index = 0; index < 300; index++) {
        const launchedUs = stage.nowUs;
        stage.memory?.opened(stage.picture, launchedUs);
        stage.wait(100);
        stage.memory?.ended({ outcome, speculative: false, launchedUs, endedUs: stage.nowUs }, stage.nowUs);
      }
      return stage;
    };
    expect(ends(new Stage(spec), "cancelled").open().wait(5_000).launchesMs).toEqual([0, 100]);
    expect(ends(new Stage(spec), "failed").open().wait(5_000).launchesMs).toEqual([0, 1]);
  });

  it("sends no backup for which its budget has no room", () => {
    const stage = steady(new Stage({ ...spec, minRetriesPerSec: 0 })).open();
    const { nowUs } = stage;
    // Of a hundred requests in ten seconds ten may be backed up.
    for (let index = 0; index < 11; index++) stage.memory?.launched({ speculative: true }, nowUs);
    expect(stage.wait(5_000).launched).toBe(1);
  });

  it("gives the same decisions from a snapshot, and remembers no more however much there is", () => {
    const stage = steady(new Stage(spec));
    const whole = stage.open().wait(5_000).launchesMs;
    const again = steady(new Stage(spec)).restore().open().wait(5_000).launchesMs;
    expect(again).toEqual(whole);
    const size = (): number => JSON.stringify(stage.memory?.snapshot()).length;
    for (let ms = 1; ms < 4_000; ms++) stage.history(ms);
    expect(size()).toBeLessThan(40_000);
    // A year later nothing of it is left, and getting there takes no time.
    stage.wait(365 * 86_400_000).history(1);
    expect(size()).toBeLessThan(3_000);
  });
});

describe("Finagle's window", () => {
  it("counts an interval when it is full, and for as long as there are intervals", () => {
    const window = new HdrWindow({ intervals: 3, highest: 2_000 });
    window.add(7);
    expect(window.quantile(0.5)).toBe(0);
    for (let flush = 1; flush <= 3; flush++) {
      window.flush();
      expect(window.quantile(0.5)).toBe(7);
    }
    window.flush();
    expect(window.quantile(0.5)).toBe(0);
  });

  it("is exact below 2,048 and keeps three digits above", () => {
    const one = (value: number): number => {
      const window = new HdrWindow({ intervals: 1, highest: 3_600_000 });
      window.add(value);
      window.flush();
      return window.quantile(1);
    };
    for (let value = 0; value < 2_048; value++) expect(one(value)).toBe(value);
    for (const value of [2_048, 2_049, 4_095, 4_096, 65_537, 1_234_567, 3_600_000]) {
      expect(one(value)).toBeGreaterThanOrEqual(value);
      expect(one(value) / value - 1).toBeLessThan(0.001);
    }
  });

  it("clamps what is above its highest value", () => {
    const window = new HdrWindow({ intervals: 1, highest: 2_000 });
    window.add(9_999);
    window.flush();
    expect(window.quantile(0.99)).toBe(2_000);
  });
});

describe("Finagle's budget", () => {
  it("has a reserve, a share of the requests, and forgets both sides after its lifetime", () => {
    const budget = new RetryBudget({ share: 0.2, minPerS: 1, ttlMs: 10_000 });
    expect(budget.balance(0)).toBe(10);
    for (let request = 0; request < 50; request++) budget.deposit(0);
    expect(budget.balance(0)).toBe(20);
    for (let retry = 0; retry < 20; retry++) budget.withdraw(5_000_000);
    expect(budget.balance(5_000_000)).toBe(0);
    // The deposits have gone, the withdrawals have not; and then they have, too.
    expect(budget.balance(10_000_000)).toBe(0);
    expect(budget.balance(15_000_000)).toBe(10);
    expect(budget.snapshot().length).toBeLessThanOrEqual(10);
  });
});

describe("a threshold over time", () => {
  it("is what held at the moment that is asked for, as far back as it remembers", () => {
    const thresholds = new Thresholds();
    expect(thresholds.at(0)).toBeUndefined();
    for (let change = 1; change <= 100; change++) thresholds.set(change * 10, change);
    expect(thresholds.at(1_000)).toBe(100);
    expect(thresholds.at(999)).toBe(99);
    expect(thresholds.at(5)).toBe(37);
    expect(thresholds.snapshot()).toHaveLength(64);
  });
});

describe("cassandra", () => {
  const spec = DEFAULTS.cassandra;
  /** A hundred reads of 10 ms to 1 s in each round. */
  const reads = (stage: Stage): Stage => {
    for (let read = 1; read <= 400; read++) stage.history(10 * (1 + (read % 100)));
    return stage;
  };

  it.each([
    ["99p", { kind: "after", share: 0.99, ms: undefined, pick: "min" }],
    ["95.5PERCENTILE", { kind: "after", share: 0.955, ms: undefined, pick: "min" }],
    ["50ms", { kind: "after", share: undefined, ms: 50, pick: "min" }],
    ["ALWAYS", { kind: "always" }],
    ["none", { kind: "never" }],
    ["MIN(99p,50ms)", { kind: "after", share: 0.99, ms: 50, pick: "min" }],
    ["max(50MS, 90p)", { kind: "after", share: 0.9, ms: 50, pick: "max" }],
    ["100p", undefined],
    ["0p", undefined],
    ["MIN(99p,95p)", undefined],
    ["MIN(99p)", undefined],
    ["50", undefined],
    ["", undefined],
  ])("reads %j as CQL does", (text, retry) => {
    expect(speculativeRetryOf(text)).toEqual(retry);
  });

  it("begins at half of the read timeout, and computes its threshold once per timeout", () => {
    const stage = new Stage({ ...spec, retry: "50ms" });
    expect(stage.open().wait(4_000).launchesMs).toEqual([0, 2_500]);
    stage.win();
    expect(stage.wait(2_000).open().wait(4_000).launchesMs).toEqual([0, 50]);
  });

  it("takes a percentile up to the end of its bucket, each a fifth wider than the one before", () => {
    const [, delayMs = 0] = reads(new Stage({ ...spec, retry: "90p" }))
      .open()
      .wait(10_000).launchesMs;
    expect(delayMs).toBeGreaterThanOrEqual(900);
    expect(delayMs).toBeLessThan(900 * 1.2);
  });

  it("takes the smaller or the larger of two", () => {
    const at = (retry: string) =>
      reads(new Stage({ ...spec, retry }))
        .open()
        .wait(10_000).launchesMs[1] as number;
    expect(at("MIN(90p,50ms)")).toBe(50);
    expect(at("MAX(90p,50ms)")).toBe(at("90p"));
  });

  it("sends one extra copy at once with ALWAYS, and none with NEVER", () => {
    expect(new Stage({ ...spec, retry: "ALWAYS" }).open().wait(60_000).launchesMs).toEqual([0, 0]);
    const never = new Stage({ ...spec, retry: "NEVER" }).open().wait(60_000);
    expect(never.launched).toBe(1);
    expect(never.lose(0, "failed").launched).toBe(2);
  });

  it("does not speculate when the threshold is above the read timeout", () => {
    const slow = (timeoutMs: number): Stage => {
      const stage = new Stage({ ...spec, timeoutMs });
      return stage
        .history(...repeated(7_000, 20))
        .open()
        .wait(60_000);
    };
    expect(slow(5_000).launched).toBe(1);
    expect(slow(30_000).launched).toBe(2);
  });

  it("gives the same decisions from a snapshot, and remembers no more however much there is", () => {
    const stage = reads(new Stage(spec));
    const whole = stage.open().wait(10_000).launchesMs;
    expect(reads(new Stage(spec)).restore().open().wait(10_000).launchesMs).toEqual(whole);
    expect(new Stage(spec).restore().open().wait(4_000).launchesMs).toEqual([0, 2_500]);
    for (let read = 1; read < 3_000; read++) stage.history(read * 20);
    expect(JSON.stringify(stage.memory?.snapshot()).length).toBeLessThan(8_000);
  });
});

describe("Cassandra's histogram", () => {
  const MINUTE_US = 60_000_000;

  it("halves the weight of what it knows each minute", () => {
    const histogram = new DecayingHistogram(0);
    for (let count = 0; count < 64; count++) histogram.add(10, 0);
    for (let count = 0; count < 16; count++) histogram.add(1_000, 2 * MINUTE_US);
    // 64 of two minutes ago weigh as much as 16 of now.
    expect(histogram.quantile(0.5, 2 * MINUTE_US)).toBe(10);
    expect(histogram.quantile(0.51, 2 * MINUTE_US)).toBeGreaterThanOrEqual(1_000);
  });

  it("forgets a single value within minutes, since weights are rounded", () => {
    const histogram = new DecayingHistogram(0);
    histogram.add(10, 0);
    expect(histogram.quantile(0.99, MINUTE_US)).toBe(10);
    expect(histogram.quantile(0.99, 1.1 * MINUTE_US)).toBeUndefined();
  });

  it("says the same after its weights were counted anew", () => {
    const [anew, plain] = [new DecayingHistogram(0), new DecayingHistogram(40 * MINUTE_US)];
    for (let minute = 0; minute < 40; minute++) anew.add(5, minute * MINUTE_US);
    for (const histogram of [anew, plain]) {
      for (let value = 1; value <= 100; value++) histogram.add(value * 1_000, 40 * MINUTE_US);
    }
    for (const share of [0.5, 0.9, 0.99]) {
      expect(anew.quantile(share, 40 * MINUTE_US)).toBe(plain.quantile(share, 40 * MINUTE_US));
    }
    expect(anew.snapshot().landmarkUs).toBeGreaterThan(0);
  });
});
