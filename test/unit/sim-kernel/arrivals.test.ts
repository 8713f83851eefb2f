import { describe, expect, it } from "vitest";
import type { ArrivalSpec } from "../../../sim/experiment/types.ts";
import { arrivalsOf, UnusableFile } from "../../../sim/kernel/distributions.ts";
import { streamFor } from "../../../sim/kernel/streams.ts";

const TRACE = `TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 18:17:03.9799600,374,44
2023-11-16 18:17:04.0319600,396,109
2023-11-16 18:17:04.0799600,879,55
2023-11-16 18:17:05.9799600,91,16
`;
const noFiles = () => "";

function gapsOf(spec: ArrivalSpec, count: number): Float64Array {
  const arrivals = arrivalsOf(spec, streamFor(11, 0, spec.kind), noFiles);
  let before = 0;
  return Float64Array.from({ length: count }, () => {
    const us = arrivals.nextUs();
    const gap = us - before;
    before = us;
    return gap;
  });
}

function momentsOf(gaps: Float64Array): { mean: number; squaredCv: number } {
  const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
  const variance = gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length;
  return { mean, squaredCv: variance / mean ** 2 };
}

describe("arrivals", () => {
  const count = 200_000;
  // 4.5 standard errors of the mean of so many gaps, given their coefficient of variation.
  it.each<{ spec: ArrivalSpec; meanUs: number; squaredCv: number; within: number }>([
    { spec: { kind: "poisson", ratePerS: 40 }, meanUs: 25_000, squaredCv: 1, within: 0.03 },
    { spec: { kind: "gamma", ratePerS: 40, cv: 0.5 }, meanUs: 25_000, squaredCv: 0.25, within: 0.02 },
    { spec: { kind: "gamma", ratePerS: 40, cv: 3 }, meanUs: 25_000, squaredCv: 9, within: 0.1 },
    // An interrupted Poisson process: cv² = 1 + 2 λ ω₁ / (ω₁ + ω₂)² with rates ω₁ of bursts' ends and ω₂ of their beginnings.
    {
      spec: { kind: "onoff", ratePerS: 100, onMs: 200, offMs: 800 },
      meanUs: 50_000,
      squaredCv: 1 + (2 * 100 * 5) / (5 + 1.25) ** 2,
      within: 0.1,
    },
  ])("$spec.kind has its rate and its variation", ({ spec, meanUs, squaredCv, within }) => {
    const gaps = gapsOf(spec, count);
    expect(gaps.every((gap) => gap >= 0)).toBe(true);
    const moments = momentsOf(gaps);
    expect(Math.abs(moments.mean / meanUs - 1)).toBeLessThan(4.5 * Math.sqrt(squaredCv / count));
    expect(Math.abs(moments.squaredCv / squaredCv - 1)).toBeLessThan(within);
  });

  it("come regularly when their gaps do not vary", () => {
    expect([...gapsOf({ kind: "gamma", ratePerS: 4, cv: 0 }, 3)]).toEqual([250_000, 250_000, 250_000]);
  });

  it("begin in a burst as often as bursts take time", () => {
    const spec = { kind: "onoff", ratePerS: 1e6, onMs: 300, offMs: 700 } as const;
    let inBurst = 0;
    for (let replication = 0; replication < 4_000; replication++) {
      // A burst brings its first arrival within microseconds, a silence hardly ever ends so soon.
      const first = arrivalsOf(spec, streamFor(12, replication, "onoff"), noFiles).nextUs();
      if (first < 100) inBurst++;
    }
    expect(Math.abs(inBurst / 4_000 - 0.3)).toBeLessThan(4.5 * Math.sqrt((0.3 * 0.7) / 4_000));
  });
});

describe("arrivals of a trace", () => {
  const spec = { kind: "trace", file: "azure.csv", speedup: 2 } as const;
  const files = () => TRACE;
  const OUT = [44, 109, 55, 16];
  /** From each row to the next at twice the speed; after the last a gap of average length, 2 s ÷ 3. */
  const GAPS_US = [26_000, 24_000, 950_000, 333_333];

  it("go round in a circle, each with its own tokens, from a row that the replication chooses", () => {
    const starts = new Set<number>();
    for (let replication = 0; replication < 40; replication++) {
      const arrivals = arrivalsOf(spec, streamFor(1, replication, "arrivals"), files);
      let before = arrivals.nextUs();
      expect(before).toBeCloseTo(333_333, -1);
      let row = OUT.indexOf(arrivals.tokens?.out as number);
      starts.add(row);
      for (let index = 0; index < 11; index++) {
        const us = arrivals.nextUs();
        expect(us - before).toBeCloseTo(GAPS_US[row] as number, -1);
        row = (row + 1) % 4;
        expect(arrivals.tokens?.out).toBe(OUT[row]);
        before = us;
      }
    }
    expect(starts.size).toBe(4);
  });

  it("reads offsets from universal time, and plain seconds", () => {
    for (const stamps of [
      ["2024-05-10T00:30:00Z", "2024-05-10 01:30:01.5+01:00"],
      ["17.25", "18.75"],
    ]) {
      const text = `TIMESTAMP,ContextTokens,GeneratedTokens\n${stamps[0]},1,2\n${stamps[1]},3,4\n`;
      const arrivals = arrivalsOf({ ...spec, speedup: 1 }, streamFor(1, 0, "arrivals"), () => text);
      const [first, second, third] = [arrivals.nextUs(), arrivals.nextUs(), arrivals.nextUs()];
      expect([second - first, third - second]).toEqual([expect.closeTo(1.5e6, 3), expect.closeTo(1.5e6, 3)]);
      expect(arrivals.tokens).toEqual({ in: expect.any(Number), out: expect.any(Number) });
    }
  });

  it("asks each reader once", () => {
    let reads = 0;
    const counting = () => {
      reads++;
      return TRACE;
    };
    for (let replication = 0; replication < 3; replication++) {
      arrivalsOf(spec, streamFor(1, replication, "arrivals"), counting).nextUs();
    }
    expect(reads).toBe(1);
  });

  it.each([
    ["TIMESTAMP,ContextTokens,GeneratedTokens\n1,1,1\n", /two arrivals at least/],
    ["TIMESTAMP,ContextTokens,GeneratedTokens\n2,1,1\n1,1,1\n", /row 2 is earlier than the one before/],
    ["TIMESTAMP,ContextTokens,GeneratedTokens\n1,1,1\n1,1,1\n", /all rows have one time/],
    ["TIMESTAMP,ContextTokens,GeneratedTokens\n1,1,1\nnoon,1,1\n", /row 2, TIMESTAMP: "noon" is not a number/],
    ["TIMESTAMP,ContextTokens,GeneratedTokens\n1,1,1\n2,1,\n", /row 2, GeneratedTokens: "" is not a number/],
    ["TIMESTAMP,GeneratedTokens\n1,1\n2,1\n", /has no column ContextTokens/],
  ])("refuses %j", (text, message) => {
    const read = () => arrivalsOf(spec, streamFor(1, 0, "arrivals"), () => text);
    expect(read).toThrow(UnusableFile);
    expect(read).toThrow(message);
  });
});
