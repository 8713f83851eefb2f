import fc from "fast-check";
import type { PeerSpec } from "../../policies/peers/specs.ts";
import type { BudgetSpec } from "../../policies/index.ts";
import type { LeafSpec, PolicySpec } from "../../policies/policy.ts";
import type { ConflictRule } from "../../scheduler/shared/vocabulary.ts";
import {
  type Action,
  type CallDraw,
  type NodeDraw,
  type Scenario,
  SMALL_SURROUNDINGS,
  type SubmitDraw,
  type SubmitKind,
} from "../../sim/swarm/scenario.ts";

/** How scenarios are drawn. Small numbers first, since shrinking goes towards them. */

/** Actions of a scenario at most; `PIPE_ACTIONS` asks for longer ones. Part of what a seed means. */
export const MAX_ACTIONS = Number(process.env["PIPE_ACTIONS"] ?? "60");

/** Short times and small numbers, so that the rules of other systems have something to do in a short scenario. */
export const peerPolicies: fc.Arbitrary<PeerSpec> = fc.oneof(
  fc.record({
    kind: fc.constant("grpc-hedging" as const),
    maxAttempts: fc.integer({ min: 2, max: 5 }),
    hedgingDelayMs: fc.constantFrom(200, 0, 50, 700),
    maxTokens: fc.constantFrom(10, 1, 3),
    tokenRatio: fc.constantFrom(0.1, 1),
    pushbackMs: fc.constantFrom("none" as const, 0, 100),
  }),
  fc.record({
    kind: fc.constant("finagle" as const),
    maxExtraLoad: fc.constantFrom(0.01, 0.2, 0.5),
    highestTrackableMs: fc.constantFrom(2_000, 60_000),
    minSendBackupAfterMs: fc.constantFrom(1, 300),
    ttlMs: fc.constantFrom(10_000, 1_000),
    minRetriesPerSec: fc.constantFrom(10, 0, 1),
  }),
  fc.record({
    kind: fc.constant("cassandra" as const),
    retry: fc.constantFrom("99p", "50p", "100ms", "ALWAYS", "NEVER", "MIN(75p,300ms)", "MAX(75p,300ms)"),
    timeoutMs: fc.constantFrom(5_000, 400, 1_000),
  }),
  fc.record({
    kind: fc.constant("envoy" as const),
    perTryTimeoutMs: fc.constantFrom(300, 50, 15_000),
    numRetries: fc.integer({ min: 0, max: 3 }),
    budgetPercent: fc.constantFrom(20, 0, 100),
    minRetryConcurrency: fc.constantFrom(3, 0, 1),
  }),
  fc.record({
    kind: fc.constant("spark" as const),
    quantile: fc.constantFrom(0.9, 0.5),
    multiplier: fc.constantFrom(3, 1),
    minTaskRuntimeMs: fc.constantFrom(100, 0),
    intervalMs: fc.constantFrom(100, 30),
    stageJobs: fc.constantFrom(4, 1, 100),
  }),
  fc.record({
    kind: fc.constant("mantri" as const),
    delta: fc.constantFrom(0.25, 0.05),
    maxCopies: fc.integer({ min: 1, max: 4 }),
    reportMs: fc.constantFrom(10_000, 50),
  }),
  fc.record({ kind: fc.constant("single-d" as const), delayMs: fc.constantFrom(200, 0, 700) }),
  fc.record({ kind: fc.constant("single-d" as const), budget: fc.constantFrom(0.05, 0.5, 1) }),
  fc.record({
    kind: fc.constant("single-r" as const),
    delayMs: fc.constantFrom(200, 0, 700),
    probability: fc.constantFrom(0.5, 1),
  }),
  fc.record({ kind: fc.constant("single-r" as const), budget: fc.constantFrom(0.05, 0.5) }),
  fc.record({
    kind: fc.constant("single-r" as const),
    budget: fc.constantFrom(0.05, 0.5),
    deadlineMs: fc.constantFrom(1_000, 300),
  }),
);

