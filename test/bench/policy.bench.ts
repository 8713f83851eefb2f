import { DEFAULTS, policyOf } from "../../policies/index.ts";
import { Learning } from "../../policies/learning/learning.ts";
import type { LeafSpec, RacePicture } from "../../policies/policy.ts";
import { NOTHING_KNOWN } from "../../policies/service-times.ts";
import { Random } from "../../scheduler/shared/random.ts";
import { NEVER } from "../../scheduler/shared/vocabulary.ts";
import type { Experiment } from "../../sim/experiment/types.ts";
import { simulate } from "../../sim/world/simulate.ts";
import type { Figure } from "./figure.ts";
import { HEDGE_MODEL } from "./sim-world.bench.ts";

const ROUNDS = 7;
/** Lognormal of mean 7 s and 95th percentile 11 s, a deadline at 12 s, and no queues: most jobs get a second copy either way. */
const EXPERIMENT: Experiment = {
  ...HEDGE_MODEL,
  jobs: 40_000,
  warmup: 4_000,
  arrivals: { kind: "poisson", ratePerS: 2 },
  service: { kind: "lognormal", meanMs: 7_000, cv: 0.30969 },
  fleet: { ...HEDGE_MODEL.fleet, slots: "unlimited" },
  deadlineMs: 12_000,
};

export function policyFigures(): Figure[] {
  // By turns, so that neighbours slow both sides.
  const best = { fixed: 0, deadline: 0 };
  for (let round = 0; round < ROUNDS; round++) {
    best.fixed = Math.max(best.fixed, jobsPerS({ kind: "fixed", copies: 2 }, round));
    best.deadline = Math.max(best.deadline, jobsPerS(DEFAULTS.deadline, round));
  }
  const ratio = best.deadline / best.fixed;
  const decisionUs = usPerDecision();
  return [
    { name: "policy: engine with deadline, jobs", value: best.deadline, unit: "/s" },
    {
      name: "policy: engine with deadline against fixed:2",
      value: ratio,
      unit: "×",
      target: "≥ 0.6",
      met: ratio >= 0.6,
    },
    { name: "policy: a decision of deadline", value: decisionUs, unit: "µs", target: "≤ 5", met: decisionUs <= 5 },
  ];
}

function jobsPerS(policy: LeafSpec, replication: number): number {
  const { elapsedMs } = simulate({ ...EXPERIMENT, policy }, replication, { samples: 0 });
  return ((EXPERIMENT.jobs + EXPERIMENT.warmup) * 1_000) / elapsedMs;
}

/** Everything that deadline does for a race besides learning: memory, new plans when much has been learned, two decisions. */
function usPerDecision(): number {
  const random = new Random(1);
  const learning = new Learning();
  const policy = policyOf(DEFAULTS.deadline);
  const memory = policy.remember?.();
  const decision = { launch: 0, lookAtUs: NEVER };
  const surroundings = { nowUs: 0, serviceTimes: NOTHING_KNOWN, budgetUs: NEVER, domains: 9, random };
  let [ms, decisions] = [0, 0];
  for (let batch = 0; batch < 200; batch++) {
    const races = Array.from({ length: 200 }, (_, index) =>
      raceOf(learning, memory, 1e9 * (batch + 1) + 1e6 * index, random),
    );
    const startedMs = performance.now();
    for (const race of races) {
      surroundings.nowUs = race.openedUs;
      memory?.opened(race, race.openedUs);
      policy.decide(race, surroundings, decision);
      if (decision.lookAtUs === NEVER) continue;
      surroundings.nowUs = decision.lookAtUs;
      policy.decide(race, surroundings, decision);
    }
    // The first thousands teach; then it is as it goes on.
    if (batch >= 50) {
      ms += performance.now() - startedMs;
      decisions += 2 * races.length;
    }
    for (const { call, copies } of races) {
      const [first] = copies;
      if (first !== undefined) learning.answered(call, first.node.id, durationUs(call.tokensOut, random));
    }
  }
  return (1_000 * ms) / decisions;
}

/** Jobs of unlike sizes, so that plans are shared by few of them: the hard case. */
function raceOf(learning: Learning, memory: RacePicture["memory"], openedUs: number, random: Random): RacePicture {
  const tokensOut = 50 + random.below(400);
  const copy = {
    node: { id: `node-${random.below(16)}`, slots: 1 },
    launchedUs: openedUs,
    startedUs: openedUs,
    ahead: 0,
    answeredUs: NEVER,
    endedUs: NEVER,
    outcome: undefined,
    speculative: false,
    live: true,
    held: false,
  };
  return {
    id: 1,
    call: {
      model: "m",
      mode: "vanilla",
      digest: "d",
      inputHash: "i",
      tokensIn: 500,
      tokensOut,
      maxFeeGwei: 10,
      conflict: { kind: "first-valid" },
      validityBlocks: 8,
    },
    lane: "fast",
    openedUs,
    deadlineUs: openedUs + 25e6,
    targetUs: openedUs + 20e6,
    firstBlockUs: NEVER,
    blockUs: NEVER,
    askedGwei: 10,
    live: 1,
    missing: 1,
    launched: 1,
    lost: 0,
    copies: [copy],
    memory,
    learning,
    room: { busy: random.below(16), slots: 16, idle: 4 },
  };
}

function durationUs(tokensOut: number, random: Random): number {
  const normal = Math.sqrt(-2 * Math.log(1 - random.unit())) * Math.cos(2 * Math.PI * random.unit());
  return (96_000 + 45_000 * tokensOut) * Math.exp(0.2 * normal);
}
