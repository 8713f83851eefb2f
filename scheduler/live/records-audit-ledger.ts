import type { Movement } from "../engine/commands.ts";
import { fileOf } from "./records-lines.ts";
import type { ChainEntry, Findings } from "./records-reader.ts";

const FILE = fileOf("ledger");

const OF_NO_TRANSACTION: ReadonlySet<Movement["kind"]> = new Set(["deposited", "bonded", "unbonded"]);

/** A payment that was not taken back. */
export interface Payment {
  readonly line: number;
  readonly account: string;
  readonly amountGwei: bigint;
  readonly height: number;
}

/** What was given back for one call, since its result did not hold. */
export interface Refund {
  readonly line: number;
  amountGwei: bigint;
}

/** A bond that was forfeited, and to whom it went. */
export interface Forfeit {
  readonly line: number;
  readonly node: string;
  readonly job: string;
  readonly height: number;
  readonly amountGwei: bigint;
  /** What is not given to anybody yet. */
  leftGwei: bigint;
  readonly rewarded: string[];
}

interface Escrow {
  readonly account: string;
  heldGwei: bigint;
}

/**
 * Recomputes the money from the movements alone (P5), at every line:
 *
 * 1. Σ escrowed = Σ paid + Σ refunded + Σ held, where held is summed over the transactions
 * 2. no deposit, no transaction's held amount and no node's bond is ever negative
 * 3. a node has at most one payment for a job that was not taken back, and only such a payment is taken back
 * 4. of each forfeited bond exactly as much is given to the sender and to challengers, before another is forfeited
 */
export class LedgerAudit {
  /** By job, then by node. */
  readonly payments = new Map<string, Map<string, Payment>>();
  /** By job: what was given back for one call of a transaction. */
  readonly refunds = new Map<string, Refund>();
  readonly forfeits: Forfeit[] = [];
  readonly #bonds = new Map<string, bigint>();
  readonly #findings: Findings;
  readonly #deposits = new Map<string, bigint>();
  readonly #escrows = new Map<string, Escrow>();
  #escrowedGwei = 0n;
  #paidGwei = 0n;
  #refundedGwei = 0n;
  #heldGwei = 0n;

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  /** Under which a call's payment stands in `payments`. */
  static jobKey(txHash: string, callIndex: number): string {
    return `${txHash}/${callIndex}`;
  }

  heldGwei(txHash: string): bigint {
    return this.#escrows.get(txHash)?.heldGwei ?? 0n;
  }

  add({ line, body }: ChainEntry<"ledger">): void {
    const amountGwei = BigInt(body.amountGwei);
    const problem = this.#apply(line, body, amountGwei);
    if (problem !== undefined) this.#findings.add(FILE, line, problem);
    if (this.#escrowedGwei !== this.#paidGwei + this.#refundedGwei + this.#heldGwei) {
      this.#findings.add(FILE, line, "escrowed is not paid + refunded + held");
    }
  }

