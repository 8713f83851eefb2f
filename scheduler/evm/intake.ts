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
import { callRefusalOf } from "./call-refusal.ts";
import type { ChainThread } from "./chain-thread.ts";
import type { ProducerLimits } from "./limits.ts";
import type { Outcomes } from "./outcomes.ts";
import type { Outcome } from "./rpc/backend.ts";
import type { Withdrawals } from "./withdrawals.ts";
import type { EvmProblem } from "./rpc/problems.ts";

export interface IntakeOptions {
  readonly chainId: bigint;
  readonly limits: ProducerLimits;
  readonly pool: TransactionPool;
  readonly outcomes: Outcomes;
  readonly simulator: Pick<ChainThread, "ask" | "askInTurn">;
  readonly pipe: Pick<Pipe, "account" | "submitOpaque" | "registry">;
  readonly withdrawals: Pick<Withdrawals, "withdraw">;
  readonly nextBlock: () => BlockEnvironment;
  /** The sender's next nonce with what the block under construction holds; the chain's when it holds nothing of the sender. */
  readonly nonceBuilt: (sender: string, chainNonce: number) => number;
  /** It can be in a block from now on, or be raced for. */
  readonly onTaken: (entry: PoolEntry) => void;
}

const GWEI = 1_000_000_000n;
/** A transaction with no more gas than a transfer takes runs no code, so it asks nothing. */
const TRANSFER_GAS = 21_000n;
/** What waits for the simulator to read it, a millisecond each. */
const MAX_COMING = 4_096;
/** The engine's own limit of what it takes for a gas price. */
const MAX_GAS_PRICE_GWEI = 2n ** 40n;

/**
 * Where transactions come in: checked, put into the pool, and run once on the present state, which tells whether they ask a
 * model. Those that do go to the inference mempool too; of the others the scheduler never hears.
 */
