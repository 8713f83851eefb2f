import type { Movement } from "../engine/commands.ts";
import { fileOf } from "./records-lines.ts";
import type { ChainEntry, Findings } from "./records-reader.ts";

const FILE = fileOf("ledger");

/** A payment that was not taken back. */
export interface Payment {
  readonly line: number;
  readonly account: string;
  readonly amountGwei: bigint;
  readonly height: number;
}

interface Escrow {
  readonly account: string;
  heldGwei: bigint;
}

/**
 * Recomputes the money from the movements alone (P5), at every line:
 *
 * 1. Σ escrowed = Σ paid + Σ refunded + Σ held, where held is summed over the transactions
 * 2. no deposit and no transaction's held amount is ever negative
 * 3. a job has at most one payment that was not taken back, and only such a payment is taken back
 */
export class LedgerAudit {
  readonly payments = new Map<string, Payment>();
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
    if ((movement.kind === "deposited") !== (movement.txHash === ""))
      return "names a transaction where none belongs, or none";
    switch (movement.kind) {
      case "deposited":
        return this.#deposit(movement.account, amountGwei);
      case "escrowed":
        return this.#escrow(movement, amountGwei);
      case "refunded":
        return this.#refund(movement, amountGwei);
      case "paid":
        return this.#pay(line, movement, amountGwei);
      case "unpaid":
        return this.#unpay(movement, amountGwei);
    }
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

  #refund({ account, txHash }: Movement, amountGwei: bigint): string | undefined {
    this.#refundedGwei += amountGwei;
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
    const earlier = this.payments.get(key);
    if (earlier !== undefined) return `pays a job for a second time: it was paid in line ${earlier.line}`;
    this.payments.set(key, { line, account, amountGwei, height });
    return callIndex < 0 ? "pays for no call" : problem;
  }

  #unpay({ account, txHash, callIndex }: Movement, amountGwei: bigint): string | undefined {
    const key = LedgerAudit.jobKey(txHash, callIndex);
    const payment = this.payments.get(key);
    this.#paidGwei -= amountGwei;
    this.#release(txHash, -amountGwei);
    this.payments.delete(key);
    if (payment === undefined) return "takes back a payment that was not made";
    if (payment.account !== account || payment.amountGwei !== amountGwei) {
      return `takes back another payment than the one of line ${payment.line}`;
    }
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
