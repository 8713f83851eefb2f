import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Audit } from "../../../sim/checkers/index.ts";
import type { Agreement } from "../../../sim/checkers/checker.ts";
import { ascending, quantile } from "../../../sim/recorded/distance.ts";
import { fittedFleet } from "../../../sim/recorded/fitted.ts";
import { Observer } from "../../../sim/recorded/observer.ts";
import type { Outcome } from "../../../sim/recorded/outcome.ts";
import { profiledFleet } from "../../../sim/recorded/profiled.ts";
import { RecordingError, type Recording } from "../../../sim/recorded/recording.ts";
import {
  differenceOver,
  jobLatenciesMs,
  likenessOf,
  metricOver,
  replicate,
} from "../../../sim/recorded/replications.ts";
import { playRecording } from "../../../sim/recorded/world.ts";
import { expectedUs, fleetOf, lived, QUIET, recordingOf, REPORTS, type Synthetic, unplayed } from "./synthetic.ts";

const synthetics: fc.Arbitrary<Synthetic> = fc.record({
  seed: fc.integer({ min: 0, max: 1_000_000 }),
  transactions: fc.integer({ min: 1, max: 60 }),
  policy: fc.constantFrom(
    { kind: "fixed" as const, copies: 2 },
    { kind: "hedge" as const, delayMs: 100, maxCopies: 3 },
    { kind: "hedge" as const, delayMs: 500, maxCopies: 2 },
  ),
  nodes: fc.integer({ min: 2, max: 6 }),
  slots: fc.integer({ min: 1, max: 4 }),
  dead: fc.integer({ min: 0, max: 1 }),
  ratePerS: fc.constantFrom(2, 10, 50),
  failing: fc.constantFrom(0, 0.2),
  lying: fc.constantFrom(0, 0.5),
  deaf: fc.boolean(),
});

function agreementOf({ config }: Recording): Agreement {
  const { limits, budget, optimistic } = config;
  return {
    budget: budget === "unlimited" ? undefined : { burstUs: 1_000 * budget.burstMs, ratio: budget.ratio },
    maxPending: limits.maxPending,
    maxPendingPerSender: limits.maxPendingPerSender,
    maxCallsPerTransaction: limits.maxCallsPerTransaction,
    maxRounds: limits.maxRounds,
    maxTransactionsPerBlock: 1_000,
    maxReorgDepth: limits.maxReorgDepth,
    challengeBlocks: optimistic.challengeBlocks,
  };
}

/** Every transaction is somewhere, and money adds up. */
function conserved({ transactions, ledger, jobs }: Outcome, recording: Recording): void {
  const { withCalls, onTime, late, refunded, refused, takenBack, pending } = transactions;
  expect(onTime + late + refunded + refused + takenBack + pending).toBe(withCalls);
  expect(transactions.submitted).toBe(recording.given.filter(({ event }) => event.kind === "submitted").length);
  expect(ledger.paidGwei + ledger.refundedGwei + ledger.heldGwei).toBe(ledger.escrowedGwei);
  expect(new Set(jobs.map(({ txHash, callIndex }) => `${txHash}/${callIndex}`)).size).toBe(jobs.length);
}

