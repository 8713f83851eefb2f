import { describe, expect, it } from "vitest";
import { policyOf, type LeafSpec, type RacePicture } from "../../../policies/index.ts";
import { requirePolicy } from "../../../policies/policy.ts";
import { NOTHING_KNOWN } from "../../../policies/service-times.ts";
import { Random } from "../../../scheduler/shared/random.ts";
import { NEVER } from "../../../scheduler/shared/vocabulary.ts";

const OPENED_US = 5_000_000;

const RACE: RacePicture = {
  id: 1,
  call: {
    model: "m",
    mode: "vanilla",
    digest: "d",
    inputHash: "i",
    tokensIn: 1,
    tokensOut: 1,
    maxFeeGwei: 10,
    conflict: { kind: "first-valid" },
    validityBlocks: 8,
  },
  lane: "fast",
  openedUs: OPENED_US,
  deadlineUs: 60_000_000,
  live: 0,
  missing: 1,
  launched: 0,
  lost: 0,
  copies: [],
  memory: undefined,
  targetUs: 60_000_000,
  firstBlockUs: NEVER,
  blockUs: NEVER,
  askedGwei: 0,
  learning: undefined,
  room: { busy: 0, slots: 9, idle: 9 },
};

/** What the policy wants this long after the opening: copies now, and milliseconds from the opening to its next look. */
function wants(spec: LeafSpec, ms: number, race: Partial<RacePicture>): [launch: number, lookMs: number | "never"] {
  const decision = { launch: -1, lookAtUs: -1 };
  const nowUs = OPENED_US + 1_000 * ms;
  const surroundings = { nowUs, serviceTimes: NOTHING_KNOWN, budgetUs: 0, domains: 9, random: new Random(1) };
  policyOf(spec).decide({ ...RACE, ...race }, surroundings, decision);
  return [decision.launch, decision.lookAtUs === NEVER ? "never" : (decision.lookAtUs - OPENED_US) / 1_000];
}

describe("fixed", () => {
  const spec = { kind: "fixed", copies: 3 } as const;

  it("launches all at once and does not look again", () => {
    expect(wants(spec, 0, {})).toEqual([3, "never"]);
    expect(wants(spec, 9_000, { live: 3, launched: 3 })).toEqual([0, "never"]);
  });

  it("replaces what was lost, so that the race keeps its width", () => {
    expect(wants(spec, 10, { live: 1, launched: 3, lost: 2 })).toEqual([2, "never"]);
    expect(wants(spec, 10, { live: 0, launched: 9, lost: 9 })).toEqual([3, "never"]);
  });

  it("takes none back when a race has more", () => {
    expect(wants(spec, 10, { live: 5, launched: 5 })).toEqual([0, "never"]);
  });
});

describe("hedge", () => {
  const spec = { kind: "hedge", delayMs: 200, maxCopies: 3 } as const;

  it("launches one copy, then one more each delay, up to its cap", () => {
    expect(wants(spec, 0, {})).toEqual([1, 200]);
    expect(wants(spec, 199.999, { live: 1, launched: 1 })).toEqual([0, 200]);
    expect(wants(spec, 200, { live: 1, launched: 1 })).toEqual([1, 400]);
    expect(wants(spec, 300, { live: 2, launched: 2 })).toEqual([0, 400]);
    expect(wants(spec, 400, { live: 2, launched: 2 })).toEqual([1, "never"]);
    expect(wants(spec, 9_000, { live: 3, launched: 3 })).toEqual([0, "never"]);
  });

  it("catches up when it is asked late", () => {
    expect(wants(spec, 450, { live: 1, launched: 1 })).toEqual([2, "never"]);
    expect(wants(spec, 250, { live: 0, launched: 0 })).toEqual([2, 400]);
  });

  it("lets a lost copy bring the next one forward, without shifting the schedule", () => {
    expect(wants(spec, 50, { live: 0, launched: 1, lost: 1 })).toEqual([1, 200]);
    expect(wants(spec, 200, { live: 1, launched: 2, lost: 1 })).toEqual([1, 400]);
    expect(wants(spec, 500, { live: 2, launched: 3, lost: 1 })).toEqual([1, "never"]);
  });

  it("with a cap of one is a single copy, replaced when it is lost", () => {
    const single = { ...spec, maxCopies: 1 };
    expect(wants(single, 0, {})).toEqual([1, "never"]);
    expect(wants(single, 900, { live: 1, launched: 1 })).toEqual([0, "never"]);
    expect(wants(single, 900, { live: 0, launched: 1, lost: 1 })).toEqual([1, "never"]);
  });
});

describe("a policy's specification", () => {
  it("is kept with the policy, for the journal", () => {
    const spec = { kind: "hedge", delayMs: 200, maxCopies: 3 } as const;
    expect(policyOf(spec).spec).toBe(spec);
    expect(() => requirePolicy(spec)).not.toThrow();
    expect(() => requirePolicy({ kind: "fixed", copies: 1 })).not.toThrow();
  });

  it.each([
    [{ kind: "fixed", copies: 0 }, "copies"],
    [{ kind: "fixed", copies: 1.5 }, "copies"],
    [{ kind: "hedge", delayMs: 0, maxCopies: 2 }, "delayMs"],
    [{ kind: "hedge", delayMs: Number.POSITIVE_INFINITY, maxCopies: 2 }, "delayMs"],
    [{ kind: "hedge", delayMs: 100, maxCopies: 0 }, "maxCopies"],
    [{ kind: "guess" }, "no such policy"],
  ])("%j is refused for its %s", (spec, problem) => {
    expect(() => requirePolicy(spec as LeafSpec)).toThrow(problem);
  });
});
