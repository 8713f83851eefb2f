import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type BudgetSpec, WorkBudget } from "../../../policies/index.ts";
import { MAX_BURST_MS } from "../../../policies/token-buckets.ts";
import { DENIED } from "../../../policies/work-budget.ts";
import type { EngineEvent } from "../../../scheduler/engine/events.ts";
import type { Command } from "../../../scheduler/engine/recorder.ts";
import { Books } from "../../../sim/checkers/books.ts";
import type { Agreement } from "../../../sim/checkers/checker.ts";
import { agreedBudget, type Bound, workBudget } from "../../../sim/checkers/work-budget.ts";

/**
 * P6 in its interval form, over random histories of a fleet that slows down as a whole now and then. Every interval is summed
 * up by itself, which is slow and cannot be wrong; the checker that watches the engine has to come to the same verdict.
 */

type Limited = Exclude<BudgetSpec, string>;

/** What somebody does after a pause. */
interface Move {
  readonly pauseUs: number;
  readonly what: "primary" | "speculative" | "slow" | "usual";
  readonly model: "m" | "n";
  readonly sender: "alice" | "bob" | "carol";
  readonly workUs: number;
}

/** A copy as it ran. */
interface Run {
  readonly id: number;
  readonly speculative: boolean;
  readonly names: readonly [all: string, served: string, sender: string];
  readonly startUs: number;
  readonly leaseUs: number;
  readonly endUs: number;
}

const bucket = fc.record({ ratio: fc.constantFrom(0, 0.25, 0.5, 2), burstMs: fc.integer({ min: 0, max: 30 }) });
const specs: fc.Arbitrary<Limited> = fc
  .record({ whole: bucket, perClass: fc.option(bucket), perSender: fc.option(bucket) })
  .map(({ whole, perClass, perSender }) => ({
    ...whole,
    ...(perClass === null ? {} : { perClass }),
    ...(perSender === null ? {} : { perSender }),
  }));
const moves: fc.Arbitrary<Move> = fc.record({
  pauseUs: fc.oneof(fc.constant(0), fc.nat(20_000)),
  what: fc.constantFrom("primary", "primary", "speculative", "speculative", "speculative", "slow", "usual"),
  model: fc.constantFrom("m", "m", "n"),
  sender: fc.constantFrom("alice", "alice", "bob", "carol"),
  workUs: fc.integer({ min: 1, max: 15_000 }),
});
const histories = fc.record({ spec: specs, moves: fc.array(moves, { maxLength: 60, size: "max" }) });
type History = typeof histories extends fc.Arbitrary<infer T> ? T : never;

/** Plays a history against a budget: who is granted runs for as long as its work takes, or to the end of its lease. */
function play(budget: WorkBudget, history: readonly Move[]): Run[] {
  const runs: Run[] = [];
  const ends: { readonly atUs: number; readonly end: () => void }[] = [];
  let nowUs = 1_000;
  let factor = 1;
  const until = (us: number): void => {
    ends.sort((a, b) => a.atUs - b.atUs);
    while (ends[0] !== undefined && ends[0].atUs <= us) ends.shift()?.end();
  };
  for (const { pauseUs, what, model, sender, workUs } of history) {
    nowUs += pauseUs;
    until(nowUs);
    if (what === "slow" || what === "usual") {
      factor = what === "slow" ? 5 : 1;
      continue;
    }
    const speculative = what === "speculative";
    const served = `${model}/vanilla`;
    const reservedUs = speculative ? Math.min(2 * workUs, budget.availableUs(served, sender)) : 5 * workUs;
    const grant = speculative ? budget.reserve(reservedUs, served, sender) : DENIED;
    if (speculative && (grant === DENIED || reservedUs === 0)) continue;
    const usedUs = Math.min(factor * workUs, reservedUs);
    const run = { speculative, startUs: nowUs, leaseUs: nowUs + reservedUs, endUs: nowUs + usedUs };
    runs.push({ ...run, id: runs.length, names: ["", served, sender] });
    const end = speculative
      ? () => budget.settle(grant, { reservedUs, usedUs, served, sender })
      : () => budget.earn(usedUs, served, sender);
    ends.push({ atUs: run.endUs, end });
  }
  until(Number.POSITIVE_INFINITY);
  return runs;
}

/** Whether some interval has more than it may, of all copies, of a class, or of a sender. */
function overdrawn(spec: Limited, runs: readonly Run[]): boolean {
  const { perClass, perSender } = agreedBudget(spec);
  return [agreedBudget(spec), perClass, perSender].some((bound, index) => {
    if (bound === undefined) return false;
    const names = new Set(runs.map((run) => run.names[index]));
    return [...names].some((name) =>
      tooMuch(
        bound,
        runs.filter((run) => run.names[index] === name),
      ),
    );
  });
}

function tooMuch({ ratio, burstUs }: Bound, runs: readonly Run[]): boolean {
  const times = [...new Set(runs.flatMap(({ startUs, endUs }) => [startUs, endUs]))].sort((a, b) => a - b);
  return times.some((fromUs, index) =>
    times.slice(index + 1).some((toUs) => {
      let [speculativeUs, primaryUs] = [0, 0];
      for (const { speculative, startUs, endUs } of runs) {
        if (speculative) speculativeUs += Math.max(0, Math.min(endUs, toUs) - Math.max(startUs, fromUs));
        // What ends at its last moment paid for nothing before.
        else if (endUs > fromUs && endUs < toUs) primaryUs += endUs - startUs;
      }
      return speculativeUs > burstUs + ratio * primaryUs;
    }),
  );
}

