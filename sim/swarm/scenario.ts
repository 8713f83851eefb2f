import type { EngineConfig } from "../../scheduler/engine/config.ts";
import { DEFAULT_RACES } from "../../scheduler/engine/config.ts";
import { DEFAULT_MEMPOOL_LIMITS } from "../../mempool/limits.ts";
import type { PolicySpec } from "../../policies/policy.ts";
import type { Mode } from "../../scheduler/shared/vocabulary.ts";
import type { Agreement } from "../checkers/checker.ts";

/** A node of the small world. What it does with a copy is drawn with these weights. */
export interface NodeDraw {
  readonly operator: number;
  readonly region: number;
  readonly slots: number;
  readonly queueLimit: number;
  readonly priceGwei: number;
  /** Offers m0 only, or m0 and m1; the mode `tee` on top of `vanilla`. */
  readonly models: 1 | 2;
  readonly tee: boolean;
  /** Mean service time. */
  readonly serviceMs: number;
  /** Chance that a copy goes wrong in one of the ways of `FAULTS`. */
  readonly faulty: number;
}

/** One call as it is drawn; becomes `CallTerms` when its transaction is known. */
export interface CallDraw {
  readonly model: 0 | 1;
  readonly mode: Mode;
  readonly maxFeeGwei: number;
  readonly validityBlocks: number;
  readonly tokensOut: number;
  /** State key that its input depends on; −1 for none. Only calls that are discovered look at it. */
  readonly reads: number;
}

export type SubmitKind =
  | "next"
  | "gap"
  | "used"
  | "duplicate"
  | "replace"
  | "underpriced"
  | "underfunded"
  | "unknown-model"
  | "infeasible"
  | "low-fee"
  | "out-of-range";

export interface SubmitDraw {
  readonly do: "submit";
  readonly kind: SubmitKind;
  readonly sender: number;
  readonly gasPriceGwei: number;
  readonly ttlBlocks: number;
  /** Declared in the transaction, or found by pre-execution only. */
  readonly declared: boolean;
  readonly calls: readonly CallDraw[];
  /** Calls that are found once the ones before have results. */
  readonly later: readonly CallDraw[];
  /** State keys that it reads. */
  readonly reads: readonly number[];
}

/** One thing that somebody does; time passes with `wait` and `block` only. */
export type Action =
  | SubmitDraw
  | { readonly do: "wait"; readonly ms: number }
  /** To the cut-off, seal, commit the one before, open the next. */
  | {
      readonly do: "block";
      readonly maxTransactions: number;
      readonly order: "arrival" | "gas";
      readonly commit: boolean;
    }
  | { readonly do: "skip-blocks"; readonly count: number }
  | { readonly do: "bad-seal"; readonly offset: number; readonly maxTransactions: number }
  | { readonly do: "commit" }
  | { readonly do: "revert"; readonly depth: number }
  | { readonly do: "withdraw"; readonly pick: number }
  | { readonly do: "deposit"; readonly sender: number; readonly amountGwei: number }
  | { readonly do: "change-state"; readonly keys: readonly number[] }
  | { readonly do: "join"; readonly node: number }
  | { readonly do: "leave"; readonly node: number }
  | { readonly do: "report"; readonly node: number }
  | { readonly do: "policy"; readonly policy: PolicySpec }
  /** The process dies and comes back from its snapshot; of what was under way, this share is lost. */
  | { readonly do: "crash"; readonly lose: number }
  | { readonly do: "spurious-wake" }
  /** Somebody says something about a copy that exists, ended, or never was. */
  | {
      readonly do: "stray";
      readonly what: "answered" | "accepted" | "failed" | "progressed";
      readonly pick: number;
      readonly node: number;
    };

/** A whole test case: plain data, so that it shrinks, prints and can be kept as a regression. */
export interface Scenario {
  readonly seed: number;
  readonly policy: PolicySpec;
  readonly placement: "least-loaded" | "random";
  readonly budget: { readonly burstMs: number; readonly ratio: number } | undefined;
  readonly redundancyFloor: number;
  readonly maxCopies: number;
  readonly acceptTimeoutMs: number;
  readonly leaseMs: number;
  readonly maxPending: number;
  readonly maxPendingPerSender: number;
  readonly maxCallsPerTransaction: number;
  readonly maxRounds: number;
  readonly maxReorgDepth: number;
  readonly maxTransactionsPerBlock: number;
  /** Longest delay of the shell's timer. */
  readonly wakeLatenessMs: number;
  /** Chance that the verifier gives up on an answer, or says its verdict twice. */
  readonly verifierFaults: number;
  /** Chance that a pre-execution fails, or is answered twice. */
  readonly executorFaults: number;
  readonly nodes: readonly NodeDraw[];
  readonly actions: readonly Action[];
}

export const BLOCK_US = 500_000;

export function engineConfig(scenario: Scenario): EngineConfig {
  const { budget } = scenario;
  return {
    seed: scenario.seed | 0,
    policy: scenario.policy,
    placement: { kind: scenario.placement },
    budget: budget === undefined ? "unlimited" : budget,
    races: {
      ...DEFAULT_RACES,
      redundancyFloor: scenario.redundancyFloor,
      acceptTimeoutUs: scenario.acceptTimeoutMs * 1_000,
      leaseUs: scenario.leaseMs * 1_000,
      verdictTimeoutUs: 1_000_000,
      maxCopies: scenario.maxCopies,
    },
    blockIntervalUs: BLOCK_US,
    limits: {
      ...DEFAULT_MEMPOOL_LIMITS,
      maxPending: scenario.maxPending,
      maxPendingPerSender: Math.min(scenario.maxPendingPerSender, scenario.maxPending),
      maxCallsPerTransaction: scenario.maxCallsPerTransaction,
      maxRounds: scenario.maxRounds,
      maxReorgDepth: scenario.maxReorgDepth,
      maxTransactionsPerBlock: scenario.maxTransactionsPerBlock,
      maxTtlBlocks: 64,
    },
  };
}

/** What the checkers are told: drawn from the scenario, not from the engine's configuration. */
export function agreementOf(scenario: Scenario): Agreement {
  const { budget } = scenario;
  return {
    budget: budget === undefined ? undefined : { burstUs: budget.burstMs * 1_000, ratio: budget.ratio },
    maxPending: scenario.maxPending,
    maxPendingPerSender: Math.min(scenario.maxPendingPerSender, scenario.maxPending),
    maxCallsPerTransaction: scenario.maxCallsPerTransaction,
    maxRounds: scenario.maxRounds,
    maxReorgDepth: scenario.maxReorgDepth,
    maxTransactionsPerBlock: scenario.maxTransactionsPerBlock,
  };
}
