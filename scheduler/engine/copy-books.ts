import type { Learning } from "../../policies/learning/learning.ts";
import type { CopyOutcome } from "../../policies/memory.ts";
import type { WorkBudget } from "../../policies/work-budget.ts";
import type { Bonds } from "../../mempool/bonds.ts";
import type { Slab } from "../shared/slab.ts";
import { advance } from "../shared/transitions.ts";
import { NEVER } from "../shared/vocabulary.ts";
import { COPY_STATES, type CopyEvent } from "./copy-states.ts";
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
    if (copy.speculative) {
      this.#counters.speculativeWorkUs += workUs;
      this.#budget.settle(copy.reservedUs, workUs);
    } else this.#budget.earn(workUs);
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

/** What the end of a copy says of durations, nodes, and whether nodes answer. */
function learnFrom(learning: Learning, copy: Copy, outcome: CopyOutcome, nowUs: number): void {
  const { node, race, startedUs, answeredUs } = copy;
  if (outcome === "cancelled") {
    if (startedUs !== NEVER) learning.cut(race.call, node.id, Math.min(nowUs, answeredUs) - startedUs);
  } else if (outcome !== "accepted" && outcome !== "refused") learning.silent(node.id);
}