export class EvmIntake {
  readonly #options: IntakeOptions;
  /** Transactions that are looked at. */
  #coming = 0;
  /** Those of them that wait for their first run. */
  #firstRuns = 0;
  /** The last first run of each sender that has one. */
  readonly #turns = new Map<string, Promise<void>>();

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /** Resolves to the hash once it is taken. */
  async send(raw: Uint8Array): Promise<Outcome<string>> {
    if (this.#coming >= MAX_COMING) return no({ kind: "overloaded" });
    this.#coming++;
    try {
      return await this.#take(raw);
    } finally {
      this.#coming--;
    }
  }

  async #take(raw: Uint8Array): Promise<Outcome<string>> {
    const { simulator, pool, outcomes, limits } = this.#options;
    const parsed = await simulator.ask("parse", raw);
    if (!parsed.ok) return no(problemOf(parsed.problem, raw, this.#options.chainId));
    const { transaction } = parsed;
    const account = await simulator.ask("account", transaction.sender);
    const problem = this.#refusal(transaction, account);
    if (problem !== undefined) return no(problem);
    if (runsCode(transaction) && this.#firstRuns >= limits.maxFirstRuns) return no({ kind: "overloaded" });
    const { number } = this.#options.nextBlock();
    const replaced = pool.add(transaction, { chainNonce: account.nonce, height: number - 1 });
    outcomes.forget(transaction.hash);
    try {
      if (replaced !== undefined) await this.#leave(replaced, transaction.hash);
      return await this.#firstRun(transaction);
    } catch (error) {
      // Nobody would ever look at it again: it would only hold its nonce.
      if (pool.get(transaction.hash)?.kind === "undetermined") pool.remove(transaction.hash);
      throw error;
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

  async #firstRun(transaction: EvmTransaction): Promise<Outcome<string>> {
    const { simulator, pool, nextBlock, onTaken } = this.#options;
    const { hash, sender, nonce } = transaction;
    // Another with its nonce came in the meantime, or the chain used it.
    const overtaken = (): Outcome<string> => no({ kind: "nonce-too-low", next: nonce + 1, nonce });
    const entry = pool.get(hash);
    if (entry === undefined) return overtaken();
    if (runsCode(transaction)) {
      const run = await this.#inTurn(sender, async () =>
        pool.get(hash) === entry
          ? simulator.askInTurn(sender, "preExecute", transaction, new Map(), nextBlock())
          : undefined,
      );
      // It was taken, and then another took its place, or the chain its nonce.
      if (run === undefined || pool.get(hash) !== entry) return { ok: true, value: hash };
      if (run.kind === "invalid") {
        pool.remove(hash);
        const { maxFeePerGas } = transaction;
        return no(
          run.reason === "fee-too-low"
            ? { kind: "fee-below-base-fee", maxFeePerGas, baseFeePerGas: nextBlock().baseFeePerGas }
            : { kind: "failed", message: run.message },
        );
      }
      if (run.kind === "calls") {
        const asked = await this.#ask(entry, run.calls);
        if (!asked.ok) this.#refuse(entry, asked.problem);
        return asked;
      }
      entry.expectedGas = run.gasUsed;
    }
    pool.classify(hash, "ordinary");
    onTaken(entry);
    return { ok: true, value: hash };
  }

  /** One first run of a sender after the other, so that those that were replaced in the meantime need none. */
  async #inTurn<T>(sender: string, act: () => Promise<T>): Promise<T> {
    this.#firstRuns++;
    const turn = (this.#turns.get(sender) ?? Promise.resolve()).then(act);
    const ended = turn.then(
      () => undefined,
      () => undefined,
    );
    this.#turns.set(sender, ended);
    try {
      return await turn;
    } finally {
      this.#firstRuns--;
      if (this.#turns.get(sender) === ended) this.#turns.delete(sender);
    }
  }

  /** Its first run said that it asks nothing, and in the block it does. Never rejects. */
  async askedInBlock(entry: PoolEntry, calls: readonly DiscoveredCall[]): Promise<void> {
    try {
      const asked = await this.#ask(entry, calls);
      // With too much to do it stays what it was, and asks again in the next block.
      if (!asked.ok && asked.problem.kind === "refused") this.#refuse(entry, asked.problem);
    } catch {
      // The scheduler is closed, or cannot go on: then no block will have it.
    }
  }

  /** It asks models: from now on it waits in the inference mempool for its results. */
  async #ask(entry: PoolEntry, calls: readonly DiscoveredCall[]): Promise<Outcome<string>> {
    const { pool, pipe, onTaken } = this.#options;
    const { hash, sender } = entry.transaction;
    const { kind } = entry;
    const depositGwei = (await pipe.account(sender))?.depositGwei ?? 0;
    // While that was asked, another one may have taken its place: the scheduler must not hear of this one any more.
    if (pool.get(hash) !== entry) return { ok: true, value: hash };
    const problem = await this.#submit(entry, calls, depositGwei);
    if (problem === undefined) {
      onTaken(entry);
      return { ok: true, value: hash };
    }
    if (pool.get(hash) === entry) pool.classify(hash, kind);
    return no(problem);
  }

  #refuse(entry: PoolEntry, problem: EvmProblem): void {
    const { pool, outcomes } = this.#options;
    const { hash } = entry.transaction;
    if (pool.get(hash) === entry) pool.remove(hash);
    if (problem.kind === "refused")
      outcomes.note(hash, { state: "refused", reason: problem.message, advice: problem.advice });
  }

  async #submit(
    { transaction }: PoolEntry,
    calls: readonly DiscoveredCall[],
    depositGwei: number,
  ): Promise<EvmProblem | undefined> {
    const { pool, pipe, limits } = this.#options;
    const { hash, sender, nonce, maxFeePerGas, options, raw } = transaction;
    const escrowGwei = options.capGwei ?? Math.min(limits.defaultCapGwei, depositGwei);
    const neededGwei = calls.reduce((sum, { maxFeeGwei }) => sum + maxFeeGwei, 0);
    if (escrowGwei < neededGwei) return capTooLow(escrowGwei, neededGwei, options.capGwei);
    const refusal = callRefusalOf(pipe.registry, calls);
    if (refusal !== undefined)
      return { kind: "refused", ...refusal, advice: "Ask what docs/REGISTRY.md says that a model takes." };
    const price = maxFeePerGas / GWEI;
    const gasPriceGwei = Number(price < MAX_GAS_PRICE_GWEI ? price : MAX_GAS_PRICE_GWEI);
    const ttlBlocks = options.ttlBlocks ?? limits.defaultTtlBlocks;
    // Of the head, as everything that the scheduler hears: whatever it was when the transaction came, and not what the block
    // under construction makes of it, for the scheduler would give up those that are in that block and not sealed yet.
    const chainNonce = pool.chainNonce(sender) ?? nonce;
    // Known as what it is before the scheduler asks for its run.
    pool.classify(hash, "inference");
    const submitted = await pipe.submitOpaque(
      { hash, sender, nonce, gasPriceGwei, ttlBlocks, escrowGwei, chainNonce },
      raw,
    );
    return submitted.ok ? undefined : schedulerProblem(submitted.problem);
  }

  /** Its races are cancelled and its escrow is returned before what replaces it is raced. */
  async #leave(replaced: PoolEntry, by: string): Promise<void> {
    const { withdrawals, outcomes } = this.#options;
    const { hash } = replaced.transaction;
    if (replaced.kind === "inference") await withdrawals.withdraw(hash);
    outcomes.note(hash, { state: "replaced", reason: `replaced by 0x${by}`, advice: "" });
  }
}

function runsCode({ gasLimit, to }: EvmTransaction): boolean {
  return gasLimit > TRANSFER_GAS || to === undefined;
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