const policies: fc.Arbitrary<LeafSpec> = fc.oneof(
  fc.record({ kind: fc.constant("fixed" as const), copies: fc.integer({ min: 1, max: 4 }) }),
  fc.record({
    kind: fc.constant("hedge" as const),
    delayMs: fc.constantFrom(50, 200, 700, 2_000),
    maxCopies: fc.integer({ min: 1, max: 4 }),
  }),
  peerPolicies,
  fc.record({
    kind: fc.constant("deadline" as const),
    target: fc.constantFrom(0.9, 0.5, 0.999),
    maxCopies: fc.integer({ min: 1, max: 4 }),
    withinBlocks: fc.constantFrom("none" as const, 1, 4),
  }),
);

const buckets = fc.record({
  burstMs: fc.constantFrom(0, 1_000, 8_000, 60_000),
  ratio: fc.constantFrom(0, 0.1, 0.5, 1),
});

const budgets: fc.Arbitrary<Exclude<BudgetSpec, string>> = fc.record(
  {
    burstMs: buckets.map(({ burstMs }) => burstMs),
    ratio: fc.constantFrom(0, 0.1, 0.5, 1),
    perClass: buckets,
    perSender: buckets,
  },
  { requiredKeys: ["burstMs", "ratio"] },
);

/** What an operator changes to while races are under way: another policy, and sometimes another budget with it. */
const changes: fc.Arbitrary<PolicySpec> = fc.oneof(
  policies,
  fc.record({
    kind: fc.constant("rules" as const),
    name: fc.constant("changed"),
    rules: policies.map((policy) => [{ name: "any", when: {}, policy }]),
    budget: fc.oneof(fc.constant("unlimited" as const), budgets),
  }),
);

const calls: fc.Arbitrary<CallDraw> = fc.record({
  model: fc.constantFrom(0, 0, 0, 1),
  mode: fc.constantFrom("vanilla", "vanilla", "tee", "optimistic"),
  conflict: fc.constantFrom<ConflictRule[]>(
    { kind: "first-valid" },
    { kind: "first-valid" },
    { kind: "first-valid" },
    { kind: "agree", k: 2 },
    { kind: "median", k: 3, tolerance: 2 },
  ),
  maxFeeGwei: fc.integer({ min: 20, max: 200 }),
  validityBlocks: fc.constantFrom(8, 1, 2, 4, 32),
  tokensOut: fc.constantFrom(16, 128, 512),
  reads: fc.integer({ min: -1, max: 3 }),
});

const submitKinds: fc.Arbitrary<SubmitKind> = fc.oneof(
  { weight: 12, arbitrary: fc.constant("next" as const) },
  { weight: 2, arbitrary: fc.constant("replace" as const) },
  {
    weight: 3,
    arbitrary: fc.constantFrom<SubmitKind[]>(
      "duplicate",
      "gap",
      "used",
      "underpriced",
      "underfunded",
      "unknown-model",
      "infeasible",
      "low-fee",
      "out-of-range",
    ),
  },
);

const submissions: fc.Arbitrary<SubmitDraw> = fc.record({
  do: fc.constant("submit" as const),
  kind: submitKinds,
  sender: fc.integer({ min: 0, max: 3 }),
  gasPriceGwei: fc.integer({ min: 10, max: 100 }),
  ttlBlocks: fc.oneof(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 6, max: 24 })),
  declared: fc.constantFrom(true, true, false),
  calls: fc.array(calls, { maxLength: 3 }),
  later: fc.oneof(
    { weight: 2, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.array(calls, { maxLength: 2 }) },
  ),
  reads: fc.uniqueArray(fc.integer({ min: 0, max: 3 }), { maxLength: 2 }),
});

const blocks = fc.record({
  do: fc.constant("block" as const),
  maxTransactions: fc.constantFrom(8, 1, 2, 3),
  order: fc.constantFrom("arrival" as const, "gas" as const),
  commit: fc.constantFrom(true, true, true, false),
});

