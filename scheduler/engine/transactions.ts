import type { Ledger } from "../../mempool/ledger.ts";
import { type Account, CallSlot, NONE, type PendingTransaction } from "../../mempool/pending.ts";
import type { Pool } from "../../mempool/pool.ts";
import type { ReadSets } from "../../mempool/read-sets.ts";
import type { Rejection } from "../../mempool/rejection.ts";
import type { TransactionEvent } from "../../mempool/transaction-states.ts";
import { assert } from "../shared/assert.ts";
import {
  NEVER,
  quorum,
  type CallTerms,
  type RefundReason,
  type SlowReason,
  type TransactionTerms,
} from "../shared/vocabulary.ts";
import type { BlockListener, Blocks } from "./blocks.ts";
import type { CallResult, Commands } from "./commands.ts";
import type { Counters } from "./counters.ts";
import type { EngineEvent } from "./events.ts";
import { probabilityUnlaunched } from "./estimate.ts";
import type { OrderWriter } from "./order-writer.ts";
import type { Copy, Race, RaceListener } from "./race.ts";
import type { Races } from "./races.ts";
import type { Settlement } from "./settlement.ts";

/**
 * The life of a transaction: admission → pre-execution ⇄ races → ready, and every way out.
 *
 * 1. Each submission is accepted or rejected in the step that brought it (P11).
 * 2. Whoever leaves takes its races, its place in the order and its escrow along, in one step (P5, P8, P9).
 * 3. A transaction is ready only after a pre-execution that had every result it asked for (P10).
 */
export class Transactions implements RaceListener, BlockListener {
  readonly #pool: Pool;
  readonly #ledger: Ledger;
  readonly #races: Races;
  readonly #blocks: Blocks;
  readonly #readSets: ReadSets;
  readonly #counters: Counters;
  readonly #settlement: Settlement;
  readonly #verificationUs: number;
  readonly #order: OrderWriter;

  constructor(parts: {
    pool: Pool;
    ledger: Ledger;
    races: Races;
    blocks: Blocks;
    readSets: ReadSets;
    counters: Counters;
    order: OrderWriter;
    settlement: Settlement;
    verificationUs: number;
  }) {
    this.#pool = parts.pool;
    this.#ledger = parts.ledger;
    this.#races = parts.races;
    this.#blocks = parts.blocks;
    this.#readSets = parts.readSets;
    this.#counters = parts.counters;
    this.#order = parts.order;
    this.#settlement = parts.settlement;
    this.#verificationUs = parts.verificationUs;
  }

  get height(): number {
    return this.#blocks.height;
  }

  // ── admission ────────────────────────────────────────────────────────────────────────────────────────────────────

  submit(terms: TransactionTerms, nowUs: number, out: Commands): void {
    this.#counters.submitted++;
    const known = this.#pool.account(terms.sender);
    if (known !== undefined && terms.chainNonce !== undefined) this.#follow(known, terms.chainNonce, nowUs, out);
    const rejection = this.#pool.refusal(terms, known) ?? this.#refusalOfCalls(terms, nowUs);
    if (rejection !== undefined) return this.#reject(terms, rejection, out);
    const replaced = known?.queue[terms.nonce - known.nextNonce];
    if (replaced !== undefined) this.#leave(replaced, "replaced", nowUs, out);
    // Made, or made again: an account is forgotten with the last that it was good for.
    const account = replaced === undefined && known !== undefined ? known : this.#pool.openAccount(terms.sender);
    assert(account !== undefined, "admission without an account; refusal should have been the answer");
    const tx = this.#pool.admit(terms, account, nowUs, this.#blocks.height);
    this.#counters.accepted++;
    this.#ledger.escrow(tx, out);
    this.#order.write("admitted", tx, nowUs, out);
    out.accepted(tx);
    if (terms.calls?.length === 0) this.#becomeReady(tx, NO_KEYS, out);
    else this.#preExecute(tx, nowUs, out);
  }

  /** The chain used nonces for transactions that are none of ours; what waited with these nonces never can be sealed. */
  #follow(account: Account, chainNonce: number, nowUs: number, out: Commands): void {
    for (const tx of this.#pool.follow(account, chainNonce)) this.#leave(tx, "replaced", nowUs, out);
    this.#pool.skipTo(account, chainNonce);
  }

