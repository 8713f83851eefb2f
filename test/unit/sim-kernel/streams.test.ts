import { xoroshiro128plusFromState } from "pure-rand/generator/xoroshiro128plus";
import { describe, expect, it } from "vitest";
import { minusLogOfUnit } from "../../../sim/kernel/logarithm.ts";
import { normalCdf, normalQuantile } from "../../../scheduler/shared/normal.ts";
import { Stream, streamFor } from "../../../sim/kernel/streams.ts";

function units(stream: Stream, count: number): number[] {
  return Array.from({ length: count }, () => stream.unit());
}

function correlation(xs: readonly number[], ys: readonly number[]): number {
  const covariance = xs.reduce((sum, x, index) => sum + (x - 0.5) * ((ys[index] as number) - 0.5), 0) / xs.length;
  return covariance * 12;
}

describe("streams", () => {
  it("are xoroshiro128+: the low bits equal those of pure-rand's", () => {
    const state = [123_456_789, -987_654_321, 555, -77] as const;
    const [stream, reference] = [new Stream(state), xoroshiro128plusFromState([...state])];
    for (let index = 0; index < 10_000; index++) {
      const bits = stream.unit() * 2 ** 52 - 0.5;
      expect(bits % 2 ** 20).toBe(reference.next() >>> 12);
    }
  });

  it("give the same numbers for the same seed, replication and purpose", () => {
    expect(units(streamFor(1, 2, "service"), 50)).toEqual(units(streamFor(1, 2, "service"), 50));
    // Pinned: experiments must give tomorrow what they gave yesterday.
    expect(units(streamFor(1, 0, "arrivals"), 3)).toEqual([
      0.2740648942703293, 0.8460570324495768, 0.19774639819511808,
    ]);
  });

  it("are uncorrelated when any of the three differs, also at a shift", () => {
    const count = 20_000;
    const first = units(streamFor(1, 2, "service"), count);
    const others = [streamFor(2, 2, "service"), streamFor(1, 3, "service"), streamFor(1, 2, "services")];
    for (const other of [...others, streamFor(12, 0, ""), streamFor(1, 20, "")]) {
      const second = units(other, count);
      const limit = 4.5 / Math.sqrt(count);
      for (const shift of [0, 1, 7]) {
        expect(Math.abs(correlation(first.slice(shift), second.slice(0, count - shift)))).toBeLessThan(limit);
      }
    }
  });

  it("are uncorrelated with themselves a little later", () => {
    const all = units(streamFor(3, 0, "x"), 50_000);
    for (const lag of [1, 2, 3, 16])
      expect(Math.abs(correlation(all.slice(lag), all.slice(0, -lag)))).toBeLessThan(4.5 / Math.sqrt(50_000));
  });

  it("fill the unit interval evenly, without its ends", () => {
    const cells = new Array<number>(100).fill(0);
    for (const unit of units(streamFor(4, 0, "cells"), 100_000)) {
      expect(unit > 0 && unit < 1).toBe(true);
      const cell = Math.floor(unit * 100);
      cells[cell] = (cells[cell] as number) + 1;
    }
    const chiSquare = cells.reduce((sum, count) => sum + (count - 1_000) ** 2 / 1_000, 0);
    // 99 degrees of freedom: 1e-4 of samples leave this range on either side.
    expect(chiSquare).toBeGreaterThan(54);
    expect(chiSquare).toBeLessThan(161);
  });

  it("draw each integer below a bound equally often, and no other", () => {
    const stream = streamFor(5, 0, "below");
    const counts = new Map<number, number>();
    for (let index = 0; index < 70_000; index++) {
      const value = stream.below(7);
      counts.set(value, (counts.get(value) ?? 0) + 1);
    }
    expect([...counts.keys()].sort()).toEqual([0, 1, 2, 3, 4, 5, 6]);
    for (const count of counts.values()) expect(Math.abs(count - 10_000)).toBeLessThan(450);
    expect(stream.below(1)).toBe(0);
    for (const bound of [0, -1, 2 ** 32, Number.NaN]) expect(() => stream.below(bound)).toThrow(/not a bound/);
  });

  it("refuse a state that never changes", () => {
    expect(() => new Stream([0, 0, 0, 0])).toThrow(/zeros/);
  });
});

describe("logarithm of a unit", () => {
  it("equals Math.log, also at the ends and on both sides of every seam", () => {
    const all = 2 ** 26 - 1;
    const highs = [0, 1, 255, 256, 257, 511, 512, 2 ** 25 - 1, 2 ** 25, all - 2 ** 17, all - 2 ** 17 + 1, all - 1, all];
    const stream = streamFor(6, 0, "high");
    for (let index = 0; index < 20_000; index++) highs.push(Math.floor(2 ** (26 * stream.unit())));
    for (const high of highs) {
      for (const low of [0, 1, 12_345_678, all]) {
        const expected = -Math.log((high * 2 ** 26 + low + 0.5) * 2 ** -52);
        expect(Math.abs(minusLogOfUnit(high, low) / expected - 1)).toBeLessThan(1e-13);
      }
    }
  });
});

describe("normal distribution", () => {
  it("has the tabulated probabilities", () => {
    // Abramowitz and Stegun, table 26.1 and 26.2; the last from the asymptotic series.
    for (const [z, probability] of [
      [0, 0.5],
      [1, 0.8413447460685429],
      [1.96, 0.9750021048517795],
      [-3, 1.349898031630095e-3],
      [-5.5, 1.898956246588768e-8],
      [-10, 7.61985302416047e-24],
    ] as const)
      expect(Math.abs(normalCdf(z) / probability - 1)).toBeLessThan(1e-10);
    expect([normalCdf(-40), normalCdf(40)]).toEqual([0, 1]);
  });

  it("has quantiles that its probabilities give back", () => {
    for (let z = -8; z <= 5; z += 0.173) expect(normalQuantile(normalCdf(z))).toBeCloseTo(z, 8);
    expect(normalQuantile(0.975)).toBeCloseTo(1.959963984540054, 13);
    expect(normalQuantile(1e-300)).toBeCloseTo(-37.0471, 4);
  });
});
