import type { EngineConfig } from "../../scheduler/engine/config.ts";
import { DEFAULT_OPTIMISTIC, DEFAULT_RACES } from "../../scheduler/engine/config.ts";
import { DEFAULT_MEMPOOL_LIMITS } from "../../mempool/limits.ts";
import type { PlacementSpec } from "../../policies/placement.ts";
import type { PolicySpec } from "../../policies/policy.ts";
import type { ConflictRule, Mode } from "../../scheduler/shared/vocabulary.ts";
import type { BudgetSpec } from "../../policies/work-budget.ts";
import type { Agreement } from "../checkers/checker.ts";
import { agreedBudget } from "../checkers/work-budget.ts";
import { type NetworkDraw, PERFECT_NETWORK } from "./network.ts";

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
  /** What it has put up; with a bond it offers the mode `optimistic` too. */
  readonly bondGwei: number;
  /** It answers optimistically in the worst sense: signed, and wrong. */
  readonly liar: boolean;
  /** Nodes with the same label put out the same. */
  readonly label: number;
  /** Mean service time. */
  readonly serviceMs: number;
  /** Chance that a copy goes wrong in one of the ways of `FAULTS`. */
  readonly faulty: number;
}

/** One call as it is drawn; becomes `CallTerms` when its transaction is known. */
export interface CallDraw {
  readonly model: 0 | 1;
  readonly mode: Mode;
  readonly conflict: ConflictRule;
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

/** The process dies and comes back from its last snapshot and its journal. */
export interface CrashDraw {
  readonly do: "crash";
  /** Of the nodes' messages under way this share is lost. */
  readonly lose: number;
  /** Steps from now until it dies. Of the commands of the first only some are carried out, those of the others wait for the disk. */
  readonly steps: number;
  /** Share of the first step's commands that are carried out. */
  readonly carriedOut: number;
  /** Share of the unacknowledged records that turn out to be durable. */
  readonly durable: number;
  /** The record after those was being written. */
  readonly torn: boolean;
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
  /** The chain says what the node has put up now. */
  | { readonly do: "bond"; readonly node: number; readonly bondGwei: number }
  /** Registers, for the first time, again, or with other terms than before. */
  | { readonly do: "join"; readonly node: number; readonly as?: NodeDraw }
  | { readonly do: "leave"; readonly node: number }
  | { readonly do: "report"; readonly node: number }
  | { readonly do: "policy"; readonly policy: PolicySpec }
  | CrashDraw
  /** The node dies and is back after a while; others are told at once, or find out. */
  | { readonly do: "node-crash"; readonly node: number; readonly downMs: number; readonly noticed: boolean }
  | { readonly do: "node-stall"; readonly node: number; readonly ms: number }
  /** For that long, whatever is sent to the node takes so many times as long. */
  | { readonly do: "node-grey"; readonly node: number; readonly factor: number; readonly ms: number }
  /** The same for every node at once: a brown-out. */
  | { readonly do: "slowdown"; readonly factor: number; readonly ms: number }
  | {
      readonly do: "partition";
      readonly nodes: readonly number[];
      readonly ms: number;
      /** Messages wait for its end instead of being lost. */
      readonly buffered: boolean;
    }
  /** The verifier dies with the proofs it was at: it says so, or nothing. */
  | { readonly do: "verifier-crash"; readonly silent: boolean }
  /** The engine's clock jumps ahead, or is set back; the world goes on as before. */
  | { readonly do: "clock"; readonly byMs: number }
  /** The process stands still: whatever was due comes at its end. */
  | { readonly do: "suspend"; readonly ms: number }
  /** To the cut-off, sealed, but never published: the same height is built again. */
  | { readonly do: "failed-seal"; readonly maxTransactions: number }
  /** Much well-paid work at one moment, dealt out over all senders. */
  | { readonly do: "flood"; readonly count: number; readonly draw: SubmitDraw }
  | { readonly do: "spurious-wake" }
  /** Somebody says something about a copy that exists, ended, or never was. */
  | {
      readonly do: "stray";
      readonly what: "answered" | "accepted" | "failed" | "progressed" | "verdict";
      /** Which copy, counted back from the one launched last. */
      readonly pick: number;
      readonly node: number;
    };

/** A whole test case: plain data, so that it shrinks, prints and can be kept as a regression. */
export interface Scenario {
  readonly seed: number;
  readonly policy: PolicySpec;
  readonly placement: PlacementSpec["kind"];
  readonly budget: Exclude<BudgetSpec, string> | undefined;
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
  readonly network: NetworkDraw;
  /** Chance per step that a snapshot is taken after it. */
  readonly snapshots: number;
  readonly senders: number;
  /** What each sender has at the start. */
  readonly depositGwei: number;
  readonly nodes: readonly NodeDraw[];
  readonly actions: readonly Action[];
}

/** What small scenarios do not draw. */
export const SMALL_SURROUNDINGS = {
  network: PERFECT_NETWORK,
  snapshots: 0.05,
  senders: 4,
  depositGwei: 5_000,
} as const satisfies Partial<Scenario>;

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
    optimistic: {
      ...DEFAULT_OPTIMISTIC,
      challengeBlocks: challengeBlocksOf(scenario),
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

/** A result must be known for as long as it can be challenged. */
export function challengeBlocksOf({ maxReorgDepth }: Scenario): number {
  return Math.min(DEFAULT_OPTIMISTIC.challengeBlocks, Math.floor((maxReorgDepth - 1) / 2));
}

/** What the checkers are told: drawn from the scenario, not from the engine's configuration. */
export function agreementOf(scenario: Scenario): Agreement {
  const { budget } = scenario;
  return {
    budget: budget === undefined ? undefined : agreedBudget(budget),
    maxPending: scenario.maxPending,
    maxPendingPerSender: Math.min(scenario.maxPendingPerSender, scenario.maxPending),
    maxCallsPerTransaction: scenario.maxCallsPerTransaction,
    maxRounds: scenario.maxRounds,
    maxReorgDepth: scenario.maxReorgDepth,
    maxTransactionsPerBlock: scenario.maxTransactionsPerBlock,
    challengeBlocks: challengeBlocksOf(scenario),
    // What the nodes of this world sign; written down once more, since the verifier is not to be believed.
    isGenuine: ({ id, nonce, node }, { outputHash, answerHash }) =>
      answerHash.replace(/:again$/, "") === `proof:${id}:${nonce}:${node}:${outputHash}`,
  };
}
