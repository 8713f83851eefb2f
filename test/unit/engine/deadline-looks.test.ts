import { describe, expect, it } from "vitest";
import { Bench, type BenchConfig } from "./bench.ts";

const DEADLINE = { kind: "deadline", target: 0.99, maxCopies: 3, withinBlocks: "none" } as const;
const DEAR = { offers: [{ model: "m", mode: "vanilla", priceGwei: 1_000 }] } as const;

/** How often an engine wakes for one race of ten seconds whose first copy lingers. */
function wakesOf(config: BenchConfig, prepare: (bench: Bench) => void = () => {}): number {
  const bench = new Bench({ policy: DEADLINE, ...config });
  prepare(bench);
  for (const copy of bench.race({ ttlBlocks: 20 })) bench.accept(copy);
  const untilUs = bench.nowUs + 10_000_000;
  let wakes = 0;
  while (bench.engine.nextWakeUs() <= untilUs && wakes < 1_000) {
    bench.nowUs = bench.engine.nextWakeUs();
    bench.tell({ kind: "woken" });
    wakes++;
  }
  expect(bench.engine.counters.copiesLaunched).toBe(1);
  return wakes;
}

// Asked for the copy after the next one in a microsecond, the engine looked a million times a second.
describe("a copy that the deadline policy wants and cannot have", () => {
  it("is asked for again after the usual pause when the budget is spent", () => {
    expect(wakesOf({ budget: { ratio: 0, burstMs: 0 } })).toBeLessThan(100);
  });

  it("likewise when the free nodes are too dear", () => {
    const wakes = wakesOf({ nodes: ["a"] }, (bench) => {
      for (const id of ["b", "c"]) bench.join(id, DEAR);
    });
    expect(wakes).toBeLessThan(100);
  });

  it("is not asked for again when the race may launch no more", () => {
    expect(wakesOf({ races: { maxCopies: 1 } })).toBeLessThan(10);
  });
});
