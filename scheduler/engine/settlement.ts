import type { Bonds } from "../../mempool/bonds.ts";
import type { Ledger } from "../../mempool/ledger.ts";
import { type CallSlot, NONE, type PendingTransaction } from "../../mempool/pending.ts";
import type { Pool } from "../../mempool/pool.ts";
import { NEVER } from "../shared/vocabulary.ts";
import type { CallResult, ChallengeOutcome, Commands, Support } from "./commands.ts";
import type { OptimisticConfig } from "./config.ts";
import type { Counters } from "./counters.ts";
import type { Copy, Race } from "./race.ts";
import { supportOf } from "./race-records.ts";
import type { Races } from "./races.ts";

/** A sealed result that another operator is asked about. */
interface Challenge {
  readonly tx: PendingTransaction;
  readonly callIndex: number;
  race: number;
  /** Each with the bond that its node holds for it. */
  readonly answers: { readonly support: Support; readonly operator: string; readonly bondGwei: number }[];
}

/**
 * What becomes of a sealed transaction's fees and bonds.
 *
 * 1. A fee is paid once: at commit, in mode `optimistic` when the challenge window has closed (P5).
 * 2. Until then the fee stays in escrow and the winner's bond is locked; both end in one step.
 * 3. A node forfeits only against two others of different operators who agree with each other.
 */
export class Settlement {
  readonly #config: OptimisticConfig;
  readonly #pool: Pool;
  readonly #ledger: Ledger;
  readonly #bonds: Bonds;
  readonly #races: Races;
  readonly #counters: Counters;
  /** By the race that is under way for it. */
  readonly #challenges = new Map<number, Challenge>();

  constructor(parts: {
    config: OptimisticConfig;
    pool: Pool;
    ledger: Ledger;
    bonds: Bonds;
    races: Races;
    counters: Counters;
  }) {
    this.#config = parts.config;
    this.#pool = parts.pool;
    this.#ledger = parts.ledger;
    this.#bonds = parts.bonds;
    this.#races = parts.races;
    this.#counters = parts.counters;
  }

  // ── a transaction's life on the chain ────────────────────────────────────────────────────────────────────────────

  /** It is in the block of this height: from which height on nothing about it can change, reorgs apart. */
  sealed(tx: PendingTransaction, height: number): void {
    tx.finalHeight = tx.calls.some(isOptimistic) ? height + this.#config.challengeBlocks : height;
  }

  /** Its block was committed: pays what is due, and gives back what no call can cost any more. */
  committed(tx: PendingTransaction, height: number, nowUs: number, out: Commands): void {
    let keptGwei = 0;
    for (const slot of tx.calls) {
      const { result } = slot;
      // Settled before the commit is what was overturned: its fee is given back already.
      if (result === undefined || slot.settled) continue;
      slot.capGwei = feesOf(result);
      if (isOptimistic(slot)) keptGwei += slot.capGwei;
      else this.#pay(tx, slot, result, height, nowUs, out);
    }
    this.#ledger.refund(tx, tx.heldGwei - keptGwei, -1, height, out);
  }

  /**
   * The block of height `nowHeight` is being built: pays what can be challenged no more. False as long as something of the
   * transaction is open.
   */
  settle(tx: PendingTransaction, nowHeight: number, nowUs: number, out: Commands): boolean {
    if (nowHeight <= tx.finalHeight) return false;
    for (let callIndex = 0; callIndex < tx.calls.length; callIndex++) {
      const slot = tx.calls[callIndex] as CallSlot;
      const { result } = slot;
      if (result === undefined || slot.settled) continue;
      const challenge = slot.challenge === NONE ? undefined : this.#challenges.get(slot.challenge);
      if (challenge !== undefined) {
        if (nowHeight <= tx.sealedHeight + 2 * this.#config.challengeBlocks) {
          tx.finalHeight = tx.sealedHeight + 2 * this.#config.challengeBlocks;
          return false;
        }
        this.#giveUp(challenge, nowUs, out);
      }
      // Whoever answered otherwise stood alone, and so did the winner: nobody can say who was right.
      if (!slot.settled) this.#pay(tx, slot, result, nowHeight, nowUs, out);
    }
    return true;
  }

  /** A reorg takes the transaction out of its block: payments are taken back, challenges end. */
  reverted(tx: PendingTransaction, height: number, nowUs: number, out: Commands): void {
    for (const slot of tx.calls) {
      const { result } = slot;
      if (result === undefined) continue;
      const challenge = slot.challenge === NONE ? undefined : this.#challenges.get(slot.challenge);
      if (challenge !== undefined) this.#end(challenge, "open", "", 0, nowUs, out);
      if (slot.settled && slot.paid) this.#unpay(tx, slot, result, height, out);
      // The fee of a result that did not hold is its sender's again: it must not be stitched a second time.
      else if (slot.settled) {
        slot.result = undefined;
        tx.missing++;
      }
      slot.settled = false;
      slot.paid = false;
      slot.challenged = false;
    }
    tx.finalHeight = NEVER;
  }