  #apply(line: number, movement: Movement, amountGwei: bigint): string | undefined {
    if (OF_NO_TRANSACTION.has(movement.kind) !== (movement.txHash === ""))
      return "names a transaction where none belongs, or none";
    switch (movement.kind) {
      case "deposited":
        return this.#deposit(movement.account, amountGwei);
      case "escrowed":
        return this.#escrow(movement, amountGwei);
      case "refunded":
        return this.#refund(line, movement, amountGwei);
      case "paid":
        return this.#pay(line, movement, amountGwei);
      case "unpaid":
        return this.#unpay(movement, amountGwei);
      case "bonded":
        return this.#bond(movement.account, amountGwei);
      case "unbonded":
        return this.#bond(movement.account, -amountGwei);
      case "forfeited":
        return this.#forfeit(line, movement, amountGwei);
      case "rewarded":
      case "compensated":
        return this.#share(movement, amountGwei);
    }
  }

  /** After the last line. */
  finish(): void {
    const left = this.forfeits.find(({ leftGwei }) => leftGwei !== 0n);
    if (left !== undefined) this.#findings.add(FILE, left.line, "forfeits a bond of which not all went to somebody");
  }

  #bond(node: string, changeGwei: bigint): string | undefined {
    const bondGwei = (this.#bonds.get(node) ?? 0n) + changeGwei;
    this.#bonds.set(node, bondGwei);
    return bondGwei < 0n ? `the bond of ${node} becomes negative` : undefined;
  }

  #forfeit(line: number, { account, txHash, callIndex, height }: Movement, amountGwei: bigint): string | undefined {
    const open = this.forfeits.at(-1);
    const job = LedgerAudit.jobKey(txHash, callIndex);
    this.forfeits.push({ line, node: account, job, height, amountGwei, leftGwei: amountGwei, rewarded: [] });
    const problem = this.#bond(account, -amountGwei);
    if (open !== undefined && open.leftGwei !== 0n) return "forfeits a bond before the one before went to somebody";
    return problem;
  }

  /** A part of the bond that was forfeited last. */
  #share({ kind, account, txHash, callIndex }: Movement, amountGwei: bigint): string | undefined {
    const open = this.forfeits.at(-1);
    if (kind === "compensated") this.#deposit(account, amountGwei);
    if (open === undefined || open.job !== LedgerAudit.jobKey(txHash, callIndex) || open.leftGwei < amountGwei)
      return "gives away a bond that was not forfeited";
    open.leftGwei -= amountGwei;
    if (kind === "rewarded") open.rewarded.push(account);
    else if (this.#escrows.get(txHash)?.account !== account)
      return "compensates another account than the one that paid in";
    return undefined;
  }

  #deposit(account: string, amountGwei: bigint): string | undefined {
    const balance = (this.#deposits.get(account) ?? 0n) + amountGwei;
    this.#deposits.set(account, balance);
    return balance < 0n ? `the deposit of ${account} becomes negative` : undefined;
  }

  #escrow({ account, txHash }: Movement, amountGwei: bigint): string | undefined {
    if (this.heldGwei(txHash) !== 0n) return "escrows a transaction for a second time";
    this.#escrows.set(txHash, { account, heldGwei: amountGwei });
    this.#escrowedGwei += amountGwei;
    this.#heldGwei += amountGwei;
    return this.#deposit(account, -amountGwei);
  }

  #refund(line: number, { account, txHash, callIndex }: Movement, amountGwei: bigint): string | undefined {
    this.#refundedGwei += amountGwei;
    if (callIndex >= 0) {
      const job = LedgerAudit.jobKey(txHash, callIndex);
      this.refunds.set(job, { line, amountGwei: amountGwei + (this.refunds.get(job)?.amountGwei ?? 0n) });
    }
    const problem = this.#release(txHash, amountGwei);
    this.#deposit(account, amountGwei);
    if (problem !== undefined) return problem;
    return this.#escrows.get(txHash)?.account === account
      ? undefined
      : "refunds to another account than the one that paid in";
  }

  #pay(line: number, { account, txHash, callIndex, height }: Movement, amountGwei: bigint): string | undefined {
    this.#paidGwei += amountGwei;
    const problem = this.#release(txHash, amountGwei);
    const key = LedgerAudit.jobKey(txHash, callIndex);
    const payments = this.payments.get(key) ?? new Map<string, Payment>();
    const earlier = payments.get(account);
    if (earlier !== undefined) return `pays a job for a second time: it was paid in line ${earlier.line}`;
    payments.set(account, { line, account, amountGwei, height });
    this.payments.set(key, payments);
    return callIndex < 0 ? "pays for no call" : problem;
  }

  #unpay({ account, txHash, callIndex }: Movement, amountGwei: bigint): string | undefined {
    const key = LedgerAudit.jobKey(txHash, callIndex);
    const payments = this.payments.get(key);
    const payment = payments?.get(account);
    this.#paidGwei -= amountGwei;
    this.#release(txHash, -amountGwei);
    payments?.delete(account);
    if (payments?.size === 0) this.payments.delete(key);
    if (payment === undefined)
      return payments === undefined
        ? "takes back a payment that was not made"
        : "takes back another payment than one that was made";
    if (payment.amountGwei !== amountGwei) return `takes back another payment than the one of line ${payment.line}`;
    return undefined;
  }

  /** Takes an amount out of what is held for a transaction. */
  #release(txHash: string, amountGwei: bigint): string | undefined {
    const escrow = this.#escrows.get(txHash);
    if (escrow === undefined) {
      this.#heldGwei -= amountGwei;
      return "moves money of a transaction that escrowed nothing";
    }
    escrow.heldGwei -= amountGwei;
    this.#heldGwei -= amountGwei;
    return escrow.heldGwei < 0n ? "moves more than is held for the transaction" : undefined;
  }
}
