import type { Books, CopyRecord } from "./books.ts";
import type { Agreement, Checker, Report } from "./checker.ts";

/**
 * P6: at every step, the elapsed machine-time of all speculative copies is at most burst + ratio × that of all primary ones.
 * A copy's time runs from its launch to its answer, failure or cancel, and never beyond its lease.
 */
export function workBudget(books: Books, agreement: Agreement, report: Report): Checker {
  const { budget } = agreement;
  /** Copies whose time was still running when last looked at; the others' time is summed up. */
  let open: CopyRecord[] = [];
  let primaryUs = 0;
  let speculativeUs = 0;

  function elapsedUs(copy: CopyRecord): number {
    return Math.max(0, Math.min(copy.endedUs ?? books.nowUs, books.nowUs, copy.leaseUs) - copy.launchedUs);
  }

  return {
    promise: "P6",
    command(command) {
      if (command.kind !== "dispatch") return;
      const copy = books.copies.get(command.copy.id);
      if (copy !== undefined && copy.launchedUs === books.nowUs && !open.includes(copy)) open.push(copy);
    },
    stepped() {
      if (budget === undefined) return;
      let openPrimaryUs = 0;
      let openSpeculativeUs = 0;
      const still: CopyRecord[] = [];
      for (const copy of open) {
        const us = elapsedUs(copy);
        const ended = copy.endedUs !== undefined || books.nowUs >= copy.leaseUs;
        if (!ended) {
          still.push(copy);
          if (copy.speculative) openSpeculativeUs += us;
          else openPrimaryUs += us;
        } else if (copy.speculative) speculativeUs += us;
        else primaryUs += us;
      }
      open = still;
      const allowedUs = budget.burstUs + budget.ratio * (primaryUs + openPrimaryUs);
      const usedUs = speculativeUs + openSpeculativeUs;
      if (usedUs > allowedUs) report(`${usedUs} µs of speculative work, ${Math.floor(allowedUs)} µs allowed`);
    },
  };
}