const rare: fc.Arbitrary<Action> = fc.oneof(
  fc.record({ do: fc.constant("withdraw" as const), pick: fc.nat(20) }),
  fc.record({ do: fc.constant("deposit" as const), sender: fc.integer({ min: 0, max: 4 }), amountGwei: fc.nat(5_000) }),
  fc.record({
    do: fc.constant("change-state" as const),
    keys: fc.uniqueArray(fc.nat(3), { minLength: 1, maxLength: 2 }),
  }),
  fc.record({ do: fc.constant("revert" as const), depth: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ do: fc.constant("commit" as const) }),
  fc.record({ do: fc.constant("join" as const), node: fc.nat(5) }),
  fc.record({ do: fc.constant("leave" as const), node: fc.nat(5) }),
  fc.record({ do: fc.constant("bond" as const), node: fc.nat(5), bondGwei: fc.constantFrom(0, 3_000, 200_000) }),
  fc.record({ do: fc.constant("report" as const), node: fc.nat(5) }),
  fc.record({ do: fc.constant("policy" as const), policy: changes }),
  fc.record({ do: fc.constant("slowdown" as const), factor: fc.constantFrom(3, 10), ms: fc.constantFrom(500, 4_000) }),
  fc.record({
    do: fc.constant("crash" as const),
    lose: fc.constantFrom(0, 0.5, 1),
    steps: fc.nat(8),
    carriedOut: fc.constantFrom(1, 0.5, 0),
    durable: fc.constantFrom(0, 0.5, 1),
    torn: fc.boolean(),
  }),
  fc.record({ do: fc.constant("spurious-wake" as const) }),
  fc.record({ do: fc.constant("skip-blocks" as const), count: fc.integer({ min: 1, max: 3 }) }),
  fc.record({
    do: fc.constant("bad-seal" as const),
    offset: fc.integer({ min: -1, max: 1 }),
    maxTransactions: fc.constantFrom(0, -1, 5),
  }),
  fc.record({
    do: fc.constant("stray" as const),
    what: fc.constantFrom("answered", "accepted", "failed", "progressed", "verdict"),
    pick: fc.nat(40),
    node: fc.nat(5),
  }),
);

const actions: fc.Arbitrary<Action> = fc.oneof(
  { weight: 8, arbitrary: submissions },
  { weight: 5, arbitrary: blocks },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.constantFrom(0, 10, 60, 250, 1_500) }) },
  { weight: 6, arbitrary: rare },
);

const nodes: fc.Arbitrary<NodeDraw> = fc.record({
  operator: fc.nat(3),
  region: fc.nat(2),
  slots: fc.integer({ min: 1, max: 3 }),
  queueLimit: fc.nat(3),
  priceGwei: fc.integer({ min: 0, max: 60 }),
  models: fc.constantFrom(1, 2),
  tee: fc.boolean(),
  bondGwei: fc.constantFrom(0, 20_000, 200_000),
  label: fc.constantFrom(0, 0, 1),
  liar: fc.constantFrom(false, false, false, true),
  serviceMs: fc.constantFrom(40, 200, 800, 2_500),
  faulty: fc.constantFrom(0, 0.2, 0.6, 1),
});

const settings = {
  network: fc.constant(SMALL_SURROUNDINGS.network),
  snapshots: fc.constant(SMALL_SURROUNDINGS.snapshots),
  senders: fc.constant(SMALL_SURROUNDINGS.senders),
  depositGwei: fc.constant(SMALL_SURROUNDINGS.depositGwei),
  seed: fc.nat(2 ** 31 - 1),
  policy: policies,
  placement: fc.constantFrom<Scenario["placement"][]>(
    "least-loaded",
    "random",
    "power-of-d",
    "c3",
    "prequal",
    "price-aware",
  ),
  budget: fc.option(budgets, { nil: undefined }),
  redundancyFloor: fc.integer({ min: 1, max: 3 }),
  maxCopies: fc.integer({ min: 2, max: 8 }),
  acceptTimeoutMs: fc.constantFrom(100, 1_000),
  leaseMs: fc.constantFrom(1_000, 4_000),
  maxPending: fc.constantFrom(200, 4, 8),
  maxPendingPerSender: fc.constantFrom(50, 2, 4),
  maxCallsPerTransaction: fc.constantFrom(4, 3),
  maxRounds: fc.constantFrom(6, 2),
  maxReorgDepth: fc.constantFrom(4, 2),
  maxTransactionsPerBlock: fc.constantFrom(100, 3),
  wakeLatenessMs: fc.constantFrom(0, 0, 30, 400),
  verifierFaults: fc.constantFrom(0, 0.1, 0.4),
  executorFaults: fc.constantFrom(0, 0, 0.15),
};

