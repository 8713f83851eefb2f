import { describe, expect, it } from "vitest";
import { fateOf, type Temperament } from "../../../scheduler/node/behaviour/fate.ts";
import type { Fault } from "../../../scheduler/node/behaviour/faults.ts";
import { SMALL_CLASSIFIER } from "../../../scheduler/node/behaviour/latency-profile.ts";
import type { CallTerms } from "../../../scheduler/shared/vocabulary.ts";
import { acceptancesOf } from "../../../sim/recorded/machine-waits.ts";
import { profiledFleet } from "../../../sim/recorded/profiled.ts";
import { likenessOf, replicate } from "../../../sim/recorded/replications.ts";
import type { Recording } from "../../../sim/recorded/recording.ts";
import { QUIET, recordingOf, REPORTS } from "./synthetic.ts";

const FAULTS: readonly Fault[] = [
  { kind: "none" },
  { kind: "slow", factor: 3 },
  { kind: "erroring", fraction: 0.5 },
  { kind: "wrong-signature" },
  { kind: "never-cancels" },
  { kind: "dead" },
];

const temperaments = new Map(
  FAULTS.map((fault, index): [string, Temperament] => [
    `node-${index}`,
    {
      latency: { kind: "modelled", profiles: { chat: SMALL_CLASSIFIER } },
      speed: 1,
      fault,
      luckHex: `${index}`.repeat(64),
    },
  ]),
);

const recording = recordingOf(QUIET);
const fleet = profiledFleet(recording, temperaments, REPORTS);

function callOf({ given }: Recording): CallTerms {
  const calls = given.flatMap(({ event }) => (event.kind === "submitted" ? (event.transaction.calls ?? []) : []));
  const [call] = calls;
  if (call === undefined) throw new Error("the synthetic run has calls");
  return call;
}

describe("nodes as their profiles say", () => {
  const call = callOf(recording);
  const copy = { txHash: "some", callIndex: 0, ordinal: 1 };

  it("make of each copy the very same as the real ones, whenever it comes and whatever the seed", () => {
    for (const [node, temperament] of temperaments) {
      const { delay, fails } = fateOf(temperament, copy, call);
      for (const seed of [1, 2]) {
        const course = fleet.course({ ...copy, node, call }, seed, recording.startedUs + seed * 1_000_000);
        expect(course.runUs).toBe(1_000 * (fails ? delay.firstTokenMs : delay.totalMs));
        expect(course.end).toBe(fails ? "failed" : "answered");
        expect(course.rejectedBecause !== undefined).toBe(temperament.fault.kind === "wrong-signature");
      }
    }
  });

  it("respond, stop and report as their faults let them", () => {
    const manners = [...temperaments.keys()].map((node) => fleet.manner(node));
    expect(manners.map(({ responds }) => responds)).toEqual([true, true, true, true, true, false]);
    expect(manners.map(({ stops }) => stops)).toEqual([true, true, true, true, false, true]);
    expect(manners.map(({ reports }) => reports)).toEqual([true, true, true, true, true, false]);
  });

  it("wait for the machine as long as copies around the same moment did", () => {
    const acceptances = acceptancesOf(recording.copies);
    const slow = acceptances.map((took, index) => ({ ...took, us: index < acceptances.length / 2 ? 900 : 90_000 }));
    const copies = recording.copies.map((each, index) => ({
      ...each,
      acceptedUs: each.launchedUs + (slow[index]?.us ?? 0),
    }));
    const changing = profiledFleet({ ...recording, copies }, temperaments, REPORTS);
    const thereUs = (nowUs: number) => changing.course({ ...copy, node: "node-0", call }, 1, nowUs).there.idleUs;
    expect(thereUs(recording.startedUs)).toBe(900);
    expect(thereUs(recording.endedUs)).toBe(90_000);
  });

  it("are alike when they are played against themselves, by chance alone", async () => {
    const options = { policy: "recorded" as const, fleet, replications: 8, goOn: async () => true };
    const [first, ...others] = await replicate(recording, { ...options, seed: 100 });
    if (first === undefined) throw new Error("eight replications were asked for");
    const { distance, byChance } = likenessOf(first, others);
    expect(distance).toBeLessThan(0.2);
    expect(byChance?.p95).toBeLessThan(0.2);
  });
});
