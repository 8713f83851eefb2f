import type { CopyOutcome } from "../../policies/memory.ts";
import type { WorkBudget } from "../../policies/work-budget.ts";
import type { Bonds } from "../../mempool/bonds.ts";
import type { Slab } from "../shared/slab.ts";
import { advance } from "../shared/transitions.ts";
import { COPY_STATES, type CopyEvent } from "./copy-states.ts";
import { learnFrom } from "./lessons.ts";
import type { Counters } from "./counters.ts";
import type { Copy } from "./race.ts";

/** What the end of a copy means to its node, to the budget, to the statistics, and to the bond that it holds. */
export class CopyBooks {
  readonly #copies: Slab<Copy>;
  readonly #counters: Counters;
  readonly #budget: WorkBudget;
  readonly #bonds: Bonds | undefined;

  constructor(parts: { copies: Slab<Copy>; counters: Counters; budget: WorkBudget; bonds: Bonds | undefined }) {
    this.#copies = parts.copies;
    this.#counters = parts.counters;
    this.#budget = parts.budget;
    this.#bonds = parts.bonds;
  }

  /** It answered: off its node; what it cost is known. */
  settleWork(copy: Copy, nowUs: number): void {
    copy.node.release(copy, nowUs);
    // However late we look, the node stopped by itself when the lease ended.
    const workUs = Math.min(nowUs, copy.leaseUs) - copy.launchedUs;
    this.#counters.workUs += workUs;
    const { served, tx } = copy.race;
    if (copy.speculative) {
      this.#counters.speculativeWorkUs += workUs;
      const { grant, reservedUs } = copy;
      this.#budget.settle(grant, { reservedUs, usedUs: workUs, served: served.name, sender: tx.sender });
    } else this.#budget.earn(workUs, served.name, tx.sender);
  }

  /** A copy is over: off its node, off the books, and its handle forgotten. A winner's bond stays with its result. */
  end(copy: Copy, event: CopyEvent, outcome: CopyOutcome, nowUs: number): void {
    const { race } = copy;
    const { memory } = race;
    copy.endedUs = nowUs;
    copy.outcome = outcome;
    if (memory !== undefined) {
      const { speculative, launchedUs } = copy;
      memory.ended({ outcome, speculative, launchedUs, endedUs: Math.min(nowUs, copy.answeredUs) }, nowUs);
    }
    remember(copy, event, nowUs);
    if (copy.executing) {
      this.settleWork(copy, nowUs);
      // Cut off while running: its duration is known to be longer than this (right-censored).
      if (event === "cancel" || event === "expire") race.served.times.censored(nowUs - copy.launchedUs);
    } else if (event === "outrun") race.served.times.censored(copy.answeredUs - copy.launchedUs);
    const { learning } = race.served;
    if (learning !== undefined) learnFrom(learning, copy, outcome, nowUs);
    // A held copy was accepted, and is not one of those that can still answer.
    if (copy.live) race.live--;
    copy.state = advance(COPY_STATES, copy.state, event);
    this.#copies.remove(copy);
    if (copy.state !== "won" && copy.bondGwei > 0) {
      this.#bonds?.release(copy.node.id, copy.bondGwei);
      copy.bondGwei = 0;
    }
  }
}

/** What its end says of its node's pace. Who failed says nothing: else failing at once would be fast. */
function remember(copy: Copy, event: CopyEvent, nowUs: number): void {
  const { usualUs } = copy.race.served.strain;
  if (usualUs === 0 || event === "fail" || event === "refuted") return;
  const { record, slots } = copy.node;
  const durationUs = Math.min(nowUs, copy.answeredUs) - copy.launchedUs;
  // Who registered again without slots is as who has one.
  const crowd = (copy.ahead + 1) / Math.max(1, slots);
  if (copy.executing) record.outlasted(durationUs / usualUs, crowd);
  else record.answered(durationUs / usualUs, crowd);
}
