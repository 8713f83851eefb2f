import type { BudgetBucket } from "../../policies/work-budget.ts";
import type { Mode } from "../shared/vocabulary.ts";
import type { Commands } from "./commands.ts";

/** Time constants of the two means: what a person calls now, and what an operator calls usual. */
const RECENT_US = 5_000_000;
const USUAL_US = 600_000_000;
/** So much can one answer move them, however long nothing was heard before it. */
const RECENT_STEP = 1 / 4;
const USUAL_STEP = 1 / 16;
/** Before so many answers nothing is usual. */
const ENOUGH_ANSWERS = 32;
/** A brown-out begins at twice the usual, and is over well below that: so it does not flicker. */
const BEGINS_AT = 2;
const ENDS_AT = 1.5;
/** A bucket that stays empty denies with every look; one alarm in so long, with the count, says as much. */
const ALARM_PAUSE_US = 10_000_000;

interface Denials {
  /** Not yet told. */
  count: number;
  quietUntilUs: number;
}

/**
 * What is denied to one (model, mode), and whether it has slowed down: so that operators hear why speculation shrinks, once
 * and not with each copy. The engine decides nothing by it.
 */
export class Strain {
  #answers = 0;
  #lastUs = 0;
  #recentUs = 0;
  #usualUs = 0;
  #brownedOut = false;
  readonly #denials = new Map<BudgetBucket, Denials>();

  /** What accepted copies took in the last minutes, in microseconds; 0 when nothing is known. */
  get usualUs(): number {
    return this.#usualUs;
  }

  /** A copy's answer was accepted, this long after its launch. */
  answered(served: Named, durationUs: number, nowUs: number, out: Commands): void {
    const passedUs = Math.max(0, nowUs - this.#lastUs);
    this.#lastUs = nowUs;
    // Exponentially decaying means for answers at any times; the first ones count alike, since none of them is usual yet.
    const first = 1 / ++this.#answers;
    this.#recentUs += weight(first, passedUs, RECENT_US, RECENT_STEP) * (durationUs - this.#recentUs);
    this.#usualUs += weight(first, passedUs, USUAL_US, USUAL_STEP) * (durationUs - this.#usualUs);
    if (this.#brownedOut && this.#recentUs < ENDS_AT * this.#usualUs) {
      this.#brownedOut = false;
      this.#tell(served, "over", out);
    }
    if (this.#denials.size > 0) for (const bucket of this.#denials.keys()) this.#complain(served, bucket, nowUs, out);
  }

  /** A speculative copy was wanted, and this bucket had too little. */
  denied(served: Named, bucket: BudgetBucket, nowUs: number, out: Commands): void {
    let denials = this.#denials.get(bucket);
    if (denials === undefined) {
      denials = { count: 0, quietUntilUs: 0 };
      this.#denials.set(bucket, denials);
    }
    denials.count++;
    this.#complain(served, bucket, nowUs, out);
    const slow = this.#answers >= ENOUGH_ANSWERS && this.#recentUs > BEGINS_AT * this.#usualUs;
    if (!slow || this.#brownedOut) return;
    this.#brownedOut = true;
    this.#tell(served, "begun", out);
  }

  #complain({ model, mode }: Named, bucket: BudgetBucket, nowUs: number, out: Commands): void {
    const denials = this.#denials.get(bucket);
    if (denials === undefined || nowUs < denials.quietUntilUs) return;
    const { count } = denials;
    if (count === 0) {
      this.#denials.delete(bucket);
      return;
    }
    denials.count = 0;
    denials.quietUntilUs = nowUs + ALARM_PAUSE_US;
    out.alarm({ kind: "budget-exhausted", model, mode, bucket, denials: count });
  }

  #tell({ model, mode }: Named, state: "begun" | "over", out: Commands): void {
    const [recentMs, usualMs] = [this.#recentUs, this.#usualUs].map((us) => Math.round(us / 1_000)) as [number, number];
    out.alarm({ kind: "brown-out", model, mode, state, recentMs, usualMs });
  }

  snapshot() {
    return {
      answers: this.#answers,
      lastUs: this.#lastUs,
      recentUs: this.#recentUs,
      usualUs: this.#usualUs,
      brownedOut: this.#brownedOut,
      denials: [...this.#denials].map(([bucket, denials]) => ({ bucket, ...denials })),
    };
  }

  restore(snapshot: StrainSnapshot): void {
    this.#answers = snapshot.answers;
    this.#lastUs = snapshot.lastUs;
    this.#recentUs = snapshot.recentUs;
    this.#usualUs = snapshot.usualUs;
    this.#brownedOut = snapshot.brownedOut;
    for (const { bucket, ...denials } of snapshot.denials) this.#denials.set(bucket, denials);
  }
}

export type StrainSnapshot = ReturnType<Strain["snapshot"]>;

interface Named {
  readonly model: string;
  readonly mode: Mode;
}

/** Of a new answer: as of all so far while they are few, then by the time that has passed, within limits. */
function weight(first: number, passedUs: number, constantUs: number, most: number): number {
  return Math.max(first, Math.min(most, passedUs / (constantUs + passedUs)));
}
