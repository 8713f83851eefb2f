import { describe, expect, it } from "vitest";
import { Learning } from "../../../policies/learning/learning.ts";
import { NodePaces } from "../../../policies/learning/node-paces.ts";
import { Random } from "../../../scheduler/shared/random.ts";

const SECOND = 1_000_000;
const USUAL = { tokensIn: 100, tokensOut: 100 };
const TINY = { tokensIn: 0, tokensOut: 0 };

/** So many honest answers, of seven seconds for a usual job and in proportion for others. */
function honest(learning: Learning, answers: number, seed = 1): void {
  const random = new Random(seed);
  for (let job = 0; job < answers; job++) {
    const tokensOut = 50 + random.below(101);
    const us = (0.5 + 0.065 * tokensOut) * SECOND * (0.8 + 0.4 * random.unit());
    learning.answered({ tokensIn: 100, tokensOut }, `honest-${job % 10}`, us);
  }
}

function lies(learning: Learning, answers: number, us: number, size = USUAL): void {
  for (let lie = 0; lie < answers; lie++) learning.answered(size, "liar", us);
}

function expectedS(learning: Learning): number {
  return learning.expectedUs(USUAL) / SECOND;
}

describe("what a few answers of a liar do to what is learned", () => {
  it("is never a number that is none: what is handed over together takes no time by the engine's clock", () => {
    const learning = new Learning();
    lies(learning, 40, 0);
    learning.cut(USUAL, "liar", 100);
    // Infinities and NaN come out of JSON as null.
    expect(JSON.stringify(learning.snapshot())).not.toContain("null");
    expect(learning.expectedUs(USUAL)).toBeGreaterThan(0);
  });

  it.each([0, 1, 1_000])("is little although they are the first of all, of %i µs", (us) => {
    const learning = new Learning();
    lies(learning, 3, us);
    honest(learning, 500);
    expect(expectedS(learning)).toBeGreaterThan(6);
    expect(expectedS(learning)).toBeLessThan(8);
  });

  it.each([
    ["at once", 0, USUAL],
    ["at the end of their leases", 30 * SECOND, USUAL],
    ["late to jobs that look tiny", 30 * SECOND, TINY],
  ])("is less than a third when three come %s", (_how, us, size) => {
    const learning = new Learning();
    honest(learning, 500);
    lies(learning, 3, us, size);
    expect(expectedS(learning)).toBeGreaterThan(7 / 1.34);
    expect(expectedS(learning)).toBeLessThan(7 * 1.34);
  });

  it("is over when the class has answered as often as it takes to see a change", () => {
    const learning = new Learning();
    honest(learning, 500);
    lies(learning, 30, 0);
    honest(learning, 200, 2);
    expect(expectedS(learning)).toBeGreaterThan(5);
    expect(expectedS(learning)).toBeLessThan(9);
  });
});

describe("records of nodes", () => {
  it("outlast a crowd of newcomers that are asked once and never come back", () => {
    const paces = new NodePaces();
    for (let stranger = 0; stranger < 10_000; stranger++) {
      if (stranger % 100 === 0) paces.answered("slow", 1 + 0.1 * (stranger % 3));
      paces.silent(`stranger-${stranger}`, 1);
    }
    expect(paces.alive("slow")).toBeGreaterThan(0.8);
  });
});
