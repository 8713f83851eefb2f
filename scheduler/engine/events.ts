import type { FailureReason, NodeTerms, CallTerms, TransactionTerms } from "../shared/vocabulary.ts";
import type { PolicySpec } from "../../policies/policy.ts";

export type BlockOrder = "arrival" | "gas" | readonly string[];

/**
 * Everything that the engine can be told. Events are plain data: the live shell journals them as JSON, the simulator reuses
 * mutable ones. `tx` and `copy` are handles that the engine gave out in its commands; a handle that it no longer knows makes
 * the event late, which is counted and otherwise without effect.
 */
export type EngineEvent =
  // Transactions. The hash was computed and the signature checked at the edge.
  | { readonly kind: "submitted"; readonly transaction: TransactionTerms }
  | { readonly kind: "withdrawn"; readonly hash: string }
  // `key`: by which the shell knows a deposit again; the engine credits whatever comes.
  | { readonly kind: "deposited"; readonly account: string; readonly amountGwei: number; readonly key?: string }
  // Pre-execution. `round` echoes the command's, so that an answer to an older round is known as late.
  | {
      readonly kind: "calls-discovered";
      readonly tx: number;
      readonly round: number;
      /** All calls known so far, in call order; those with results included. */
      readonly calls: readonly CallTerms[];
    }
  | {
      readonly kind: "pre-executed";
      readonly tx: number;
      readonly round: number;
      readonly readSet: readonly string[];
      /** All calls that it asked for; missing where they are those known so far. */
      readonly calls?: readonly CallTerms[];
    }
  | { readonly kind: "pre-execution-failed"; readonly tx: number; readonly round: number; readonly reason: string }
  // The chain's state changed under these keys; transactions that read one of them are pre-executed again.
  | { readonly kind: "state-changed"; readonly keys: readonly string[] }
  // Fleet.
  | { readonly kind: "node-joined"; readonly node: NodeTerms }
  | { readonly kind: "node-left"; readonly node: string }
  | {
      readonly kind: "node-reported";
      readonly node: string;
      readonly running: number;
      readonly queued: number;
      readonly warm: readonly string[];
    }
  // Copies. `node` is who says so: an answer to another node's assignment is worth nothing (P3).
  | { readonly kind: "copy-accepted"; readonly copy: number; readonly node: string }
  | { readonly kind: "copy-progressed"; readonly copy: number; readonly node: string; readonly tokens: number }
  | {
      readonly kind: "copy-answered";
      readonly copy: number;
      readonly node: string;
      readonly outputHash: string;
      /** Digest of the whole answer (output and proof). The same output under another proof is the same answer. */
      readonly answerHash: string;
      /** The output as a number, where its model says how to read one; what `median` compares. */
      readonly value?: number;
    }
  | { readonly kind: "copy-failed"; readonly copy: number; readonly node: string; readonly reason: FailureReason }
  // Verdicts. A verifier that crashed, hung or gave up is a rejection whose reason says so (P2).
  | { readonly kind: "verdict"; readonly copy: number; readonly accepted: boolean; readonly reason: string }
  /** Whether both answers of a suspicion are signed by the copy's node: then they are evidence against it. */
  | { readonly kind: "suspicion-judged"; readonly copy: number; readonly signed: boolean }
  // Blocks.
  | { readonly kind: "block-opened"; readonly height: number; readonly sealAtUs: number }
  | {
      readonly kind: "seal-requested";
      readonly height: number;
      readonly maxTransactions: number;
      /**
       * `arrival`: the inference mempool's order. `gas`: the producer's, highest gas price first, nonces in order. Hashes: these
       * ready transactions and no others, since the producer executed them; one that is not sealable any more is left out.
       */
      readonly order: BlockOrder;
    }
  | { readonly kind: "block-committed"; readonly height: number }
  /** The chain took back this block and every later one. */
  | { readonly kind: "block-reverted"; readonly height: number }
  // Bonds and challenges (mode `optimistic`). The bond is what the chain says that the node has put up in all.
  | { readonly kind: "bond-changed"; readonly node: string; readonly bondGwei: number }
  /** The secret sample fell on this sealed result: another operator's node is to answer the same call. */
  | { readonly kind: "challenged"; readonly txHash: string; readonly callIndex: number }
  // Operation.
  | { readonly kind: "policy-changed"; readonly policy: PolicySpec }
  /**
   * The model registry is another from now on; `hash` names the text of its rules. The engine knows of rules only what the nodes'
   * terms carry, so it does nothing: the event is for the journal, which makes it certain which rules an answer was judged by.
   */
  | { readonly kind: "registry-changed"; readonly hash: string }
  /** The shell came back from a crash: commands that may have been lost are given again. Receivers know them by their ids. */
  | { readonly kind: "restarted" }
  | { readonly kind: "woken" };