describe("a recorded world", () => {
  it("is deterministic, loses no transaction and no money, and keeps the promises at each step", () => {
    fc.assert(
      fc.property(synthetics, (synthetic) => {
        const recording = unplayed(synthetic);
        const audit = new Audit(agreementOf(recording));
        const options = { policy: "recorded" as const, seed: synthetic.seed, fleet: fleetOf(synthetic) };
        const outcome = playRecording(recording, {
          ...options,
          watch: (us, event, out) => audit.observe(us, event, out),
        });
        audit.end();
        expect(audit.violations).toEqual([]);
        conserved(outcome, recording);
        expect(outcome.transactions.pending).toBe(0);
        expect(playRecording(recording, options)).toEqual(outcome);
      }),
      { numRuns: 40 },
    );
  });

  it("is seen by an observer of its journal as it was, copy by copy", () => {
    fc.assert(
      fc.property(synthetics, (synthetic) => {
        const { outcome, batches } = lived(synthetic);
        const recording = recordingOf(synthetic);
        expect(recording.actual).toEqual(outcome);
        expect(recording.copies.length).toBe(outcome.copies);
        const submitted = batches.filter(({ event }) => event.kind === "submitted").length;
        expect(recording.given.filter(({ event }) => event.kind === "submitted").length).toBe(submitted);
        expect(recording.given.every((given) => !("nonceOffset" in given) || given.nonceOffset === 0)).toBe(true);
      }),
      { numRuns: 20 },
    );
  });

  it("plays under a policy of one's choice, fitted to what was seen, whatever was seen", () => {
    fc.assert(
      fc.property(synthetics, (synthetic) => {
        const recording = recordingOf(synthetic);
        if (!recording.copies.some(({ end }) => end === "answered")) return;
        const fleet = fittedFleet(recording, REPORTS);
        for (const policy of ["recorded" as const, { kind: "fixed" as const, copies: 1 }]) {
          const outcome = playRecording(recording, { policy, seed: 7, fleet });
          conserved(outcome, recording);
          if (policy !== "recorded") expect(outcome.speculativeCopies).toBe(0);
        }
      }),
      { numRuns: 20 },
    );
  });
});

const GO_ON = async () => true;
const REPLICATIONS = 10;

describe("nodes fitted to a run", () => {
  const faulty: Synthetic = { ...QUIET, transactions: 1_200, failing: 0.1, lying: 0.5, dead: 1, deaf: true };
  const recording = recordingOf(faulty);
  const fleet = fittedFleet(recording, REPORTS);

  it("are dead, deaf and lying where the real ones were", () => {
    const manners = Array.from({ length: faulty.nodes }, (_, index) => fleet.manner(`node-${index}`));
    expect(manners.map(({ responds }) => responds)).toEqual([true, true, true, true, true, false]);
    expect(manners.map(({ stops }) => stops).slice(0, 5)).toEqual([false, true, true, true, true]);
    const rejected = (node: string) =>
      courses(node).filter(({ rejectedBecause }) => rejectedBecause !== undefined).length / COURSES;
    expect(rejected("node-0")).toBeGreaterThan(0.25);
    expect(rejected("node-1")).toBe(0);
  });

  it("take as long and fail as often as the real ones, although many copies were stopped", () => {
    const stopped = recording.copies.filter(({ end }) => end === "stopped").length;
    expect(stopped).toBeGreaterThan(recording.copies.length / 20);
    for (const index of [1, 2, 3, 4]) {
      const own = courses(`node-${index}`);
      const failing = own.filter(({ end }) => end === "failed").length / COURSES;
      expect(Math.abs(failing - faulty.failing)).toBeLessThan(0.08);
      const runs = ascending(own.filter(({ end }) => end === "answered").map(({ runUs }) => runUs));
      // The noise's median is 1; what the fit adds is half of the messages' millisecond.
      expect(quantile(runs, 0.5) / expectedUs(index, TOKENS)).toBeGreaterThan(0.85);
      expect(quantile(runs, 0.5) / expectedUs(index, TOKENS)).toBeLessThan(1.15);
    }
  });

  it("give a copy the same course whenever it is sent, and others to other copies, nodes and seeds", () => {
    const copy = { node: "node-1", txHash: "some", callIndex: 0, ordinal: 0, call: recordingCall() };
    const course = (changes: Partial<typeof copy>, seed: number, nowUs: number) =>
      fleet.course({ ...copy, ...changes }, seed, nowUs);
    expect(course({}, 1, 5)).toEqual(course({}, 1, 6_000_000));
    const others = [course({}, 2, 5), course({ node: "node-2" }, 1, 5), course({ ordinal: 1 }, 1, 5)];
    expect(new Set([course({}, 1, 5), ...others].map(({ runUs }) => runUs)).size).toBe(4);
  });

  it("reproduce the run that they were fitted to, and tell policies apart", async () => {
    const play = (policy: Recording["config"]["policy"] | "recorded") =>
      replicate(recording, { policy, fleet, replications: REPLICATIONS, seed: 3, goOn: GO_ON });
    const [recorded, single] = [await play("recorded"), await play({ kind: "fixed", copies: 1 })];
    expect(likenessOf(recording.actual, recorded).distance).toBeLessThan(0.1);
    // Without a second copy a dead node costs its whole accept timeout.
    const work = differenceOver(recorded, single, "workS");
    expect(work?.interval?.[1]).toBeLessThan(0);
    expect(metricOver(single, "speculativeWorkS")?.mean).toBe(0);
  });

  const COURSES = 2_000;
  const TOKENS = 60;
  function courses(node: string) {
    const call = recordingCall();
    return Array.from({ length: COURSES }, (_, index) =>
      fleet.course({ node, txHash: `other-${index}`, callIndex: 0, ordinal: 0, call }, 5, recording.startedUs),
    );
  }
  function recordingCall() {
    for (const { event } of recording.given) {
      const call = event.kind === "submitted" ? event.transaction.calls?.[0] : undefined;
      if (call !== undefined) return { ...call, tokensOut: TOKENS };
    }
    throw new Error("the synthetic run has calls");
  }
});

