import type { DiscoveredCall } from "../../mempool/evm/inference.ts";
import type { BlockEnvironment } from "../../mempool/evm/machine.ts";
import { type EvmTransaction, TRANSACTION_LIMITS, type TransactionProblem } from "../../mempool/evm/transaction.ts";
import {
  costOf,
  type PoolEntry,
  type PoolRefusal,
  tipOf,
  type TransactionPool,
} from "../../mempool/evm/transaction-pool.ts";
import type { Pipe, SubmitProblem } from "../index.ts";
import type { ChainThread } from "./chain-thread.ts";
import type { ProducerLimits } from "./limits.ts";
import type { Outcomes } from "./outcomes.ts";
import type { Outcome } from "./rpc/backend.ts";
import type { EvmProblem } from "./rpc/problems.ts";

export interface IntakeOptions {
  readonly chainId: bigint;
  readonly limits: ProducerLimits;
  readonly pool: TransactionPool;
  readonly outcomes: Outcomes;
  readonly simulator: Pick<ChainThread, "ask" | "askInTurn">;
  readonly pipe: Pick<Pipe, "account" | "submitOpaque" | "withdraw">;
  readonly nextBlock: () => BlockEnvironment;
  /** The sender's next nonce with what the block under construction holds; the chain's when it holds nothing of the sender. */
  readonly nonceBuilt: (sender: string, chainNonce: number) => number;
  /** It can be in a block from now on, or be raced for. */
  readonly onTaken: (entry: PoolEntry) => void;
}

const GWEI = 1_000_000_000n;
/** A transaction with no more gas than a transfer takes runs no code, so it asks nothing. */
const TRANSFER_GAS = 21_000n;
/** The engine's own limit of what it takes for a gas price. */
const MAX_GAS_PRICE_GWEI = 2n ** 40n;

/**
 * Where transactions come in: checked, put into the pool, and run once on the present state, which tells whether they ask a
 * model. Those that do go to the inference mempool too; of the others the scheduler never hears.
 */
export class EvmIntake {
  readonly #options: IntakeOptions;
  #running = 0;

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /** Resolves to the hash once it is taken. */
  async send(raw: Uint8Array): Promise<Outcome<string>> {
    const { simulator, pool, outcomes, limits } = this.#options;
    if (this.#running >= limits.maxFirstRuns) return no({ kind: "overloaded" });
    this.#running++;
    try {
      const parsed = await simulator.ask("parse", raw);
      if (!parsed.ok) return no(problemOf(parsed.problem, raw, this.#options.chainId));
      const { transaction } = parsed;
      const account = await simulator.ask("account", transaction.sender);
      const problem = this.#refusal(transaction, account);
      if (problem !== undefined) return no(problem);
      const { number } = this.#options.nextBlock();
      const replaced = pool.add(transaction, { chainNonce: account.nonce, height: number - 1 });
      outcomes.forget(transaction.hash);
      if (replaced !== undefined) await this.#leave(replaced, transaction.hash);
      return await this.#firstRun(transaction, account.nonce);
    } finally {
      this.#running--;
    }
  }

  #refusal(
    transaction: EvmTransaction,
    account: { readonly nonce: number; readonly balance: bigint },
  ): EvmProblem | undefined {
    const { pool, limits, nextBlock, nonceBuilt } = this.#options;
    const { sender, nonce, gasLimit } = transaction;
    if (gasLimit > limits.maxTransactionGas)
      return { kind: "beyond-block-gas", gas: gasLimit, limit: limits.maxTransactionGas };
    const { baseFeePerGas } = nextBlock();
    const tip = tipOf(transaction, baseFeePerGas);
    // Below the base fee it may wait for a lower one; without any tip it would wait for ever.
    if (transaction.maxPriorityFeePerGas < limits.minTipWei)
      return { kind: "underpriced", offered: tip, minimum: limits.minTipWei };
    const refused = pool.refusal(transaction, account.nonce);
    if (refused !== undefined) return poolProblem(refused, nonce);
    const built = nonceBuilt(sender, account.nonce);
    if (nonce < built) return { kind: "nonce-too-low", next: built, nonce };
    const cost = costOf(transaction) + pool.committedWei(sender, nonce);
    return account.balance < cost ? { kind: "insufficient-funds", balance: account.balance, cost } : undefined;
  }

  async #firstRun(transaction: EvmTransaction, chainNonce: number): Promise<Outcome<string>> {
    const { simulator, pool, nextBlock, onTaken } = this.#options;
    const { hash } = transaction;
    const entry = pool.get(hash);
    // Another with its nonce came in the meantime, or the chain used it.
    if (entry === undefined)
      return no({ kind: "nonce-too-low", next: transaction.nonce + 1, nonce: transaction.nonce });
    if (transaction.gasLimit > TRANSFER_GAS || transaction.to === undefined) {
      const run = await simulator.askInTurn(transaction.sender, "preExecute", transaction, new Map(), nextBlock());
      // It was taken, and then another took its place, or the chain its nonce.
      if (pool.get(hash) !== entry) return { ok: true, value: hash };
      if (run.kind === "invalid") {
        pool.remove(hash);
        const { maxFeePerGas } = transaction;
        return no(
          run.reason === "fee-too-low"
            ? { kind: "fee-below-base-fee", maxFeePerGas, baseFeePerGas: nextBlock().baseFeePerGas }
            : { kind: "failed", message: run.message },
        );
      }
      if (run.kind === "calls") return this.ask(entry, run.calls, chainNonce);
      entry.expectedGas = run.gasUsed;
    }
    pool.classify(hash, "ordinary");
    onTaken(entry);
    return { ok: true, value: hash };
  }

  /** It asks models: from now on it waits in the inference mempool for its results. */
  async ask(
    entry: PoolEntry,
    calls: readonly Pick<DiscoveredCall, "maxFeeGwei" | "conflict">[],
    chainNonce: number,
  ): Promise<Outcome<string>> {
    const { pool, pipe, outcomes, limits, onTaken } = this.#options;
    const { hash, sender, nonce, maxFeePerGas, options, raw } = entry.transaction;
    if (pool.get(hash) !== entry) return { ok: true, value: hash };
    const depositGwei = (await pipe.account(sender))?.depositGwei ?? 0;
    const escrowGwei = options.capGwei ?? Math.min(limits.defaultCapGwei, depositGwei);
    const neededGwei = calls.reduce((sum, { maxFeeGwei }) => sum + maxFeeGwei, 0);
    let problem = escrowGwei < neededGwei ? capTooLow(escrowGwei, neededGwei, options.capGwei) : undefined;
    if (problem === undefined) {
      const price = maxFeePerGas / GWEI;
      const gasPriceGwei = Number(price < MAX_GAS_PRICE_GWEI ? price : MAX_GAS_PRICE_GWEI);
      const ttlBlocks = options.ttlBlocks ?? limits.defaultTtlBlocks;
      // Known as what it is before the scheduler asks for its run.
      pool.classify(hash, "inference");
      const terms = { hash, sender, nonce, gasPriceGwei, ttlBlocks, escrowGwei, chainNonce };
      const submitted = await pipe.submitOpaque(terms, raw);
      if (!submitted.ok) problem = schedulerProblem(submitted.problem);
    }
    if (problem === undefined) {
      onTaken(entry);
      return { ok: true, value: hash };
    }
    pool.remove(hash);
    if (problem.kind === "refused")
      outcomes.note(hash, { state: "refused", reason: problem.message, advice: problem.advice });
    return no(problem);
  }

  /** Its races are cancelled and its escrow is returned before what replaces it is raced. */
  async #leave(replaced: PoolEntry, by: string): Promise<void> {
    const { pipe, outcomes } = this.#options;
    const { hash } = replaced.transaction;
    if (replaced.kind === "inference") await pipe.withdraw(hash);
    outcomes.note(hash, { state: "replaced", reason: `replaced by 0x${by}`, advice: "" });
  }
}

