import { describe, expect, it } from "vitest";
import { Random } from "../../../scheduler/shared/random.ts";
import { chiSquare } from "./chi-square.ts";

function draws(random: Random, count: number): number[] {
  return Array.from({ length: count }, () => random.unit());
}

describe("the engine's generator", () => {
  it("gives the same numbers for the same seed, others for another", () => {
    expect(draws(new Random(7), 100)).toEqual(draws(new Random(7), 100));
    expect(draws(new Random(7), 100)).not.toEqual(draws(new Random(8), 100));
  });

  it("goes on from its state, which is plain JSON", () => {
    const random = new Random(7);
    draws(random, 13);
    const restored = new Random(0);
    restored.state = JSON.parse(JSON.stringify(random.state));
    expect(restored.state).toEqual(random.state);
    expect(draws(restored, 100)).toEqual(draws(random, 100));
    expect(restored.nonce()).toBe(random.nonce());
  });

  it("draws reals from 0 on and below 1", () => {
    const values = draws(new Random(1), 20_000);
    expect(values.every((value) => value >= 0 && value < 1)).toBe(true);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    // The standard error is 0.002.
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.01);
  });

  it.each([1, 2, 3, 10, 64])("draws integers below %d, each about as often", (bound) => {
    const random = new Random(42);
    const counts = new Array<number>(bound).fill(0);
    for (let n = 0; n < 20_000; n++) {
      const value = random.below(bound);
      expect(Number.isInteger(value) && value >= 0 && value < bound).toBe(true);
      counts[value] = (counts[value] as number) + 1;
    }
    expect(chiSquare(counts)).toBe("uniform");
  });

  it("draws nonces of 52 bits, never one twice", () => {
    const random = new Random(3);
    const nonces = Array.from({ length: 20_000 }, () => random.nonce());
    expect(new Set(nonces).size).toBe(nonces.length);
    expect(nonces.every((nonce) => Number.isSafeInteger(nonce) && nonce >= 0 && nonce < 2 ** 52)).toBe(true);
    // Each half of the range, and each half of the low part, gets its share.
    const halves = [0, 0, 0, 0];
    for (const nonce of nonces) {
      const index = 2 * Number(nonce >= 2 ** 51) + Number(nonce % 2 ** 26 >= 2 ** 25);
      halves[index] = (halves[index] as number) + 1;
    }
    expect(chiSquare(halves)).toBe("uniform");
  });
});