/** What the checker says to the same runs, told as a stream of events and commands. */
function complaints(spec: Limited, runs: readonly Run[]): string[] {
  const books = new Books();
  const said: string[] = [];
  const agreement = { budget: agreedBudget(spec) } as Agreement;
  const checker = workBudget(books, agreement, (message) => said.push(message));
  for (const sender of ["alice", "bob", "carol"]) books.transactions.set(sender, { sender, stage: "pending" } as never);
  const stream = runs.flatMap((run) => [
    { atUs: run.startUs, run, ends: false },
    { atUs: run.endUs, run, ends: true },
  ]);
  // Of the same moment ends come first, as above.
  stream.sort((a, b) => a.atUs - b.atUs || Number(b.ends) - Number(a.ends));
  for (const { atUs, run, ends } of stream) {
    const event: EngineEvent = ends
      ? { kind: "copy-failed", copy: run.id, node: "n", reason: "error" }
      : { kind: "woken" };
    books.event(atUs, event);
    checker.event?.(event);
    if (!ends) {
      const command = dispatchOf(run);
      books.command(command);
      checker.command?.(command);
    }
    checker.stepped?.(event);
  }
  return said;
}

function dispatchOf({ id, names: [, served, sender], startUs, leaseUs, speculative }: Run): Command {
  const [model, mode] = served.split("/");
  const race = { id, tx: { id, hash: sender }, callIndex: 0, call: { digest: "d", model, mode } };
  const copy = { id, nonce: id, node: { id: "n" }, race, speculative, launchedUs: startUs, leaseUs };
  return { kind: "dispatch", copy } as unknown as Command;
}

class PaysBackTooMuch extends WorkBudget {
  override settle(...[grant, copy]: Parameters<WorkBudget["settle"]>): void {
    super.settle(grant, { ...copy, usedUs: copy.usedUs >> 1 });
  }
}

class EarnsTooMuch extends WorkBudget {
  override earn(...[us, ...names]: Parameters<WorkBudget["earn"]>): void {
    super.earn(2 * us, ...names);
  }
}

class ChargesNothingBeforeTheEnd extends WorkBudget {
  override reserve(...[us, ...names]: Parameters<WorkBudget["reserve"]>): number {
    const grant = super.reserve(us, ...names);
    if (grant !== DENIED) super.settle(grant, { reservedUs: us, usedUs: 0, served: names[0], sender: names[1] });
    return grant;
  }
  override settle(...[grant, { usedUs, served, sender }]: Parameters<WorkBudget["settle"]>): void {
    const us = Math.min(usedUs, this.availableUs(served, sender));
    if (super.reserve(us, served, sender) === grant)
      super.settle(grant, { reservedUs: us, usedUs: us, served, sender });
  }
}

const FAULTS: readonly { readonly name: string; readonly make: (spec: Limited) => WorkBudget }[] = [
  { name: "pays back what was used", make: (spec) => new PaysBackTooMuch(spec) },
  { name: "earns more than its ratio", make: (spec) => new EarnsTooMuch(spec) },
  { name: "is charged at the end only", make: (spec) => new ChargesNothingBeforeTheEnd(spec) },
  {
    name: "lets what is not spent pile up",
    make: (spec) => {
      const budget = new WorkBudget(spec);
      budget.change({ ...spec, burstMs: MAX_BURST_MS });
      return budget;
    },
  },
  { name: "does not ask the sender", make: ({ perSender: _, ...spec }) => new WorkBudget(spec) },
  { name: "does not ask the class", make: ({ perClass: _, ...spec }) => new WorkBudget(spec) },
];

describe("a budget", () => {
  it("P6: is overdrawn in no interval, of all, of no class and of no sender", () => {
    const check = ({ spec, moves: history }: History): void => {
      const runs = play(new WorkBudget(spec), history);
      expect(overdrawn(spec, runs)).toBe(false);
      expect(complaints(spec, runs)).toEqual([]);
    };
    fc.assert(fc.property(histories, check), { numRuns: 400 });
  });

  const planted = fc.sample(histories, { numRuns: 400, seed: 20_261_125 });
  it.each(FAULTS)("that $name is overdrawn, and the checker says so exactly then", ({ make }) => {
    let caught = 0;
    for (const { spec, moves: history } of planted) {
      const runs = play(make(spec), history);
      const wrong = overdrawn(spec, runs);
      expect(complaints(spec, runs).length > 0).toBe(wrong);
      if (wrong) caught++;
    }
    expect(caught).toBeGreaterThan(0);
  });

  it("P6: speculates as much as it may: after a quiet time the whole burst at once", () => {
    const spec = { ratio: 1, burstMs: 20 };
    const primary: Move = { pauseUs: 15_000, what: "primary", model: "m", sender: "alice", workUs: 10_000 };
    const speculative: Move = { ...primary, pauseUs: 0, what: "speculative", workUs: 5_000 };
    const runs = play(new WorkBudget(spec), [...Array(9).fill(primary), ...Array(9).fill(speculative)]);
    expect(runs.filter((run) => run.speculative)).toHaveLength(2);
  });
});
