import { DEFAULTS } from "../../policies/defaults.ts";
import type { LeafSpec, PolicySpec } from "../../policies/policy.ts";
import type { BudgetSpec } from "../../policies/work-budget.ts";
import type { ConflictRule } from "../../scheduler/shared/vocabulary.ts";
import { drawer } from "./draw.ts";
import type { Action, CallDraw, NodeDraw, Scenario, SubmitDraw, SubmitKind } from "./scenario.ts";

/** Transactions per block, about. */
const PER_BLOCK = 14;
const MAX_SENDERS = 60;

/** Draws one after the other, for a plan that nobody shrinks draw by draw. */
class Dice {
  readonly #draw;
  #turn = 0;

  constructor(seed: number) {
    this.#draw = drawer(seed);
  }

  unit(): number {
    return this.#draw("plan", this.#turn++);
  }

  chance(probability: number): boolean {
    return this.unit() < probability;
  }

  /** An integer from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + Math.floor(this.unit() * (high - low + 1));
  }

  pick<T>(one: T, ...others: readonly T[]): T {
    return others[Math.floor(this.unit() * (others.length + 1)) - 1] ?? one;
  }
}

/** Makers of the things that go wrong now and then. Each seed gets some of them, so that the others do not hide what they do. */
const TROUBLES: readonly ((dice: Dice, nodes: number) => Action)[] = [
  (dice) => crash(dice),
  (dice) => crash(dice),
  (dice, nodes) => ({
    do: "node-crash",
    node: dice.between(0, nodes),
    downMs: dice.between(200, 20_000),
    noticed: dice.chance(0.5),
  }),
  (dice, nodes) => ({ do: "node-stall", node: dice.between(0, nodes), ms: dice.between(500, 10_000) }),
  (dice, nodes) => ({
    do: "node-grey",
    node: dice.between(0, nodes),
    factor: dice.pick(3, 10, 40),
    ms: dice.between(2_000, 20_000),
  }),
  (dice, nodes) => ({
    do: "partition",
    nodes: Array.from({ length: dice.between(1, nodes) }, () => dice.between(0, nodes)),
    ms: dice.between(500, 12_000),
    buffered: dice.chance(0.5),
  }),
  (dice) => ({ do: "verifier-crash", silent: dice.chance(0.5) }),
  (dice) => ({ do: "clock", byMs: dice.pick(50, 2_000, 40_000) }),
  (dice) => ({ do: "clock", byMs: -dice.pick(1, 300, 5_000) }),
  (dice) => ({ do: "suspend", ms: dice.pick(100, 3_000, 45_000) }),
  (dice) => ({ do: "failed-seal", maxTransactions: dice.between(1, 20) }),
  (dice) => ({ do: "revert", depth: dice.between(1, 6) }),
  (dice) => ({ do: "flood", count: dice.between(20, 120), draw: { ...submission(dice, "next"), ...rich(dice) } }),
  (dice) => ({ do: "policy", policy: changed(dice) }),
  (dice) => ({ do: "slowdown", factor: dice.pick(3, 10), ms: dice.between(1_000, 20_000) }),
  (dice, nodes) => ({ do: dice.pick("join" as const, "leave" as const), node: dice.between(0, nodes) }),
  (dice, nodes) => ({ do: "join", node: dice.between(0, nodes), as: nodeDraw(dice) }),
  (dice, nodes) => ({ do: "bond", node: dice.between(0, nodes), bondGwei: dice.pick(0, 3_000, 200_000) }),
  (dice) => ({ do: "change-state", keys: [dice.between(0, 3)] }),
  (dice) => ({ do: "withdraw", pick: dice.between(0, 5_000) }),
  (dice) => ({ do: "skip-blocks", count: dice.between(1, 3) }),
  () => ({ do: "commit" }),
  (dice) => ({ do: "bad-seal", offset: dice.between(-1, 1), maxTransactions: dice.pick(0, -1, 5) }),
  (dice, nodes) => ({ do: "report", node: dice.between(0, nodes) }),
  (dice, nodes) => ({
    do: "stray",
    what: dice.pick("answered" as const, "accepted" as const, "failed" as const, "progressed" as const, "verdict"),
    pick: dice.between(0, 30),
    node: dice.between(0, nodes),
  }),
];

/** The scenario of a seed: a system, a load that it can about carry, and some of the ways in which things go wrong. */
export function planOf(seed: number): Scenario {
  const dice = new Dice(seed);
  const nodes = Array.from({ length: dice.between(3, 9) }, () => nodeDraw(dice));
  // One honest node that can do everything, so that there is something to hope for.
  nodes.push({
    ...nodeDraw(dice),
    models: 2,
    tee: true,
    bondGwei: 1_000_000,
    liar: false,
    faulty: 0,
    priceGwei: 15,
    slots: 12,
  });
  const maxPending = dice.pick(2_000, 400, 60);
  const senders = dice.between(6, MAX_SENDERS);
  return {
    seed,
    policy: policy(dice),
    placement: dice.pick("least-loaded", "random", "power-of-d", "c3", "prequal", "price-aware"),
    budget: dice.chance(0.3) ? undefined : budget(dice),
    redundancyFloor: dice.between(1, 3),
    maxCopies: dice.between(2, 8),
    acceptTimeoutMs: dice.pick(500, 100, 1_000),
    leaseMs: dice.pick(8_000, 4_000, 20_000),
    maxPending,
    maxPendingPerSender: dice.pick(60, 20, maxPending),
    maxCallsPerTransaction: dice.pick(4, 5, 3),
    maxRounds: dice.pick(8, 4, 16),
    maxReorgDepth: dice.pick(12, 2, 24),
    maxTransactionsPerBlock: dice.pick(200, 40, 24),
    wakeLatenessMs: dice.pick(0, 0, 30, 400),
    verifierFaults: dice.pick(0, 0, 0.1, 0.3),
    executorFaults: dice.pick(0, 0, 0.01),
    network: network(dice),
    snapshots: dice.pick(0.0012, 0.0024, 0.0006),
    senders,
    depositGwei: 400_000,
    nodes,
    actions: story(dice, nodes.length).map((action) => seated(action, senders)),
  };
}

/** Only those who are there can ask. */
function seated(action: Action, senders: number): Action {
  return action.do === "submit" ? { ...action, sender: action.sender % senders } : action;
}

function story(dice: Dice, nodes: number): Action[] {
  const troubles = TROUBLES.filter(() => dice.chance(0.5));
  const perBlock = dice.pick(0.6, 0.25, 1.5);
  const load = dice.pick(PER_BLOCK, PER_BLOCK >> 1, PER_BLOCK * 2);
  const actions: Action[] = [];
  // Many short stories, some long ones: variety finds more than length, but some errors take their time.
  const blocks = dice.chance(0.15) ? dice.between(120, 200) : dice.between(30, 80);
  for (let block = 0; block < blocks; block++) {
    for (let count = dice.between(0, load); count > 0; count--) {
      if (dice.chance(0.3)) actions.push({ do: "wait", ms: dice.between(0, 60) });
      actions.push(submission(dice, submitKind(dice)));
    }
    for (let expected = perBlock; dice.chance(expected); expected -= 1) {
      const trouble = troubles[dice.between(0, troubles.length - 1)];
      if (trouble !== undefined) actions.push(trouble(dice, nodes));
      if (dice.chance(0.4)) actions.push({ do: "wait", ms: dice.between(0, 150) });
    }
    const order = dice.pick("arrival" as const, "gas" as const);
    actions.push({ do: "block", maxTransactions: dice.pick(12, 6, 24), order, commit: dice.chance(0.85) });
  }
  return actions;
}

function policy(dice: Dice): LeafSpec {
  if (dice.chance(0.3)) return { kind: "fixed", copies: dice.between(1, 3) };
  if (dice.chance(0.5)) return peer(dice);
  if (dice.chance(0.5)) return deadline(dice);
  return { kind: "hedge", delayMs: dice.pick(200, 60, 700, 2_000), maxCopies: dice.between(1, 4) };
}

function deadline(dice: Dice): LeafSpec {
  const withinBlocks = dice.pick<number | "none">("none", 1, 4);
  const target = dice.pick(0.9, 0.5, 0.999);
  // Not drawn for itself, so that kept seeds go on meaning what they meant.
  const value = target === 0.5 ? ({ sealGwei: "fee", lossPerBlock: 0.15 } as const) : {};
  return { kind: "deadline", target, maxCopies: dice.between(1, 4), withinBlocks, ...value };
}

/** The rules of other systems, with times and counts at which they have something to do. */
function peer(dice: Dice): LeafSpec {
  const perTryTimeoutMs = dice.pick(300, 60, 1_000);
  return dice.pick<LeafSpec>(
    {
      ...DEFAULTS["grpc-hedging"],
      hedgingDelayMs: dice.pick(200, 0, 700),
      pushbackMs: dice.pick<number | "none">("none", 0, 200),
    },
    { ...DEFAULTS.finagle, maxExtraLoad: dice.pick(0.01, 0.2), minRetriesPerSec: dice.pick(10, 0, 1) },
    { ...DEFAULTS.cassandra, retry: dice.pick("90p", "ALWAYS", "MAX(50p,200ms)"), timeoutMs: dice.pick(1_000, 5_000) },
    { ...DEFAULTS.envoy, perTryTimeoutMs, numRetries: dice.between(0, 3), minRetryConcurrency: dice.pick(3, 0) },
    { ...DEFAULTS.spark, stageJobs: dice.pick(20, 100), multiplier: dice.pick(3, 1.5) },
    { ...DEFAULTS.mantri, delta: dice.pick(0.25, 0.05) },
    { kind: "single-d", budget: dice.pick(0.05, 0.3) },
    { kind: "single-r", budget: dice.pick(0.05, 0.3), deadlineMs: dice.pick(1_000, 4_000) },
  );
}

/** What an operator changes to: another policy, and sometimes another budget with it. */
function changed(dice: Dice): PolicySpec {
  const leaf = policy(dice);
  if (dice.chance(0.5)) return leaf;
  const rules = [{ name: "any", when: {}, policy: leaf }];
  return { kind: "rules", name: "changed", rules, budget: dice.chance(0.2) ? "unlimited" : budget(dice) };
}

function budget(dice: Dice): Exclude<BudgetSpec, string> {
  return {
    burstMs: dice.pick(8_000, 0, 60_000),
    ratio: dice.pick(0.5, 0, 0.1, 1),
    ...(dice.chance(0.3) ? { perClass: { burstMs: dice.pick(4_000, 1_000), ratio: dice.pick(0.3, 0) } } : {}),
    ...(dice.chance(0.3) ? { perSender: { burstMs: dice.pick(2_000, 500), ratio: dice.pick(0.2, 0) } } : {}),
  };
}

function nodeDraw(dice: Dice): NodeDraw {
  return {
    operator: dice.between(0, 4),
    region: dice.between(0, 2),
    slots: dice.between(2, 10),
    queueLimit: dice.between(0, 8),
    priceGwei: dice.between(0, 30),
    models: dice.pick(1, 2, 2),
    tee: dice.chance(0.5),
    bondGwei: dice.pick(0, 20_000, 200_000),
    label: dice.pick(0, 0, 1),
    liar: dice.chance(0.15),
    serviceMs: dice.pick(200, 40, 600, 1_500),
    faulty: dice.pick(0, 0, 0.05, 0.3, 1),
  };
}

function network(dice: Dice): Scenario["network"] {
  const sometimes = (chance: number): number => (dice.chance(0.4) ? chance : 0);
  return {
    lose: sometimes(dice.pick(0.02, 0.1, 0.3)),
    duplicate: sometimes(0.1),
    reorder: sometimes(0.2),
    reorderMs: dice.pick(300, 50, 3_000),
    replay: sometimes(0.05),
  };
}

function crash(dice: Dice): Action {
  return {
    do: "crash",
    lose: dice.pick(0, 0.5, 1),
    steps: dice.pick(0, 1, dice.between(2, 6), dice.between(2, 40)),
    carriedOut: dice.unit(),
    durable: dice.pick(0, dice.unit(), 1),
    torn: dice.chance(0.5),
  };
}

function submitKind(dice: Dice): SubmitKind {
  if (dice.chance(0.92)) return "next";
  if (dice.chance(0.4)) return "replace";
  return dice.pick(
    "duplicate",
    "gap",
    "used",
    "underpriced",
    "underfunded",
    "unknown-model",
    "infeasible",
    "low-fee",
    "out-of-range",
  );
}

function submission(dice: Dice, kind: SubmitKind): SubmitDraw {
  const declared = dice.chance(0.75);
  const calls = Array.from({ length: dice.pick(1, 1, 2, 3, 0) }, () => call(dice));
  return {
    do: "submit",
    kind,
    sender: dice.between(0, MAX_SENDERS - 1),
    gasPriceGwei: dice.between(10, 100),
    ttlBlocks: dice.chance(0.1) ? dice.between(1, 6) : dice.between(6, 40),
    declared,
    calls,
    later: dice.chance(0.15) ? [call(dice)] : [],
    reads: dice.chance(0.3) ? [dice.between(0, 3)] : [],
  };
}

function call(dice: Dice): CallDraw {
  return {
    model: dice.pick(0, 0, 0, 1),
    mode: dice.pick("vanilla", "vanilla", "optimistic", "tee"),
    conflict: conflict(dice),
    maxFeeGwei: dice.between(20, 200),
    validityBlocks: dice.pick(8, 1, 4, 32),
    tokensOut: dice.pick(16, 128, 512),
    reads: dice.between(-1, 3),
  };
}

function conflict(dice: Dice): ConflictRule {
  if (dice.chance(0.8)) return { kind: "first-valid" };
  if (dice.chance(0.5)) return { kind: "agree", k: dice.between(2, 3) };
  return { kind: "median", k: dice.between(2, 3), tolerance: dice.pick(2, 0) };
}

function rich(dice: Dice): { gasPriceGwei: number; ttlBlocks: number } {
  return { gasPriceGwei: dice.between(1_000, 100_000), ttlBlocks: dice.between(8, 40) };
}
