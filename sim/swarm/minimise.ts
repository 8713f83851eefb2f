import { PERFECT_NETWORK } from "./network.ts";
import type { Action, Scenario } from "./scenario.ts";

export interface Minimised {
  readonly scenario: Scenario;
  /** Scenarios tried. */
  readonly runs: number;
  /** The limit on runs ended it; it may get smaller still. */
  readonly cutShort: boolean;
}

/**
 * A smaller scenario that still fails: actions are taken out in halves, then in quarters, and so on down to single ones;
 * after that everything that can be made quiet is. `fails` must answer the same way to the same scenario.
 */
export function minimise(scenario: Scenario, fails: (scenario: Scenario) => boolean, maxRuns: number): Minimised {
  let best = scenario;
  let runs = 0;
  const attempt = (smaller: Scenario): boolean => {
    if (runs >= maxRuns) return false;
    runs++;
    if (!fails(smaller)) return false;
    best = smaller;
    return true;
  };
  let before: Scenario;
  do {
    before = best;
    dropActions(() => best, attempt);
    for (const quieter of QUIETER) {
      const smaller = quieter(best);
      if (smaller !== undefined) attempt(smaller);
    }
    dropNodes(() => best, attempt);
    simplifyActions(() => best, attempt);
  } while (best !== before && runs < maxRuns);
  return { scenario: best, runs, cutShort: runs >= maxRuns };
}

type Attempt = (smaller: Scenario) => boolean;

function dropActions(best: () => Scenario, attempt: Attempt): void {
  // What comes after the failure goes first: it is often most of it.
  for (let size = best().actions.length >> 1; size > 0; size >>= 1) {
    for (let end = best().actions.length; end > 0; end -= size) {
      const { actions } = best();
      attempt({ ...best(), actions: [...actions.slice(0, Math.max(0, end - size)), ...actions.slice(end)] });
    }
  }
}

function dropNodes(best: () => Scenario, attempt: Attempt): void {
  for (let index = best().nodes.length - 1; index >= 0 && best().nodes.length > 1; index--) {
    const { nodes } = best();
    attempt({ ...best(), nodes: nodes.filter((_, other) => other !== index) });
  }
  for (const [index, node] of best().nodes.entries()) {
    if (node.faulty > 0) attempt({ ...best(), nodes: best().nodes.with(index, { ...node, faulty: 0 }) });
  }
}

function simplifyActions(best: () => Scenario, attempt: Attempt): void {
  for (let index = 0; index < best().actions.length; index++) {
    for (const simpler of simplerActions(best().actions[index] as Action)) {
      if (attempt({ ...best(), actions: best().actions.with(index, simpler) })) break;
    }
  }
}

/** Simplest first. */
function simplerActions(action: Action): Action[] {
  if (action.do === "submit") {
    const { calls, later } = action;
    const fewer =
      calls.length > 0
        ? [
            { ...action, calls: [] },
            { ...action, calls: calls.slice(1) },
          ]
        : [];
    return [...fewer, ...(later.length > 0 ? [{ ...action, later: [] }] : [])];
  }
  if (action.do === "flood") {
    return action.count > 1 ? [action.draw, { ...action, count: action.count >> 1 }] : [action.draw];
  }
  if (action.do === "crash" && action.steps > 0)
    return [
      { ...action, steps: 0 },
      { ...action, steps: action.steps >> 1 },
    ];
  return [];
}

/** Ways to make the surroundings quieter; `undefined` where they are. */
const QUIETER: readonly ((scenario: Scenario) => Scenario | undefined)[] = [
  (s) => (s.network === PERFECT_NETWORK ? undefined : { ...s, network: PERFECT_NETWORK }),
  (s) => (s.verifierFaults === 0 ? undefined : { ...s, verifierFaults: 0 }),
  (s) => (s.executorFaults === 0 ? undefined : { ...s, executorFaults: 0 }),
  (s) => (s.wakeLatenessMs === 0 ? undefined : { ...s, wakeLatenessMs: 0 }),
  (s) => (s.budget === undefined ? undefined : { ...s, budget: undefined }),
  (s) => {
    if (s.budget?.perClass === undefined && s.budget?.perSender === undefined) return undefined;
    const { burstMs, ratio } = s.budget;
    return { ...s, budget: { burstMs, ratio } };
  },
  (s) => (s.policy.kind === "fixed" ? undefined : { ...s, policy: { kind: "fixed", copies: 1 } }),
  (s) => (s.placement === "least-loaded" ? undefined : { ...s, placement: "least-loaded" }),
  (s) => (s.snapshots === 0 ? undefined : { ...s, snapshots: 0 }),
];
