import { describe, expect, it } from "vitest";
import { streamFor } from "../../../sim/kernel/streams.ts";
import { compareByGoal, type Trial } from "../../../sim/tune/objective.ts";
import { race, type RaceOptions } from "../../../sim/tune/race.ts";

/** What a made-up candidate does on average. */
interface Made {
  readonly onTime: number;
  readonly work: number;
}

const OPTIONS: RaceOptions = { target: 0.99, error: 0.05, looks: [4, 8, 16], jobs: 1_000 };

/** Luck that all share, and luck of one's own, normal. */
function noisy(made: readonly Made[], seed: number, own = 0.002) {
  const asked = made.map(() => 0);
  const measure = (candidate: number, replication: number): Promise<Trial> => {
    asked[candidate] = (asked[candidate] ?? 0) + 1;
    const shared = streamFor(seed, replication, "shared").normal();
    const alone = streamFor(seed, replication, `candidate ${candidate}`);
    const { onTime, work } = made[candidate] as Made;
    return Promise.resolve({
      onTime: onTime + 0.003 * shared + own * alone.normal(),
      work: work * (1 + 0.05 * shared + 5 * own * alone.normal()),
    });
  };
  return { measure, asked };
}

describe("the goal", () => {
  it("is the least work among those that reach the target, else the most in time", () => {
    const [cheap, dear, late, later] = [
      { onTime: 0.991, work: 2 },
      { onTime: 0.999, work: 3 },
      { onTime: 0.98, work: 1 },
      { onTime: 0.97, work: 0.5 },
    ] as const;
    const sorted = [later, dear, late, cheap].toSorted((a, b) => compareByGoal(a, b, 0.99));
    expect(sorted).toEqual([cheap, dear, late, later]);
  });
});

describe("a race of candidates", () => {
  const spread: readonly Made[] = [
    { onTime: 0.995, work: 1.3 },
    { onTime: 0.996, work: 1.34 },
    { onTime: 0.994, work: 1.6 },
    { onTime: 0.998, work: 2 },
    { onTime: 0.97, work: 1 },
    { onTime: 0.93, work: 1.1 },
    { onTime: 0.9, work: 0.9 },
  ];

  it("finds the best one and spends little on the hopeless ones", async () => {
    const { measure, asked } = noisy(spread, 1, 0.0005);
    const { winner, candidates } = await race(spread.length, OPTIONS, measure);
    expect(winner).toBe(0);
    expect(candidates[3]?.dropped?.because).toBe("costs more");
    expect(candidates[6]?.dropped?.because).toBe("misses the target");
    const all = spread.length * (OPTIONS.looks.at(-1) ?? 0);
    expect(asked.reduce((sum, one) => sum + one, 0)).toBeLessThan(0.7 * all);
    // Those that are hard to tell apart get all that there is to get, unless one is left.
    expect(Math.min(...asked)).toBe(4);
  });

  it("stops as soon as one is left", async () => {
    const two = [
      { onTime: 0.998, work: 1 },
      { onTime: 0.5, work: 4 },
    ];
    const { measure, asked } = noisy(two, 2, 0.0001);
    const { winner, candidates } = await race(2, OPTIONS, measure);
    expect([winner, candidates[1]?.dropped?.because]).toEqual([0, "answers fewer and costs more"]);
    expect(asked).toEqual([4, 4]);
  });

  // The error is bounded by 5 %; by Bonferroni's inequality it is less. 300 races with an error of 5 % would drop the best
  // 15 times on average, and more than 26 times with a probability of 0.2 %.
  it("drops the best no more often than its error says, also where the target is close and others are", async () => {
    const close: readonly Made[] = [
      { onTime: 0.9905, work: 1.3 },
      { onTime: 0.9903, work: 1.32 },
      { onTime: 0.9895, work: 1.28 },
      { onTime: 0.9908, work: 1.31 },
      { onTime: 0.985, work: 1.1 },
    ];
    let dropped = 0;
    for (let seed = 0; seed < 300; seed++) {
      const { candidates } = await race(close.length, OPTIONS, noisy(close, seed).measure);
      if (candidates[0]?.dropped !== undefined) dropped++;
    }
    expect(dropped).toBeLessThanOrEqual(26);
  });

  it("does the same where nobody reaches the target", async () => {
    const late: readonly Made[] = [
      { onTime: 0.951, work: 1.3 },
      { onTime: 0.95, work: 1.1 },
      { onTime: 0.949, work: 1.4 },
      { onTime: 0.9, work: 1 },
    ];
    let dropped = 0;
    for (let seed = 0; seed < 200; seed++) {
      const { candidates } = await race(late.length, OPTIONS, noisy(late, seed).measure);
      if (candidates[0]?.dropped !== undefined) dropped++;
      expect(candidates[3]?.dropped?.because).toBe("misses the target");
    }
    expect(dropped).toBeLessThanOrEqual(20);
  });

  it("takes replications that agree to the last job for what they are", async () => {
    // Two that differ by less than one job in all replications together are not told apart.
    const measure = (candidate: number): Promise<Trial> =>
      Promise.resolve({ onTime: candidate === 0 ? 0.9 : 0.9 - 1e-5, work: 1 });
    const { candidates } = await race(2, OPTIONS, measure);
    expect(candidates.map(({ dropped }) => dropped)).toEqual([undefined, undefined]);
  });

  it("drops what does not come to an end, and has no winner when nothing does", async () => {
    const { measure } = noisy(spread, 3);
    const some = await race(2, OPTIONS, (candidate, replication) =>
      candidate === 0 ? Promise.resolve("endless") : measure(candidate, replication),
    );
    expect([some.winner, some.candidates[0]?.dropped?.because]).toEqual([1, "endless"]);
    const none = await race(2, OPTIONS, () => Promise.resolve("endless"));
    expect(none.winner).toBeUndefined();
  });
});
