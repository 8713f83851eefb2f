import { describe, expect, it } from "vitest";
import type { EngineEvent } from "../../../scheduler/engine/events.ts";
import type { ConflictRule, Mode } from "../../../scheduler/shared/vocabulary.ts";
import { streamFor } from "../../../sim/kernel/streams.ts";
import type { FleetBehaviour } from "../../../sim/recorded/course.ts";
import { Observer } from "../../../sim/recorded/observer.ts";
import type { Outcome } from "../../../sim/recorded/outcome.ts";
import { outputsOf, strayShares } from "../../../sim/recorded/outputs.ts";
import type { Given, Recording } from "../../../sim/recorded/recording.ts";
import { playRecording } from "../../../sim/recorded/world.ts";
import { fleetOf, QUIET, unplayed } from "./synthetic.ts";

const BOND_GWEI = 100_000;
const LIAR = "node-1";

/** The synthetic run with every call in this mode under this rule, and bonds for all nodes. */
function asking(mode: Mode, conflict: ConflictRule): Recording {
  const recording = unplayed(QUIET);
  const given = recording.given.flatMap((each): Given[] => {
    const { atUs, event } = each;
    if (event.kind === "node-joined") {
      const node = { ...event.node, offers: event.node.offers.map((offer) => ({ ...offer, mode })) };
      return [
        { atUs, event: { kind: "bond-changed", node: node.id, bondGwei: BOND_GWEI } },
        { atUs, event: { kind: "node-joined", node } },
      ];
    }
    return [each];
  });
  const preExecutions = new Map(
    [...recording.preExecutions].map(([hash, records]) => [
      hash,
      records.map((record) => {
        const { found } = record;
        if (found.kind !== "calls-discovered") return record;
        const calls = found.calls.map((call) => ({ ...call, mode, conflict, maxFeeGwei: 60 }));
        return { ...record, found: { ...found, calls } };
      }),
    ]),
  );
  const dearer = given.map((each): Given => {
    if (!("nonceOffset" in each)) return each;
    const { transaction } = each.event;
    const calls = transaction.calls?.map((call) => ({ ...call, mode, conflict, maxFeeGwei: 60 }));
    return {
      ...each,
      event: { kind: "submitted", transaction: { ...transaction, calls, escrowGwei: 3 * transaction.escrowGwei } },
    };
  });
  return { ...recording, given: dearer, preExecutions };
}

function withLiar(recording: Recording): FleetBehaviour {
  const honest = fleetOf(QUIET);
  return {
    ...honest,
    manner: (node) => honest.manner(node),
    course: (copy, seed, nowUs) => ({
      ...honest.course(copy, seed, nowUs),
      outputs: copy.node === LIAR ? ["wrong"] : ["right"],
    }),
    reportIntervalUs: 250_000,
    reportDelayUs: recording.config.blockIntervalUs / 25,
  };
}

/** Plays it, and observes what was played as if it had been a live run's journal. */
function observed(recording: Recording): { readonly outcome: Outcome; readonly again: Recording } {
  const batches: { readonly atUs: number; readonly event: EngineEvent }[] = [];
  const outcome = playRecording(recording, {
    policy: "recorded",
    seed: 5,
    fleet: withLiar(recording),
    watch: (atUs, event) => void batches.push({ atUs, event }),
  });
  const seed = Math.floor(streamFor(5, 0, "engine").unit() * 2 ** 31);
  const observer = new Observer({ ...recording.config, seed });
  for (const { atUs, event } of batches) observer.step(atUs, [event]);
  return { outcome, again: observer.recording() };
}

const ALL = unplayed(QUIET).given.reduce(
  (sum, { event }) => sum + (event.kind === "submitted" ? (event.transaction.calls?.length ?? 0) : 0),
  0,
);

describe("a recorded world in which answers are compared", () => {
  for (const rule of [{ kind: "agree", k: 2 } as const, { kind: "median", k: 3, tolerance: 0.01 } as const]) {
    it(`decides by ${rule.kind} what honest nodes say, and outvotes who says otherwise`, () => {
      const recording = asking("vanilla", rule);
      const { outcome, again } = observed(recording);
      expect(outcome.jobs.length).toBeGreaterThan(0.9 * ALL);
      expect(outcome.jobs.filter(({ node }) => node === LIAR)).toEqual([]);
      const shares = strayShares(again.copies, outputsOf(again.copies));
      expect(shares.get(LIAR)).toBe(1);
      expect([...shares].filter(([node, share]) => node !== LIAR && share > 0)).toEqual([]);
    });
  }
});

describe("a recorded world in mode optimistic", () => {
  const recording = asking("optimistic", { kind: "first-valid" });

  it("knows the bonds: without them nobody may be asked", () => {
    const { outcome } = observed(recording);
    expect(outcome.jobs.length).toBeGreaterThan(0.9 * ALL);
    expect(outcome.jobs.every(({ mode }) => mode === "optimistic")).toBe(true);
    const unbonded = recording.given.filter(({ event }) => event.kind !== "bond-changed");
    expect(observed({ ...recording, given: unbonded }).outcome.jobs).toEqual([]);
  });

  it("challenges what the sample really fell on, and only that; liars forfeit", () => {
    const first = observed(recording);
    expect(first.outcome.ledger.forfeitedGwei).toBe(0);
    expect([...first.again.sampled.values()].some((fell) => fell)).toBe(false);
    const chosen = new Map([...first.again.sampled.keys()].map((call, index) => [call, index % 2 === 0]));
    const { outcome, again } = observed({ ...recording, sampled: chosen });
    expect(outcome.ledger.forfeitedGwei).toBeGreaterThan(0);
    for (const [call, fell] of again.sampled) if (chosen.has(call)) expect(fell).toBe(chosen.get(call));
    expect([...again.sampled.values()].filter((fell) => fell).length).toBeGreaterThan(0.3 * again.sampled.size);
    expect(again.given.filter(({ event }) => event.kind === "bond-changed").length).toBe(QUIET.nodes);
  });
});