  /** The result is not going to be used: its node may have its bond back. */
  releaseBond(slot: CallSlot, nowUs: number, out: Commands): void {
    if (slot.bondGwei === 0 || slot.result === undefined) return;
    const { bondGwei } = slot;
    slot.bondGwei = 0;
    this.#release(slot.result.node, bondGwei, nowUs, out);
  }

  #release(id: string, bondGwei: number, nowUs: number, out: Commands): void {
    this.#bonds.release(id, bondGwei);
    const node = this.#races.fleet.node(id);
    if (node !== undefined) this.#races.roomOn(node, nowUs, out);
  }

  #pay(tx: PendingTransaction, slot: CallSlot, result: CallResult, height: number, nowUs: number, out: Commands): void {
    this.#ledger.pay(tx, result.callIndex, result.node, result.feeGwei, height, out);
    for (const { node, feeGwei } of result.supporters) {
      this.#ledger.pay(tx, result.callIndex, node, feeGwei, height, out);
    }
    slot.settled = true;
    slot.paid = true;
    this.releaseBond(slot, nowUs, out);
  }

  #unpay(tx: PendingTransaction, slot: CallSlot, result: CallResult, height: number, out: Commands): void {
    this.#ledger.unpay(tx, result.callIndex, result.node, result.feeGwei, height, out);
    for (const { node, feeGwei } of result.supporters) {
      this.#ledger.unpay(tx, result.callIndex, node, feeGwei, height, out);
    }
    if (!isOptimistic(slot)) return;
    // It was free in the meantime, and may be taken elsewhere: then less of it is left to lose.
    slot.bondGwei = Math.min(result.bondGwei, this.#bonds.freeGwei(result.node));
    if (slot.bondGwei > 0) this.#bonds.lock(result.node, slot.bondGwei);
  }

  // ── challenges ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** False when there is nothing to challenge: unknown, in another mode, settled, or challenged before. */
  challenge(hash: string, callIndex: number, nowUs: number, out: Commands): boolean {
    const tx = this.#pool.byHash(hash);
    const slot = tx?.calls[callIndex];
    if (tx === undefined || slot === undefined || tx.sealedHeight === NEVER) return false;
    if (!isOptimistic(slot) || slot.settled || slot.challenged) return false;
    slot.challenged = true;
    this.#counters.challenges++;
    this.#ask({ tx, callIndex, race: NONE, answers: [] }, nowUs, out);
    return true;
  }

  #ask(challenge: Challenge, nowUs: number, out: Commands): void {
    const { tx, callIndex, answers } = challenge;
    const slot = tx.calls[callIndex] as CallSlot;
    const { terms: call } = slot;
    const served = this.#races.fleet.class(call.model, call.mode);
    // A class is kept while there are races in it, not while there are results of it.
    if (served === undefined) return this.#giveUp(challenge, nowUs, out);
    const excluded = [slot.operator, ...answers.map(({ operator }) => operator)];
    const fields = {
      tx,
      callIndex,
      call,
      capGwei: NEVER,
      served,
      deadlineUs: NEVER,
      targetUs: NEVER,
      firstBlockUs: NEVER,
    };
    const race = this.#races.challenge(fields, { excluded, label: slot.label }, nowUs, out);
    challenge.race = race.id;
    slot.challenge = race.id;
    this.#challenges.set(race.id, challenge);
  }

  answered(race: Race, copy: Copy, nowUs: number, out: Commands): void {
    const challenge = this.#challenges.get(race.id);
    if (challenge === undefined) return;
    this.#challenges.delete(race.id);
    const { tx, callIndex, answers } = challenge;
    const result = tx.calls[callIndex]?.result as CallResult;
    answers.push({ support: supportOf(copy), operator: copy.operator, bondGwei: copy.bondGwei });
    const [first, second] = answers.map(({ support }) => support.outputHash);
    if (first === result.outputHash) this.#end(challenge, "upheld", "", 0, nowUs, out);
    else if (second === undefined) this.#ask(challenge, nowUs, out);
    else if (second === result.outputHash) this.#dissented(challenge, nowUs, out);
    else if (second === first) this.#overturn(challenge, nowUs, out);
    else this.#giveUp(challenge, nowUs, out);
  }

  /** Both others agree against the winner. */
  #overturn(challenge: Challenge, nowUs: number, out: Commands): void {
    const { tx, callIndex, answers } = challenge;
    const slot = tx.calls[callIndex] as CallSlot;
    const { node } = slot.result as CallResult;
    const forfeitedGwei = this.#forfeit(
      { node, bondGwei: slot.bondGwei, tx, callIndex, rewarded: answers.map(({ support }) => support) },
      nowUs,
      out,
    );
    slot.bondGwei = 0;
    this.#counters.overturned++;
    this.#refund(tx, slot, out);
    this.#end(challenge, "overturned", "", forfeitedGwei, nowUs, out);
  }

  /** The second one agrees with the winner against the first. */
  #dissented(challenge: Challenge, nowUs: number, out: Commands): void {
    const { tx, callIndex, answers } = challenge;
    const [dissenter, arbiter] = answers;
    if (dissenter === undefined || arbiter === undefined) return;
    const { node } = dissenter.support;
    const forfeitedGwei = this.#forfeit(
      { node, bondGwei: dissenter.bondGwei, tx, callIndex, rewarded: [arbiter.support] },
      nowUs,
      out,
    );
    answers[0] = { ...dissenter, bondGwei: 0 };
    this.#end(challenge, "upheld", node, forfeitedGwei, nowUs, out);
  }

  /** Nobody answered in time, or nobody agrees with anybody. */
  #giveUp(challenge: Challenge, nowUs: number, out: Commands): void {
    const { tx, callIndex, answers } = challenge;
    const slot = tx.calls[callIndex] as CallSlot;
    this.releaseBond(slot, nowUs, out);
    if (answers.length > 0) this.#refund(tx, slot, out);
    this.#end(challenge, "open", "", 0, nowUs, out);
  }

  #forfeit(
    loss: { node: string; bondGwei: number; tx: PendingTransaction; callIndex: number; rewarded: readonly Support[] },
    nowUs: number,
    out: Commands,
  ): number {
    const { node, tx, callIndex, rewarded } = loss;
    const height = tx.sealedHeight;
    const forfeitedGwei = this.#bonds.forfeit(node, loss.bondGwei);
    this.#ledger.forfeit(tx, callIndex, node, forfeitedGwei, height, out);
    let leftGwei = forfeitedGwei;
    for (const { node: challenger, feeGwei } of rewarded) {
      const rewardGwei = Math.min(
        feeGwei * this.#config.rewardPerFee,
        Math.floor(forfeitedGwei / (2 * rewarded.length)),
      );
      this.#ledger.reward(tx, callIndex, challenger, rewardGwei, height, out);
      leftGwei -= rewardGwei;
    }
    this.#ledger.compensate(tx, callIndex, leftGwei, height, out);
    const liar = this.#races.fleet.node(node);
    if (liar !== undefined) this.#races.fleet.quarantine(liar, nowUs, "overturned", out);
    return forfeitedGwei;
  }

  /** The sender gets back the fee; what the transaction did with the answer stays done. */
  #refund(tx: PendingTransaction, slot: CallSlot, out: Commands): void {
    // Before the commit all of the escrow is held, and the commit would give back this fee with the rest.
    this.#ledger.refund(
      tx,
      feesOf(slot.result as CallResult),
      (slot.result as CallResult).callIndex,
      tx.sealedHeight,
      out,
    );
    slot.capGwei = 0;
    slot.settled = true;
  }

  #end(
    challenge: Challenge,
    verdict: ChallengeOutcome["verdict"],
    dissenter: string,
    forfeitedGwei: number,
    nowUs: number,
    out: Commands,
  ): void {
    const { tx, callIndex, answers } = challenge;
    const slot = tx.calls[callIndex] as CallSlot;
    const { node, outputHash } = slot.result as CallResult;
    if (this.#challenges.delete(challenge.race)) this.#races.close(challenge.race, nowUs, out);
    slot.challenge = NONE;
    for (const { support, bondGwei } of answers) {
      if (bondGwei > 0) this.#release(support.node, bondGwei, nowUs, out);
    }
    const named = answers.map(({ support }) => support);
    const about = { txHash: tx.hash, callIndex, node, outputHash };
    out.challengeEnded({ ...about, verdict, dissenter, forfeitedGwei, height: tx.sealedHeight, answers: named });
  }

  // ── restart ──────────────────────────────────────────────────────────────────────────────────────────────────────

  snapshot() {
    return [...this.#challenges.values()].map(({ tx, callIndex, race, answers }) => ({
      tx: tx.id,
      callIndex,
      race,
      answers: [...answers],
    }));
  }

  restore(snapshot: SettlementSnapshot): void {
    for (const { tx: id, answers, ...rest } of snapshot) {
      const tx = this.#pool.transactions.get(id);
      if (tx !== undefined) this.#challenges.set(rest.race, { ...rest, tx, answers: [...answers] });
    }
  }
}

export type SettlementSnapshot = ReturnType<Settlement["snapshot"]>;

function isOptimistic({ result }: CallSlot): boolean {
  return result?.mode === "optimistic";
}

/** What the decision costs: the winner's fee and those of the answers that it took besides. */
export function feesOf(result: CallResult): number {
  let feesGwei = result.feeGwei;
  for (const { feeGwei } of result.supporters) feesGwei += feeGwei;
  return feesGwei;
}
