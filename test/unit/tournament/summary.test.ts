import { describe, expect, it } from "vitest";
import type { ContenderRecord, Figures } from "../../../sim/tournament/records.ts";
import { foundIn } from "../../../sim/tournament/report.ts";
import { cellsOf, ratioOf, verdictOf } from "../../../sim/tournament/summary.ts";

const interval = (low: number, high: number) => ({ mean: (low + high) / 2, ci95: [low, high] as const });

/** Eight replications with the same luck for all. */
function figures(onTime: number, workMs: number): Figures {
  const luck = [0, 1, -1, 2, -2, 1, -1, 0];
  return {
    onTime: luck.map((one, index) => onTime + 0.002 * one + 0.0001 * (index % 3)),
    workMs: luck.map((one, index) => workMs * (1 + 0.01 * one + 0.001 * (index % 2))),
    p999Ms: luck.map((one) => 15_000 + 100 * one),
    blocksLate: luck.slice(0, 4).map((one) => 14 + 0.1 * one),
  };
}

function record(contender: ContenderRecord["contender"], ...settings: ContenderRecord["settings"]): ContenderRecord {
  return { key: contender, workload: "w", load: 0.5, contender, settings, search: null };
}

const single = record("single copy", {
  name: "documented",
  policy: { kind: "fixed", copies: 1 },
  figures: figures(0.9, 7_000),
});
const bound = record("clairvoyant", { name: "documented", policy: null, figures: figures(0.99, 4_000) });
const subject = record("hedge", {
  name: "documented",
  policy: { kind: "hedge", delayMs: 4_000, maxCopies: 2 },
  figures: figures(0.95, 9_000),
});
const peer = (tuned: Figures | "endless") =>
  record(
    "fixed",
    { name: "documented", policy: { kind: "fixed", copies: 2 }, figures: figures(0.97, 6_000) },
    { name: "tuned", policy: { kind: "fixed", copies: 3 }, figures: tuned },
  );

describe("a cell of the tournament", () => {
  it("closes as much of the gap as it does, and works as much as it does", () => {
    const [cell] = cellsOf([single, bound, subject], "hedge");
    const row = cell?.rows.find(({ contender }) => contender === "hedge");
    expect(row?.gapClosed?.mean).toBeCloseTo(0.05 / 0.09, 6);
    expect(row?.workRatio?.mean).toBeCloseTo(9 / 7, 6);
    expect(row?.versus).toBeNull();
    expect(cell?.rows.find(({ contender }) => contender === "clairvoyant")?.gapClosed?.mean).toBeCloseTo(1, 6);
  });

  it("says that the subject is dominated only by a tuned peer with more in time for less work", () => {
    const better = figures(0.97, 8_000);
    const dominating = foundIn(cellsOf([single, bound, subject, peer(better)], "hedge"));
    expect(dominating.dominated).toEqual([
      { workload: "w", load: 0.5, by: [{ contender: "fixed", policy: { kind: "fixed", copies: 3 } }] },
    ]);
    // Its documented setting would dominate, too, but it is its best one that counts.
    for (const tuned of [figures(0.97, 9_500), figures(0.94, 8_000), "endless" as const]) {
      expect(foundIn(cellsOf([single, bound, subject, peer(tuned)], "hedge")).dominated).toEqual([]);
    }
  });

  it("has no verdict before the subject is measured, and counts a subject that never recovers as dominated", () => {
    const [cell] = cellsOf([single, bound, peer(figures(0.97, 8_000))], "hedge");
    expect(cell?.dominatedBy).toBeNull();
    const endless = record("hedge", {
      name: "documented",
      policy: { kind: "hedge", delayMs: 1, maxCopies: 4 },
      figures: "endless",
    });
    const [lost] = cellsOf([single, bound, endless, peer(figures(0.97, 8_000))], "hedge");
    expect(lost?.dominatedBy?.map(({ contender }) => contender)).toEqual(["fixed"]);
    expect(lost?.rows.find(({ contender }) => contender === "hedge")).toMatchObject({ endless: true, onTime: null });
  });

  it("takes for a difference what its interval leaves no doubt about", () => {
    expect(verdictOf(interval(0.01, 0.02), interval(-2, -1))).toBe("dominates");
    expect(verdictOf(interval(0.01, 0.02), interval(-2, 1))).toBe("more in time");
    expect(verdictOf(interval(-0.01, 0.02), interval(-2, -1))).toBe("less work");
    expect(verdictOf(interval(-0.02, -0.01), interval(1, 2))).toBe("dominated");
    expect(verdictOf(interval(-0.02, -0.01), interval(-1, 2))).toBe("worse");
    expect(verdictOf(interval(-0.02, 0.01), interval(-1, 2))).toBe("no difference seen");
  });

  it("gives ratios the interval of their residuals", () => {
    // Exactly proportional: no doubt about the ratio, however much both vary.
    expect(ratioOf([2, 4, 6], [1, 2, 3]).ci95).toEqual([2, 2]);
    const { mean, ci95 } = ratioOf([2, 4, 7], [1, 2, 3]);
    // Residuals of 13/6: −1/6, −2/6, 1/2; s = 0.4410, over √3 and the mean 2, times t(2; 0.975) = 4.3027.
    expect(mean).toBeCloseTo(13 / 6, 9);
    expect((ci95?.[1] ?? 0) - mean).toBeCloseTo((4.30265 * 0.440959) / Math.sqrt(3) / 2, 4);
  });
});
