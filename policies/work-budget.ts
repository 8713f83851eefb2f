import { assert } from "../scheduler/shared/assert.ts";
import { type BucketSpec, problemOfBucket, TokenBuckets, type TokenBucketsSnapshot } from "./token-buckets.ts";

/**
 * What speculative copies may cost, in machine-time. In any interval, speculative work ≤ `burstMs` + `ratio` × the primary
 * work that ended in it (P6): of all, and where that is asked for, of each (model, mode) and of each sender by itself.
 */
export type BudgetSpec =
  | "unlimited"
  | (BucketSpec & { readonly perClass?: BucketSpec; readonly perSender?: BucketSpec });

/** Which bucket had too little. `crowded`: too many classes or senders owe something for another one to be given a bucket. */
export type BudgetBucket = "global" | "class" | "sender" | "crowded";

/** The buckets that a copy was granted by, as a sum of these: at its end it gives back to the same ones. */
const GLOBAL = 1;
const CLASS = 2;
const SENDER = 4;
/** Where nothing is limited, a copy holds nothing. */
export const NO_GRANT = 0;
export const DENIED = -1;

/** There is one global bucket. */
const ALL = "";

/**
 * The machine-time that speculative copies may use. A copy reserves the length of its lease before it starts, in every bucket
 * that it is asked of or in none, and gives back what it did not use; so the bound holds also when every copy runs to the end
 * of its lease. Buckets are named by (model, mode) and by sender. Times are integer microseconds.
 */
export class WorkBudget {
  #spec: BudgetSpec = "unlimited";
  readonly #global = new TokenBuckets(ALL);
  readonly #classes = new TokenBuckets();
  readonly #senders = new TokenBuckets();

  /** Throws a RangeError for what is no budget. */
  constructor(spec: BudgetSpec) {
    this.change(spec);
  }

  get spec(): BudgetSpec {
    return this.#spec;
  }

  get unlimited(): boolean {
    return this.#spec === "unlimited";
  }

  /** Another budget is in force from now on: levels are kept, but for what no longer fits in. */
  change(spec: BudgetSpec): void {
    const problem = problemOfBudget(spec);
    if (problem !== undefined) throw new RangeError(`${JSON.stringify(spec)} is no budget: ${problem}`);
    this.#spec = spec;
    const limited = spec === "unlimited" ? undefined : spec;
    this.#global.resize(limited);
    this.#classes.resize(limited?.perClass);
    this.#senders.resize(limited?.perSender);
  }

  /** What may still be reserved of the whole. */
  get globalUs(): number {
    return this.#global.availableUs(ALL);
  }

  /** What a copy of this class and sender may still reserve: the least of what its buckets hold. */
  availableUs(served: string, sender: string): number {
    if (this.unlimited) return Number.MAX_SAFE_INTEGER;
    let us = this.#global.availableUs(ALL);
    if (this.#classes.inForce) us = Math.min(us, this.#classes.availableUs(served));
    if (this.#senders.inForce) us = Math.min(us, this.#senders.availableUs(sender));
    return us;
  }

  /** The bucket that has the least for a copy of this class and sender; of several the widest. */
  tightest(served: string, sender: string): BudgetBucket {
    const us = this.availableUs(served, sender);
    if (this.#global.availableUs(ALL) <= us) return "global";
    if (this.#classes.crowded(served) || this.#senders.crowded(sender)) return "crowded";
    return this.#classes.availableUs(served) <= us ? "class" : "sender";
  }

  /** What granted it, to be given to `settle`; `DENIED` when some bucket could not: then nothing is reserved. */
  reserve(us: number, served: string, sender: string): number {
    if (this.unlimited) return NO_GRANT;
    if (us > this.availableUs(served, sender)) return DENIED;
    let grant = GLOBAL;
    this.#global.take(ALL, us);
    if (this.#classes.inForce) {
      this.#classes.take(served, us);
      grant += CLASS;
    }
    if (this.#senders.inForce) {
      this.#senders.take(sender, us);
      grant += SENDER;
    }
    return grant;
  }

  /** A speculative copy ended: its reservation is replaced by what it used. */
  settle(grant: number, copy: Reservation): void {
    if (grant === NO_GRANT) return;
    const { reservedUs, usedUs, served, sender } = copy;
    assert(usedUs <= reservedUs, "a speculative copy outlived its reservation");
    this.#global.settle(ALL, reservedUs, usedUs);
    if ((grant & CLASS) !== 0) this.#classes.settle(served, reservedUs, usedUs);
    if ((grant & SENDER) !== 0) this.#senders.settle(sender, reservedUs, usedUs);
  }

  /** A primary copy ended after this much machine-time. */
  earn(primaryUs: number, served: string, sender: string): void {
    if (this.unlimited) return;
    this.#global.earn(ALL, primaryUs);
    if (this.#classes.inForce) this.#classes.earn(served, primaryUs);
    if (this.#senders.inForce) this.#senders.earn(sender, primaryUs);
  }

  snapshot(): WorkBudgetSnapshot {
    return {
      spec: this.#spec,
      global: this.#global.snapshot(),
      classes: this.#classes.snapshot(),
      senders: this.#senders.snapshot(),
    };
  }

  restore(snapshot: WorkBudgetSnapshot): void {
    this.change(snapshot.spec);
    this.#global.restore(snapshot.global);
    this.#classes.restore(snapshot.classes);
    this.#senders.restore(snapshot.senders);
  }
}

interface Reservation {
  readonly reservedUs: number;
  readonly usedUs: number;
  readonly served: string;
  readonly sender: string;
}

export interface WorkBudgetSnapshot {
  readonly spec: BudgetSpec;
  readonly global: TokenBucketsSnapshot;
  readonly classes: TokenBucketsSnapshot;
  readonly senders: TokenBucketsSnapshot;
}

/** What is wrong with it, for a person to read; `undefined` when nothing is. */
export function problemOfBudget(spec: BudgetSpec): string | undefined {
  if (spec === "unlimited") return undefined;
  const { perClass, perSender } = spec;
  const problem = problemOfBucket(spec);
  if (problem !== undefined) return problem;
  const ofClass = perClass === undefined ? undefined : problemOfBucket(perClass);
  if (ofClass !== undefined) return `perClass: ${ofClass}`;
  const ofSender = perSender === undefined ? undefined : problemOfBucket(perSender);
  return ofSender === undefined ? undefined : `perSender: ${ofSender}`;
}
