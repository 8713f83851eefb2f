import { describe, expect, it } from "vitest";
import type { Temperament } from "../../../scheduler/node/behaviour/fate.ts";
import { fateOf } from "../../../scheduler/node/behaviour/fate.ts";
import { meanDelayMs, SMALL_CLASSIFIER } from "../../../scheduler/node/behaviour/latency-profile.ts";
import { CallOrdinals } from "../../../scheduler/node/call-ordinals.ts";

const NODE: Temperament = {
  latency: { kind: "modelled", profiles: { small: SMALL_CLASSIFIER } },
  speed: 1,
  fault: { kind: "erroring", fraction: 0.3 },
  luckHex: "01".repeat(32),
};
const COPY = { txHash: "ab".repeat(32), callIndex: 0, ordinal: 0 };
const ASKED = { model: "small", tokensOut: 8 };
const COPIES = 20_000;

const totalMs = (node: Temperament, copy: typeof COPY) => fateOf(node, copy, ASKED).delay.totalMs;

function neighboursCorrelation(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const centred = values.map((value) => value - mean);
  const square = centred.reduce((sum, value) => sum + value * value, 0);
  return centred.slice(1).reduce((sum, value, index) => sum + value * (centred[index] ?? 0), 0) / square;
}

describe("the fate of a copy", () => {
  it("depends on node and copy alone", () => {
    expect(fateOf(NODE, COPY, ASKED)).toEqual(fateOf(NODE, COPY, ASKED));
    const others = [
      totalMs(NODE, { ...COPY, ordinal: 1 }),
      totalMs(NODE, { ...COPY, callIndex: 1 }),
      totalMs(NODE, { ...COPY, txHash: "ac".repeat(32) }),
      totalMs({ ...NODE, luckHex: "02".repeat(32) }, COPY),
    ];
    expect(new Set([totalMs(NODE, COPY), ...others]).size).toBe(5);
  });

  it("has the profile's mean and the fault's fraction over many copies, neighbours being independent", () => {
    const fates = Array.from({ length: COPIES }, (_, ordinal) => fateOf(NODE, { ...COPY, ordinal }, ASKED));
    const delays = fates.map(({ delay }) => delay.totalMs);
    const mean = delays.reduce((sum, value) => sum + value, 0) / COPIES;
    const deviation = Math.sqrt(delays.reduce((sum, value) => sum + (value - mean) ** 2, 0) / COPIES);
    const expected = meanDelayMs(SMALL_CLASSIFIER, { tokens: ASKED.tokensOut, speed: NODE.speed });
    expect(Math.abs(mean - expected)).toBeLessThan((4 * deviation) / Math.sqrt(COPIES));
    const failed = fates.filter(({ fails }) => fails).length / COPIES;
    expect(Math.abs(failed - 0.3)).toBeLessThan(4 * Math.sqrt((0.3 * 0.7) / COPIES));
    expect(Math.abs(neighboursCorrelation(delays.map((value) => Math.min(value, 60))))).toBeLessThan(
      4 / Math.sqrt(COPIES),
    );
  });

  it("stretches with the fault slow, shrinks with speed, and is nothing without a profile", () => {
    const honest: Temperament = { ...NODE, fault: { kind: "none" } };
    const usual = totalMs(honest, COPY);
    expect(totalMs({ ...honest, fault: { kind: "slow", factor: 3 } }, COPY)).toBeCloseTo(3 * usual, 9);
    expect(totalMs({ ...honest, speed: 2 }, COPY)).toBeCloseTo(usual / 2, 9);
    expect(fateOf(honest, COPY, { ...ASKED, model: "other" }).delay.totalMs).toBe(0);
    expect(totalMs({ ...honest, latency: { kind: "none" } }, COPY)).toBe(0);
  });
});

describe("ordinals", () => {
  it("count the copies of each call, and forget the call that was longest without one", () => {
    const ordinals = new CallOrdinals(2);
    const next = (txHash: string) => ordinals.next({ txHash, callIndex: 0 });
    expect([next("a"), next("b"), next("a"), next("c"), next("a"), next("b")]).toEqual([0, 0, 1, 0, 2, 0]);
    expect(ordinals.next({ txHash: "a", callIndex: 1 })).toBe(0);
  });
});