describe("a likeness", () => {
  it("is worse of nodes that take three times as long than chance can explain", async () => {
    const recording = recordingOf(QUIET);
    const fleet = fittedFleet(recording, REPORTS);
    const slow = {
      ...fleet,
      manner: (node: string) => fleet.manner(node),
      course: (...args: Parameters<typeof fleet.course>) => {
        const course = fleet.course(...args);
        return { ...course, runUs: 3 * course.runUs };
      },
      ...REPORTS,
    };
    const outcomes = await replicate(recording, {
      policy: "recorded",
      fleet: slow,
      replications: REPLICATIONS,
      seed: 1,
      goOn: GO_ON,
    });
    const { distance, byChance } = likenessOf(recording.actual, outcomes);
    expect(distance).toBeGreaterThan(0.3);
    expect(byChance?.p95).toBeLessThan(distance);
    expect(jobLatenciesMs(recording.actual).length).toBe(recording.actual.jobs.length);
  });
});

describe("what cannot be played", () => {
  it("says so: no events, no copies, nodes without a profile", () => {
    expect(() => new Observer(unplayed(QUIET).config).recording()).toThrow(RecordingError);
    const silent = { ...unplayed(QUIET) };
    expect(() => fittedFleet(silent, REPORTS)).toThrow("No copy came to its end");
    expect(() => profiledFleet(silent, new Map(), REPORTS)).toThrow("node-0 joined the run, but its profile");
  });
});

describe("what several nodes have to say", () => {
  const changed = (change: (text: string) => string): Recording => {
    const recording = unplayed(QUIET);
    const preExecutions = new Map(
      JSON.parse(change(JSON.stringify([...recording.preExecutions]))) as Recording["preExecutions"],
    );
    return { ...recording, given: JSON.parse(change(JSON.stringify(recording.given))), preExecutions };
  };
  const onTimeOf = (recording: Recording): number => {
    const { transactions } = playRecording(recording, { policy: "recorded", seed: 1, fleet: fleetOf(QUIET) });
    return transactions.onTime / transactions.withCalls;
  };

  it("is the same, so that calls which ask for agreement are decided", () => {
    const agreeing = changed((text) =>
      text
        .replaceAll('{"kind":"first-valid"}', '{"kind":"agree","k":2}')
        .replaceAll('"maxFeeGwei":20', '"maxFeeGwei":40')
        .replaceAll(/"escrowGwei":(\d+)/g, (_, gwei: string) => `"escrowGwei":${2 * Number(gwei)}`),
    );
    expect(onTimeOf(agreeing)).toBeGreaterThan(0.9);
  });

  it("is bonded in mode optimistic as it was in the real run", () => {
    const optimistic = changed((text) => text.replaceAll('"vanilla"', '"optimistic"'));
    const unbonded = onTimeOf(optimistic);
    const bonds = Array.from({ length: QUIET.nodes }, (_, index) => ({
      atUs: optimistic.startedUs,
      event: { kind: "bond-changed" as const, node: `node-${index}`, bondGwei: 1_000_000 },
    }));
    expect(unbonded).toBe(0);
    expect(onTimeOf({ ...optimistic, given: [...bonds, ...optimistic.given] })).toBeGreaterThan(0.9);
    const observer = new Observer(optimistic.config);
    for (const { atUs, event } of bonds) observer.step(atUs, [event]);
    expect(observer.recording().given).toEqual(bonds);
  });
});
