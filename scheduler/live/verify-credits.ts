import { assert } from "../shared/assert.ts";

/** Times are microseconds of verification. */
export interface CreditTerms {
  /** What a node has that was never wrong, and the most that one can have. */
  readonly fullUs: number;
  /** What a node gets back per second whatever it does. */
  readonly refillUsPerSecond: number;
  /** No node owes more than that, so that each comes back after a bounded time. */
  readonly maxDebtUs: number;
  /** Nodes whose credit is not full, of which more are not remembered. */
  readonly maxRemembered: number;
}

/**
 * Verification time that each node may still use up. A check costs its node credit; a proof that turns out valid gets it back,
 * so that honest nodes never feel it, while whoever sends junk runs out. Only nodes that lack something are remembered: the
 * limit forgets the one that was charged the longest ago, which has got most back.
 */
export class Credits {
  readonly #terms: CreditTerms;
  readonly #nowUs: () => number;
  /** What each node had at a time; in the order of their last charges. A node that is not here has full credit. */
  readonly #balances = new Map<string, { readonly us: number; readonly atUs: number }>();

  constructor(terms: CreditTerms, nowUs: () => number) {
    assert(terms.fullUs > 0 && terms.refillUsPerSecond > 0 && terms.maxRemembered > 0, "credit terms are positive");
    this.#terms = terms;
    this.#nowUs = nowUs;
  }

  /** Nodes remembered. */
  get size(): number {
    return this.#balances.size;
  }

  /** Negative for a node in debt. */
  balanceUs(node: string): number {
    const known = this.#balances.get(node);
    const { fullUs, refillUsPerSecond } = this.#terms;
    if (known === undefined) return fullUs;
    return Math.min(fullUs, known.us + ((this.#nowUs() - known.atUs) * refillUsPerSecond) / 1e6);
  }

  has(node: string): boolean {
    return this.balanceUs(node) > 0;
  }

  /** Takes credit, or with a negative cost gives it back. */
  charge(node: string, costUs: number): void {
    const { fullUs, maxDebtUs, maxRemembered } = this.#terms;
    const us = Math.max(-maxDebtUs, this.balanceUs(node) - costUs);
    this.#balances.delete(node);
    if (us >= fullUs) return;
    this.#balances.set(node, { us, atUs: this.#nowUs() });
    if (this.#balances.size > maxRemembered) for (const oldest of this.#balances.keys()) return this.#forget(oldest);
  }

  #forget(node: string): void {
    this.#balances.delete(node);
  }
}
