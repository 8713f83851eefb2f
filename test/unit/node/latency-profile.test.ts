import { describe, expect, it } from "vitest";
import {
  CHAT_70B_ON_A100,
  CHAT_70B_ON_H100,
  SMALL_CLASSIFIER,
  drawDelay,
  meanDelayMs,
  tokensAfter,
} from "../../../scheduler/node/behaviour/latency-profile.ts";
import type { LatencyProfile } from "../../../scheduler/node/behaviour/latency-profile.ts";
import { seededUniform, standardNormal } from "../../../scheduler/node/behaviour/random.ts";

const DRAWS = 50_000;
const QUIET = { noiseSigma: 0, stragglerProbability: 0, stragglerFactor: 1 };

function draws(profile: LatencyProfile, node: { tokens: number; speed: number }): number[] {
  const uniform = seededUniform(42);
  return Array.from({ length: DRAWS }, () => drawDelay(profile, node, uniform).totalMs);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function deviation(values: readonly number[]): number {
  const centre = mean(values);
  return Math.sqrt(mean(values.map((value) => (value - centre) ** 2)));
}

describe("a latency profile", () => {
  it.each([
    ["70B on H100", CHAT_70B_ON_H100, { tokens: 128, speed: 1.15 }],
    ["70B on A100", CHAT_70B_ON_A100, { tokens: 128, speed: 0.85 }],
    ["small classifier", SMALL_CLASSIFIER, { tokens: 1, speed: 1 }],
    ["noise at its widest", { ...CHAT_70B_ON_H100, noiseSigma: 0.23 }, { tokens: 10, speed: 2 }],
  ])("has the closed form's mean: %s", (_name, profile, node) => {
    const values = draws(profile, node);
    const fourStandardErrors = (4 * deviation(values)) / Math.sqrt(DRAWS);
    expect(Math.abs(mean(values) - meanDelayMs(profile, node))).toBeLessThan(fourStandardErrors);
  });

  it("is the measured time of a quiet node: 128 tokens of Llama-2-70B on H100 and A100", () => {
    const node = { tokens: 128, speed: 1 };
    expect(meanDelayMs({ ...CHAT_70B_ON_H100, ...QUIET }, node)).toBeCloseTo(3_858.6, 6);
    expect(meanDelayMs({ ...CHAT_70B_ON_A100, ...QUIET }, node)).toBeCloseTo(5_843.2, 6);
    expect(drawDelay({ ...CHAT_70B_ON_H100, ...QUIET }, { tokens: 128, speed: 2 }, seededUniform(1))).toEqual({
      totalMs: 3_858.6 / 2,
      firstTokenMs: 57 / 2,
      tokens: 128,
    });
  });

  it("has the noise's spread around the median", () => {
    const uniform = seededUniform(7);
    const normals = Array.from({ length: DRAWS }, () => standardNormal(uniform));
    expect(Math.abs(mean(normals))).toBeLessThan(4 / Math.sqrt(DRAWS));
    expect(deviation(normals)).toBeCloseTo(1, 1);
    const logs = draws({ ...CHAT_70B_ON_H100, stragglerProbability: 0 }, { tokens: 100, speed: 1 }).map(Math.log);
    expect(Math.abs(mean(logs) - Math.log(3_027))).toBeLessThan((4 * 0.08) / Math.sqrt(DRAWS));
    expect(deviation(logs)).toBeCloseTo(0.08, 2);
  });

  it("straggles as often as it says", () => {
    const profile = { ...CHAT_70B_ON_H100, noiseSigma: 0, stragglerProbability: 0.1 };
    const stragglers = draws(profile, { tokens: 100, speed: 1 }).filter((ms) => ms > 3_028).length / DRAWS;
    expect(Math.abs(stragglers - 0.1)).toBeLessThan(4 * Math.sqrt((0.1 * 0.9) / DRAWS));
  });

  it("draws the same delays for the same seed", () => {
    const node = { tokens: 5, speed: 1 };
    expect(draws(CHAT_70B_ON_A100, node)).toEqual(draws(CHAT_70B_ON_A100, node));
  });

  it("counts tokens from none to all, never back", () => {
    const delay = { totalMs: 1_000, firstTokenMs: 200, tokens: 8 };
    const counts = Array.from({ length: 111 }, (_, i) => tokensAfter(delay, i * 10));
    expect(counts).toEqual(counts.toSorted((a, b) => a - b));
    expect(tokensAfter(delay, 199)).toBe(0);
    expect(tokensAfter(delay, 601)).toBe(4);
    expect(tokensAfter(delay, 1_000)).toBe(8);
    expect(tokensAfter({ totalMs: 20, firstTokenMs: 20, tokens: 0 }, 20)).toBe(0);
  });
});