/** Everything at once: any configuration, any fault, any order. */
export const scenarios: fc.Arbitrary<Scenario> = fc.record({
  ...settings,
  nodes: fc.array(nodes, { minLength: 1, maxLength: 6 }),
  actions: fc.array(actions, { minLength: 1, maxLength: MAX_ACTIONS, size: "max" }),
});

/** Nobody fails and there is plenty of everything: what is admitted must be sealed, in the fast lane, at its first asking. */
export const healthyScenarios: fc.Arbitrary<Scenario> = fc.record({
  ...settings,
  budget: fc.constant(undefined),
  redundancyFloor: fc.constant(1),
  maxPending: fc.constant(200),
  maxPendingPerSender: fc.constant(50),
  maxCallsPerTransaction: fc.constant(5),
  maxRounds: fc.constant(6),
  maxTransactionsPerBlock: fc.constant(100),
  acceptTimeoutMs: fc.constant(1_000),
  leaseMs: fc.constant(4_000),
  verifierFaults: fc.constant(0),
  executorFaults: fc.constant(0),
  // Of as many operators, so that any conflict rule can be met.
  nodes: fc
    .array(
      nodes.map(
        (node): NodeDraw => ({
          ...node,
          slots: 40,
          models: 2,
          tee: true,
          bondGwei: 1_000_000,
          priceGwei: 1,
          serviceMs: 100,
          faulty: 0,
          label: 0,
          liar: false,
        }),
      ),
      { minLength: 3, maxLength: 5 },
    )
    .map((drawn) => drawn.map((node, operator) => ({ ...node, operator }))),
  actions: fc.array(
    fc.oneof(
      submissions.map(
        (draw): SubmitDraw => ({ ...draw, kind: "next", ttlBlocks: 24, later: draw.declared ? [] : draw.later }),
      ),
      blocks.map((block) => ({ ...block, maxTransactions: 50 })),
      fc.record({ do: fc.constant("wait" as const), ms: fc.constantFrom(0, 10, 60, 250) }),
    ),
    { minLength: 1, maxLength: 30, size: "max" },
  ),
});

/** Some nodes are worthless in every way, some honest ones exist, and there is time: errors cost time and nothing else (P4). */
export const hostileScenarios: fc.Arbitrary<Scenario> = fc
  .tuple(healthyScenarios, fc.array(nodes, { minLength: 1, maxLength: 3 }))
  .map(([healthy, bad]) => ({
    ...healthy,
    acceptTimeoutMs: 100,
    leaseMs: 1_000,
    nodes: [
      ...bad.map((node) => ({
        ...node,
        // An operator that lies in one answer is asked for no second one.
        operator: 10 + node.operator,
        label: 0,
        slots: 4,
        queueLimit: 4,
        models: 2 as const,
        tee: true,
        priceGwei: 1,
        faulty: 1,
      })),
      ...healthy.nodes,
    ],
    actions: healthy.actions.map((action) => (action.do === "submit" ? patient(action) : action)),
  }));

function patient(draw: SubmitDraw): SubmitDraw {
  const lasting = (call: CallDraw): CallDraw => ({ ...call, validityBlocks: 64 });
  return { ...draw, ttlBlocks: 64, calls: draw.calls.map(lasting), later: draw.later.map(lasting) };
}
