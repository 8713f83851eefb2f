import { describe, expect, it } from "vitest";
import { streamFor } from "../../../sim/kernel/streams.ts";
import { EndsOfCopies, type Run, tokenShape } from "../../../sim/recorded/durations.ts";

const COPIES = 20_000;
const seed = Math.floor(Math.random() * 2 ** 31);
const answered = (ratio: number) => ({ ratio, end: "answered" as const });

describe(`ends of copies (seed ${seed})`, () => {
  it("are the ends themselves where nobody was stopped", () => {
    const ends = new EndsOfCopies([3, 1, 2, 4].map(answered));
    expect([0.1, 0.3, 0.6, 0.9].map((u) => ends.at(u).ratio)).toEqual([1, 2, 3, 4]);
    expect(ends.failing).toBe(0);
  });

  it("are those of Kaplan and Meier by hand: ends at 1 and 3, stopped at 2, end at 4", () => {
    const ends = new EndsOfCopies([answered(1), { ratio: 2, end: "stopped" }, answered(3), answered(4)]);
    // S falls to 3/4 at 1, and to 3/4 × 1/2 at 3.
    expect([0.24, 0.26, 0.62, 0.63].map((u) => ends.at(u).ratio)).toEqual([1, 3, 3, 4]);
  });

  it("find the true quantiles of exponential durations, half of which are stopped early", () => {
    const stream = streamFor(seed, 0, "exponential");
    const runs = Array.from({ length: COPIES }, () => {
      const [us, stoppedUs] = [stream.exponential(), stream.exponential()];
      return us < stoppedUs ? answered(us) : { ratio: stoppedUs, end: "stopped" as const };
    });
    const ends = new EndsOfCopies(runs);
    // Greenwood: Var S ÷ S² = ∫ hazard ÷ at risk = ∫ e^2s ds ÷ n, which up to the median (ln 2) is 1.5 ÷ n.
    expect(Math.abs(Math.exp(-ends.at(0.5).ratio) - 0.5)).toBeLessThan(5 * 0.5 * Math.sqrt(1.5 / COPIES));
    // Left out, they would make the median that of the shorter of two: half as long.
    expect(ends.at(0.5).ratio).toBeGreaterThan(0.6);
  });

  it("find the true share of failures although slow answers are stopped more often", () => {
    const stream = streamFor(seed, 0, "failures");
    const runs = Array.from({ length: COPIES }, () => {
      const failed = stream.unit() < 0.3;
      const us = failed ? 0.1 : 1 + stream.unit();
      return us > 1.5
        ? { ratio: 1.5, end: "stopped" as const }
        : ({ ratio: us, end: failed ? "failed" : "answered" } as const);
    });
    const ends = new EndsOfCopies(runs);
    expect(Math.abs(ends.failing - 0.3)).toBeLessThan(5 * Math.sqrt((0.3 * 0.7) / COPIES));
    expect(ends.at(0.999)).toMatchObject({ ratio: 1.5, failed: false });
  });
});

describe(`the shape by tokens (seed ${seed})`, () => {
  const runsOf = (us: (tokens: number) => number, count: number): Run[] => {
    const stream = streamFor(seed, 0, "tokens");
    return Array.from({ length: count }, () => {
      const tokens = 10 + stream.below(200);
      return { us: us(tokens) * Math.exp(0.1 * stream.normal()), tokens, end: "answered" };
    });
  };

  it("is the line that the durations follow", () => {
    const { first, each } = tokenShape(runsOf((tokens) => 60_000 + 30_000 * tokens, 4_000));
    // Of the noise's relative errors only a common factor is left, which the ends' level takes in.
    expect(each / 30_000).toBeGreaterThan(0.97);
    expect(each / 30_000).toBeLessThan(1.03);
    expect(first).toBeGreaterThan(0);
    expect(first).toBeLessThan(200_000);
  });

  it("is flat where durations do not grow with tokens, where all ask the same, and where there are too few", () => {
    const flat = { first: 1, each: 0 };
    expect(tokenShape(runsOf((tokens) => 1e6 - 1_000 * tokens, 500))).toEqual(flat);
    expect(tokenShape(Array.from({ length: 50 }, (_, i) => ({ us: 100 + i, tokens: 8, end: "answered" })))).toEqual(
      flat,
    );
    expect(tokenShape(runsOf((tokens) => 1_000 * tokens, 11))).toEqual(flat);
  });
});