  #reject(terms: TransactionTerms, rejection: Rejection, out: Commands): void {
    this.#counters.rejected++;
    out.rejected(terms.hash, rejection);
  }

  #refusalOfCalls(terms: TransactionTerms, nowUs: number): Rejection | undefined {
    const calls = terms.calls ?? [];
    const { maxFeeGwei, minFeasibility } = this.#pool.limits;
    for (let callIndex = 0; callIndex < calls.length; callIndex++) {
      const call = calls[callIndex] as CallTerms;
      if (!(call.maxFeeGwei >= 0 && call.maxFeeGwei <= maxFeeGwei && Number.isSafeInteger(call.maxFeeGwei))) {
        return { reason: "out-of-range", field: `calls[${callIndex}].maxFeeGwei`, limit: maxFeeGwei };
      }
      const quorumTrouble = this.#quorumTrouble(call, callIndex);
      if (quorumTrouble !== undefined) return quorumTrouble;
      const { model, mode } = call;
      const served = this.#races.fleet.class(model, mode);
      if (served === undefined) return { reason: "unknown-model", callIndex, model, mode };
      // A class without nodes admits: its transactions wait in the slow lane, openly.
      if (served.nodes.length === 0) continue;
      const minimumFeeGwei = quorum(call.conflict) * served.minPriceGwei;
      if (call.maxFeeGwei < minimumFeeGwei) return { reason: "fee-too-low", callIndex, minimumFeeGwei };
      const deadlineUs = this.#blocks.sealTimeUs(this.#blocks.height + terms.ttlBlocks - 1);
      if (deadlineUs === NEVER) continue;
      const probability = probabilityUnlaunched(
        served,
        deadlineUs - nowUs - this.#verificationUs,
        quorum(call.conflict),
      );
      if (probability < minFeasibility) {
        return { reason: "infeasible", callIndex, probability, ttlBlocks: terms.ttlBlocks };
      }
    }
    return undefined;
  }

  /** What a contract asks for has not been looked at by anybody. */
  #isRaceable(call: CallTerms): boolean {
    const { maxFeeGwei: fee } = call;
    const payable = Number.isSafeInteger(fee) && fee >= 0 && fee <= this.#pool.limits.maxFeeGwei;
    return payable && this.#quorumTrouble(call, 0) === undefined;
  }

  #quorumTrouble({ conflict }: CallTerms, callIndex: number): Rejection | undefined {
    const { maxQuorum } = this.#pool.limits;
    const k = quorum(conflict);
    if (!(Number.isSafeInteger(k) && k >= 1 && k <= maxQuorum)) {
      return { reason: "out-of-range", field: `calls[${callIndex}].conflict.k`, limit: maxQuorum };
    }
    if (conflict.kind !== "median" || (conflict.tolerance >= 0 && Number.isFinite(conflict.tolerance)))
      return undefined;
    return { reason: "out-of-range", field: `calls[${callIndex}].conflict.tolerance`, limit: Number.MAX_VALUE };
  }

  // ── pre-execution ────────────────────────────────────────────────────────────────────────────────────────────────

  #preExecute(tx: PendingTransaction, nowUs: number, out: Commands): void {
    if (++tx.turns > this.#pool.limits.maxRounds) return this.#leave(tx, "pre-execution-failed", nowUs, out);
    tx.changeAtRun = this.#readSets.changes;
    tx.round++;
    out.preExecute(tx);
  }

  /** The transaction whose pre-execution this answers; `undefined` for an answer to an older round. */
  #asked(txId: number, round: number): PendingTransaction | undefined {
    const tx = this.#pool.transactions.get(txId);
    if (tx?.state === "discovering" && tx.round === round) return tx;
    this.#counters.lateEvents++;
    return undefined;
  }

  callsDiscovered(txId: number, round: number, calls: readonly CallTerms[], nowUs: number, out: Commands): void {
    const tx = this.#asked(txId, round);
    if (tx === undefined) return;
    if (!calls.every((call) => this.#isRaceable(call))) return this.#leave(tx, "pre-execution-failed", nowUs, out);
    this.#adoptCalls(tx, calls, nowUs, out);
    const failed = calls.length > this.#pool.limits.maxCallsPerTransaction || !this.#affordable(tx);
    if (failed) return this.#leave(tx, "pre-execution-failed", nowUs, out);
    // It asks for nothing that it was not given: it would ask for ever.
    if (tx.missing === 0) return this.#leave(tx, "pre-execution-failed", nowUs, out);
    this.#pool.move(tx, "calls");
    out.notify(tx);
    this.#openRaces(tx, nowUs, out);
  }

  /** Calls whose digest is the same keep their race or result; others are new, and what they asked before is dropped. */
  #adoptCalls(tx: PendingTransaction, calls: readonly CallTerms[], nowUs: number, out: Commands): void {
    const before = tx.calls;
    tx.calls = new Array<CallSlot>(calls.length);
    for (let index = 0; index < calls.length; index++) {
      const terms = calls[index] as CallTerms;
      tx.calls[index] = sameQuestion(before, terms, tx.calls) ?? new CallSlot(terms);
    }
    for (const old of before) {
      if (tx.calls.includes(old)) continue;
      if (old.race !== NONE) this.#races.close(old.race, nowUs, out);
      this.#settlement.releaseBond(old, nowUs, out);
    }
    tx.missing = 0;
    for (const slot of tx.calls) if (slot.result === undefined) tx.missing++;
  }

  #affordable(tx: PendingTransaction): boolean {
    let capGwei = 0;
    for (const slot of tx.calls) capGwei += slot.capGwei;
    return capGwei <= tx.heldGwei;
  }

  #openRaces(tx: PendingTransaction, nowUs: number, out: Commands): void {
    const deadlineUs = this.#blocks.sealTimeUs(tx.expiryHeight);
    const answeredBy = (sealUs: number) => (sealUs === NEVER ? NEVER : sealUs - this.#verificationUs);
    const targetUs = answeredBy(deadlineUs);
    const firstBlockUs = answeredBy(this.#blocks.sealTimeUs(this.#blocks.height));
    for (let callIndex = 0; callIndex < tx.calls.length; callIndex++) {
      const slot = tx.calls[callIndex] as CallSlot;
      if (slot.result !== undefined || slot.race !== NONE) continue;
      const call = slot.terms;
      const served = this.#races.fleet.class(call.model, call.mode);
      if (served === undefined) return this.#leave(tx, "pre-execution-failed", nowUs, out);
      const { capGwei } = slot;
      const opening = { tx, callIndex, call, capGwei, served, deadlineUs, targetUs, firstBlockUs };
      slot.race = this.#races.open(opening, nowUs, out).id;
    }
  }

  preExecuted(event: Extract<EngineEvent, { kind: "pre-executed" }>, nowUs: number, out: Commands): void {
    const { readSet, calls } = event;
    const tx = this.#asked(event.tx, event.round);
    if (tx === undefined) return;
    if (calls !== undefined) {
      this.#adoptCalls(tx, calls, nowUs, out);
      // It cannot have completed on answers that nobody gave.
      if (tx.missing > 0) return this.#leave(tx, "pre-execution-failed", nowUs, out);
    }
    if (readSet.length > this.#pool.limits.maxReadSet) return this.#leave(tx, "pre-execution-failed", nowUs, out);
    if (this.#readSets.changedSince(tx.changeAtRun, readSet)) return this.#runAgain(tx, nowUs, out);
    this.#becomeReady(tx, readSet, out);
  }

  preExecutionFailed(txId: number, round: number, nowUs: number, out: Commands): void {
    const tx = this.#asked(txId, round);
    if (tx !== undefined) this.#leave(tx, "pre-execution-failed", nowUs, out);
  }

  #becomeReady(tx: PendingTransaction, readSet: readonly string[], out: Commands): void {
    this.#pool.move(tx, "complete");
    tx.turns = 0;
    this.#readSets.watch(tx, readSet);
    this.#pool.offerToSeal(tx);
    out.notify(tx);
  }

  /** The chain's state changed: whoever read it runs again. */
  stateChanged(keys: readonly string[], nowUs: number, out: Commands): void {
    this.#readSets.changed(keys);
    for (const tx of this.#readSets.readersOf(keys)) {
      this.#readSets.unwatch(tx);
      this.#runAgain(tx, nowUs, out);
      out.notify(tx);
    }
  }

  #runAgain(tx: PendingTransaction, nowUs: number, out: Commands): void {
    this.#pool.move(tx, "outdated");
    // Against another state the way to the fixpoint begins anew.
    tx.turns = 0;
    this.#preExecute(tx, nowUs, out);
  }

  /** After a crash: asks again for every pre-execution whose answer may have been lost. */
  restarted(out: Commands): void {
    for (const tx of this.#pool.transactions.values()) if (tx.state === "discovering") out.preExecute(tx);
  }

  // ── what the races report ────────────────────────────────────────────────────────────────────────────────────────

  decided(race: Race, winner: Copy, result: CallResult, nowUs: number, out: Commands): void {
    const tx = this.#pool.transactions.get(race.tx.id) as PendingTransaction;
    const slot = tx.calls[race.callIndex] as CallSlot;
    slot.result = result;
    slot.race = NONE;
    slot.operator = winner.operator;
    slot.label = winner.label;
    slot.bondGwei = winner.bondGwei;
    tx.missing--;
    if (tx.missing > 0) return;
    this.#pool.move(tx, "results");
    this.#preExecute(tx, nowUs, out);
  }

  challengeAnswered(race: Race, copy: Copy, nowUs: number, out: Commands): void {
    this.#settlement.answered(race, copy, nowUs, out);
  }

  slowed(race: Race, reason: SlowReason, out: Commands): void {
    const tx = this.#pool.transactions.get(race.tx.id);
    if (tx === undefined || tx.lane === "slow") return;
    tx.lane = "slow";
    tx.slowReason = reason;
    out.notify(tx);
  }

  // ── what the blocks report ───────────────────────────────────────────────────────────────────────────────────────

  stale(tx: PendingTransaction, height: number, nowUs: number, out: Commands): void {
    this.#readSets.unwatch(tx);
    for (const slot of tx.calls) {
      if (slot.result === undefined || slot.result.validUntilHeight >= height) continue;
      this.#settlement.releaseBond(slot, nowUs, out);
      slot.result = undefined;
      tx.missing++;
      this.#counters.staleResults++;
    }
    this.#pool.move(tx, "stale");
    out.notify(tx);
    this.#openRaces(tx, nowUs, out);
  }

  left(tx: PendingTransaction, nowUs: number, out: Commands): void {
    this.#readSets.unwatch(tx);
    this.#order.write("left", tx, nowUs, out);
  }

  returned(tx: PendingTransaction, nowUs: number, out: Commands): void {
    this.#order.write("returned", tx, nowUs, out);
    out.notify(tx);
    this.#preExecute(tx, nowUs, out);
  }

  // ── ways out ─────────────────────────────────────────────────────────────────────────────────────────────────────

  withdraw(hash: string, nowUs: number, out: Commands): void {
    const tx = this.#pool.byHash(hash);
    if (tx === undefined || tx.sealedHeight !== NEVER) this.#counters.lateEvents++;
    else this.#leave(tx, "withdrawn", nowUs, out);
  }

  expire(height: number, nowUs: number, out: Commands): void {
    this.#pool.expire(height, (tx) => this.#leave(tx, "expired", nowUs, out));
  }

  #leave(tx: PendingTransaction, reason: RefundReason, nowUs: number, out: Commands): void {
    for (const slot of tx.calls) {
      if (slot.race !== NONE) this.#races.close(slot.race, nowUs, out);
      this.#settlement.releaseBond(slot, nowUs, out);
    }
    this.#readSets.unwatch(tx);
    tx.refundReason = reason;
    this.#pool.move(tx, LEAVING[reason]);
    this.#counters[COUNTED[reason]]++;
    this.#ledger.refundRest(tx, -1, out);
    this.#order.write("left", tx, nowUs, out);
    this.#pool.remove(tx);
    out.notify(tx);
    // The next nonce may be free now only for a new transaction; those behind it wait for one (as on the chain).
  }
}

/** A slot is one call: who asks the same thing twice asks two questions, and pays for both. */
function sameQuestion(
  slots: readonly CallSlot[],
  { digest }: CallTerms,
  taken: readonly CallSlot[],
): CallSlot | undefined {
  for (const slot of slots) if (slot.terms.digest === digest && !taken.includes(slot)) return slot;
  return undefined;
}

const NO_KEYS: readonly string[] = [];

const LEAVING: { readonly [R in RefundReason]: TransactionEvent } = {
  expired: "refund",
  "pre-execution-failed": "refund",
  withdrawn: "withdraw",
  replaced: "replace",
};

const COUNTED: { readonly [R in RefundReason]: "refunded" | "withdrawn" | "replaced" } = {
  expired: "refunded",
  "pre-execution-failed": "refunded",
  withdrawn: "withdrawn",
  replaced: "replaced",
};
