import type { EngineEvent } from "../../scheduler/engine/events.ts";
import type { Books, CopyRecord } from "./books.ts";
import type { Agreement, Checker, Report } from "./checker.ts";

/** A bound on what may be owed: speculative machine-time beyond `ratio` × primary machine-time. */
export interface Bound {
  readonly burstUs: number;
  readonly ratio: number;
}

/** Of everything, of each (model, mode), and of each sender. */
export type AgreedBudget = Bound & { readonly perClass?: Bound; readonly perSender?: Bound };

/**
 * P6: in every interval that ends with a step, the machine-time of speculative copies within it is at most burst + ratio × that
 * of the primary copies that ended in it; of all copies, and where it was agreed, of each (model, mode) and of each sender. A
 * copy's time runs from its launch to its answer, failure or cancel, and never beyond its lease.
 *
 * No interval is looked at by itself. What the worst of all that end now comes to is `debt`: it grows by each microsecond of
 * speculative work, shrinks by what primary work pays, and never below nothing, where a new interval is as bad as any older one.
 */
export function workBudget(books: Books, agreement: Agreement, report: Report): Checker {
  let agreed = agreement.budget;
  /** The latest time that anybody was told: a clock that goes back stands still. */
  let clockUs = 0;
  const seen = new Set<number>();
  let open: Running[] = [];
  const all = new Debts("", agreed);
  const classes = new Debts(" for ", agreed?.perClass);
  const senders = new Debts(" of ", agreed?.perSender);
  const ledgers = [all, classes, senders] as const;

  /** Time goes on: every copy that had not ended ran until now, or to the end of its lease. */
  function accrue(): void {
    const beforeUs = clockUs;
    clockUs = Math.max(clockUs, books.nowUs);
    for (const { copy, names, excused } of open) {
      const ranUs = Math.min(clockUs, copy.leaseUs) - Math.max(beforeUs, copy.launchedUs);
      if (!copy.speculative || ranUs <= 0) continue;
      for (const [index, ledger] of ledgers.entries()) {
        if (excused[index] !== true) ledger.add(names[index] as string, ranUs);
      }
    }
    for (const ledger of ledgers) ledger.judge(report);
  }

  function pay({ copy, names }: Running): void {
    const ranUs = Math.max(0, Math.min(clockUs, copy.leaseUs) - copy.launchedUs);
    for (const [index, ledger] of ledgers.entries()) ledger.pay(names[index] as string, ranUs);
  }

  function change(budget: AgreedBudget | undefined): void {
    agreed = budget;
    const bounds = [budget, budget?.perClass, budget?.perSender];
    for (const [index, ledger] of ledgers.entries()) {
      // What was launched under another bound ends under it.
      if (ledger.change(bounds[index])) for (const running of open) running.excused[index] = true;
    }
  }

  return {
    promise: "P6",
    event(event) {
      accrue();
      const changed = budgetAfter(event, agreement.budget);
      if (changed !== "unchanged") change(changed);
    },
    command(command) {
      if (command.kind !== "dispatch" || seen.has(command.copy.id)) return;
      const copy = books.copies.get(command.copy.id);
      if (copy === undefined) return;
      seen.add(copy.id);
      const sender = books.transactions.get(copy.txHash)?.sender ?? "";
      open.push({ copy, names: ["", copy.queue, sender], excused: [] });
    },
    stepped() {
      const still: Running[] = [];
      for (const running of open) {
        if (running.copy.endedUs === undefined) still.push(running);
        else if (!running.copy.speculative) pay(running);
      }
      open = still;
    },
  };
}

interface Running {
  readonly copy: CopyRecord;
  /** Whose debts it counts for, in the order of the ledgers. */
  readonly names: readonly string[];
  /** It was launched under another bound. */
  readonly excused: boolean[];
}

/** Debts of the same kind, by name; who owes nothing is not in it. */
class Debts {
  readonly #of: string;
  readonly #owed = new Map<string, number>();
  readonly #grown = new Set<string>();
  #bound: Bound | undefined;

  constructor(of: string, bound: Bound | undefined) {
    this.#of = of;
    this.#bound = bound;
  }

  add(name: string, us: number): void {
    if (this.#bound === undefined) return;
    this.#owed.set(name, (this.#owed.get(name) ?? 0) + us);
    this.#grown.add(name);
  }

  pay(name: string, primaryUs: number): void {
    const owed = this.#owed.get(name);
    if (owed === undefined || this.#bound === undefined) return;
    const left = owed - this.#bound.ratio * primaryUs;
    if (left > 0) this.#owed.set(name, left);
    else this.#owed.delete(name);
  }

  judge(report: Report): void {
    for (const name of this.#grown) {
      const owed = this.#owed.get(name) ?? 0;
      const { burstUs = owed } = this.#bound ?? {};
      if (owed > burstUs) {
        report(`${owed} µs of speculative work${this.#of}${name} are not paid for, ${burstUs} µs may be`);
      }
    }
    this.#grown.clear();
  }

  /** Whether it is another bound. What may still be used stays the same, but for what is more than the new one allows. */
  change(bound: Bound | undefined): boolean {
    const before = this.#bound;
    if (before?.burstUs === bound?.burstUs && before?.ratio === bound?.ratio) return false;
    this.#bound = bound;
    if (before === undefined || bound === undefined) this.#owed.clear();
    else {
      for (const [name, owed] of this.#owed) {
        const left = owed + bound.burstUs - before.burstUs;
        if (left > 0) this.#owed.set(name, left);
        else this.#owed.delete(name);
      }
    }
    return true;
  }
}

/** What is agreed from this event on, in milliseconds where operators write it. */
function budgetAfter(event: EngineEvent, configured: AgreedBudget | undefined): AgreedBudget | undefined | "unchanged" {
  if (event.kind !== "policy-changed") return "unchanged";
  const budget = event.policy.kind === "rules" ? event.policy.budget : undefined;
  if (budget === undefined) return configured;
  return budget === "unlimited" ? undefined : agreedBudget(budget);
}

interface Written {
  readonly ratio: number;
  readonly burstMs: number;
}

/** A budget as it is written, in the microseconds of the stream. */
export function agreedBudget(
  written: Written & { readonly perClass?: Written; readonly perSender?: Written },
): AgreedBudget {
  const { perClass, perSender } = written;
  return {
    ...boundOf(written),
    ...(perClass === undefined ? {} : { perClass: boundOf(perClass) }),
    ...(perSender === undefined ? {} : { perSender: boundOf(perSender) }),
  };
}

function boundOf({ ratio, burstMs }: Written): Bound {
  return { ratio, burstUs: 1_000 * burstMs };
}
