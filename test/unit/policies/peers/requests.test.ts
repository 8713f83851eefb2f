import { describe, expect, it } from "vitest";
import { DEFAULTS } from "../../../../policies/defaults.ts";
import { Stage } from "./stage.ts";

describe("grpc-hedging", () => {
  const spec = DEFAULTS["grpc-hedging"];

  it("has after 1, 501, 1001 and 1501 ms one, two, three and four attempts under way (A6, hedging policy)", () => {
    const stage = new Stage(spec).open();
    const counts = [1, 500, 500, 500, 10_000].map((ms) => stage.wait(ms).launched);
    expect(counts).toEqual([1, 2, 3, 4, 4]);
    expect(stage.launchesMs).toEqual([0, 500, 1_000, 1_500]);
    expect(stage.lookMs).toBe("never");
  });

  it("sends all attempts at once without a delay", () => {
    expect(new Stage({ ...spec, hedgingDelayMs: 0 }).open().launchesMs).toEqual([0, 0, 0, 0]);
  });

  it("sends the next attempt at a failure, and resumes with its delay from there", () => {
    const stage = new Stage(spec).open().wait(600).lose(0, "failed").wait(10_000);
    expect(stage.launchesMs).toEqual([0, 500, 600, 1_100]);
  });

  it("counts a replacement as the attempt that the failure called for", () => {
    const stage = new Stage(spec).open().wait(100).lose(0, "failed").wait(10_000);
    expect(stage.launchesMs).toEqual([0, 100, 600, 1_100]);
  });

  it("leaves no race without a copy, though gRPC would give the call up", () => {
    const stage = new Stage({ ...spec, maxAttempts: 2 }).open().wait(600);
    stage.lose(0, "failed").lose(1, "failed").lose(2, "failed");
    expect(stage.launched).toBe(4);
  });

  it("hedges while more than half of the tokens are there: five failures of ten are too many", () => {
    const before = new Stage(spec).elsewhere("failed", "rejected", "silent", "refused").open().wait(600);
    expect(before.launched).toBe(2);
    const after = new Stage(spec).elsewhere("failed", "rejected", "silent", "refused", "failed").open().wait(5_000);
    expect(after.launchesMs).toEqual([0]);
  });

  it("hedges again after as many successes as make up for it, and forgets no more than it holds", () => {
    const successes = (count: number) => Array.from({ length: count }, () => "accepted" as const);
    const failures = Array.from({ length: 30 }, () => "failed" as const);
    const stage = new Stage(spec).elsewhere(...successes(500), ...failures);
    // From 0 tokens it takes 51 successes of 0.1 to be above 5.
    stage.elsewhere(...successes(49)).open();
    expect(stage.wait(600).launched).toBe(1);
    stage.elsewhere("accepted", "accepted");
    expect(stage.wait(600).launched).toBe(2);
  });

  it("does not take a cancelled attempt for either", () => {
    const cancelled = Array.from({ length: 100 }, () => "cancelled" as const);
    expect(
      new Stage(spec)
        .elsewhere("failed", "failed", "failed", "failed", ...cancelled)
        .open()
        .wait(600).launched,
    ).toBe(2);
  });

  it("stops hedging a race that was pushed back, or resumes when pushback says", () => {
    expect(new Stage(spec).open().wait(600).lose(1, "refused").wait(10_000).launchesMs).toEqual([0, 500]);
    const later = new Stage({ ...spec, pushbackMs: 150 }).open().wait(600).lose(1, "refused").wait(10_000);
    expect(later.launchesMs).toEqual([0, 500, 750, 1_250]);
  });

  it("goes on from a snapshot with the tokens that it had", () => {
    const drained = new Stage(spec).elsewhere("failed", "failed", "failed", "failed", "failed");
    expect(drained.restore().open().wait(5_000).launched).toBe(1);
    expect(drained.elsewhere("accepted").restore().open().wait(600).launched).toBe(2);
  });
});

describe("envoy", () => {
  const spec = { ...DEFAULTS.envoy, perTryTimeoutMs: 1_000, numRetries: 2 };

  it("retries at each try's timeout, while the tries before go on", () => {
    const stage = new Stage(spec).open().wait(20_000);
    expect(stage.launchesMs).toEqual([0, 1_000, 2_000]);
    expect(stage.picture.live).toBe(3);
  });

  it("retries once by default, and not at all with no retries", () => {
    expect(new Stage(DEFAULTS.envoy).open().wait(60_000).launchesMs).toEqual([0, 15_000]);
    expect(new Stage({ ...spec, numRetries: 0 }).open().wait(60_000).launchesMs).toEqual([0]);
  });

  it("does not retry a try twice: one that timed out and then fails has had its retry", () => {
    const stage = new Stage(spec).open().wait(1_500).lose(0, "failed");
    expect(stage.launchesMs).toEqual([0, 1_000]);
    stage.lose(1, "failed");
    expect(stage.launchesMs).toEqual([0, 1_000, 1_500]);
  });

  it("has no more than three retries under way with few requests, and a fifth of many", () => {
    const copies = (stage: Stage, speculative: boolean, count: number): void => {
      for (let index = 0; index < count; index++) stage.memory?.launched({ speculative }, stage.nowUs);
    };
    const few = new Stage(spec);
    copies(few, true, 3);
    expect(few.open().wait(1_500).launched).toBe(1);
    const many = new Stage(spec);
    copies(many, true, 3);
    copies(many, false, 16);
    // With the race's own copy there are 20 requests, so that 4 may be retries.
    expect(many.restore().open().wait(1_500).launched).toBe(2);
    copies(many, true, 1);
    expect(many.open().wait(1_500).launched).toBe(1);
  });

  it("counts retries out again when they end", () => {
    const stage = new Stage({ ...spec, minRetryConcurrency: 1, budgetPercent: 0 }).open().wait(1_500);
    expect(stage.launched).toBe(2);
    stage.win();
    expect(stage.memory?.snapshot()).toEqual({ active: 0, retries: 0 });
    expect(stage.open().wait(1_500).launched).toBe(2);
  });
});