function no<T>(problem: EvmProblem): Outcome<T> {
  return { ok: false, problem };
}

function capTooLow(escrowGwei: number, neededGwei: number, stated: number | undefined): EvmProblem {
  const message =
    stated === undefined
      ? `its calls may cost ${neededGwei} gwei, for which the sender has ${escrowGwei} gwei on deposit`
      : `its calls may cost ${neededGwei} gwei, its access list allows ${escrowGwei}`;
  const advice =
    stated === undefined
      ? "Deposit more at the contract 0x00000000000000000000000000000000000000f5, and wait until that block is confirmed."
      : "Sign it with a higher cap in its access list, or let its contract ask for less.";
  return { kind: "refused", reason: "fee-cap", message, advice };
}

function schedulerProblem(problem: SubmitProblem): EvmProblem {
  if (problem.kind === "overloaded" || problem.kind === "closed") return { kind: problem.kind };
  const reason = problem.kind === "rejected" ? problem.rejection.reason : problem.kind;
  return { kind: "refused", reason, message: `the scheduler refused it: ${reason}`, advice: problem.advice };
}

function poolProblem(refusal: PoolRefusal, nonce: number): EvmProblem {
  switch (refusal.reason) {
    case "nonce-too-low":
    case "nonce-too-high":
      return { kind: refusal.reason, next: refusal.next, nonce };
    case "sender-limit":
      return { kind: "sender-limit", limit: refusal.limit };
    default:
      return { kind: refusal.reason };
  }
}

function problemOf(problem: TransactionProblem, raw: Uint8Array, chainId: bigint): EvmProblem {
  switch (problem.kind) {
    case "unprotected":
    case "bad-signature":
      return { kind: problem.kind };
    case "oversized":
      return { kind: "oversized", size: raw.length, limit: TRANSACTION_LIMITS.maxBytes };
    case "unsupported-type":
      return { kind: "type-not-supported", type: raw[0] ?? 0 };
    case "wrong-chain":
      return { kind: "wrong-chain", have: problem.signedFor, want: chainId };
    case "gas-too-low":
      return { kind: "intrinsic-gas-too-low", gas: problem.gas, minimum: problem.minimum };
    default:
      return { kind: "malformed", message: problem.message };
  }
}
