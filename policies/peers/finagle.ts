import { NEVER } from "../../scheduler/shared/vocabulary.ts";
import type { CopyEnd, PlainData, PolicyMemory } from "../memory.ts";
import type { Policy, RacePicture } from "../policy.ts";
import { HdrWindow, type HdrWindowSnapshot } from "./hdr-window.ts";
import { duplicates, lookAt, memoryOf, replacements, waitingSinceUs } from "./reading.ts";
import { RetryBudget, type RetryBudgetSnapshot } from "./retry-budget.ts";
import { Thresholds } from "./thresholds.ts";

export interface FinagleSpec {
  readonly kind: "finagle";
  /** Backups per request: they are sent at the (1 − maxExtraLoad) quantile of latency. */
  readonly maxExtraLoad: number;
  /** Latencies above count as this one, and from a threshold as high on there are no backups. */
  readonly highestTrackableMs: number;
  readonly minSendBackupAfterMs: number;
  /** Of the budget: after so long a request no longer entitles to backups. */
  readonly ttlMs: number;
  /** Of the budget: backups per second that are allowed in any case. */
  readonly minRetriesPerSec: number;
}

/**
 * Finagle's `BackupRequestFilter`, with interrupts: one backup when a copy has run for as long as the threshold that held when
 * it was launched, if the budget has room for it in that moment.
 */
export function finagle(spec: FinagleSpec): Policy {
  return {
    spec,
    decide(race, { nowUs }, decision) {
      decision.launch = replacements(race);
      decision.lookAtUs = NEVER;
      if (duplicates(race) > 0) return;
      const memory = memoryOf(race, BackupFilter);
      const sinceUs = waitingSinceUs(race, nowUs);
      const afterMs = memory.backupAfterMs(sinceUs);
      if (afterMs === undefined || afterMs >= spec.highestTrackableMs) return;
      const dueUs = sinceUs + afterMs * 1_000;
      if (nowUs < dueUs) decision.lookAtUs = lookAt(dueUs, nowUs);
      else if (memory.allowsBackup(nowUs)) decision.launch++;
    },
    remember: (snapshot) => new BackupFilter(spec, snapshot),
  };
}

const INTERVALS = 3;
const INTERVAL_US = 10_000_000;
const REFRESH_US = 3_000_000;
/** After so long both rhythms begin anew together. */
const CYCLE_US = 30_000_000;

interface FilterSnapshot {
  readonly nextFlushUs: number;
  readonly nextRefreshUs: number;
  readonly window: HdrWindowSnapshot;
  readonly budget: RetryBudgetSnapshot;
  readonly thresholds: readonly (readonly [number, number])[];
}

/** Three intervals of 10 s, a threshold that is read from them every 3 s, and the budget. */
class BackupFilter implements PolicyMemory {
  readonly #spec: FinagleSpec;
  readonly #window: HdrWindow;
  readonly #budget: RetryBudget;
  readonly #thresholds: Thresholds;
  #nextFlushUs: number;
  #nextRefreshUs: number;

  constructor(spec: FinagleSpec, snapshot?: PlainData) {
    const { maxExtraLoad: share, minRetriesPerSec: minPerS, ttlMs, highestTrackableMs: highest } = spec;
    const before = snapshot as FilterSnapshot | undefined;
    this.#spec = spec;
    this.#window = new HdrWindow({ intervals: INTERVALS, highest }, before?.window);
    this.#budget = new RetryBudget({ share, minPerS, ttlMs }, before?.budget);
    this.#thresholds = new Thresholds(before?.thresholds);
    this.#nextFlushUs = before?.nextFlushUs ?? NEVER;
    this.#nextRefreshUs = before?.nextRefreshUs ?? NEVER;
  }

  /** What held at that time; `undefined` before the filter has read its window for the first time. */
  backupAfterMs(us: number): number | undefined {
    return this.#thresholds.at(us);
  }

  allowsBackup(nowUs: number): boolean {
    return this.#budget.balance(nowUs) > 0;
  }

  opened(_race: RacePicture, nowUs: number): void {
    this.#advance(nowUs);
    this.#budget.deposit(nowUs);
  }

  launched({ speculative }: { readonly speculative: boolean }, nowUs: number): void {
    this.#advance(nowUs);
    if (speculative) this.#budget.withdraw(nowUs);
  }

  /** Successes, timeouts, and what it interrupted itself; other failures are fast and would pull the threshold down. */
  ended({ outcome, launchedUs, endedUs }: CopyEnd, nowUs: number): void {
    this.#advance(nowUs);
    if (outcome === "accepted" || outcome === "cancelled" || outcome === "silent") {
      this.#window.add(Math.max(0, Math.floor((endedUs - launchedUs) / 1_000)));
    }
  }

  decided(): void {}

  /** Flushes and refreshes that have become due, in their order; a flush comes before a refresh in the same moment. */
  #advance(nowUs: number): void {
    if (this.#nextFlushUs === NEVER) {
      this.#nextFlushUs = nowUs + INTERVAL_US;
      this.#nextRefreshUs = nowUs + REFRESH_US;
    }
    while (this.#nextFlushUs <= nowUs || this.#nextRefreshUs <= nowUs) {
      if (this.#nextRefreshUs < this.#nextFlushUs) this.#refresh();
      else {
        this.#window.flush();
        this.#nextFlushUs += INTERVAL_US;
        // After a cycle without anything all intervals are empty, and further ones change nothing.
        const idle = Math.floor((nowUs - this.#nextFlushUs) / CYCLE_US) - 2;
        if (idle > 0 && this.#window.isEmpty) this.#skip(idle * CYCLE_US);
      }
    }
  }

  #refresh(): void {
    const { maxExtraLoad, minSendBackupAfterMs } = this.#spec;
    const afterMs = Math.max(minSendBackupAfterMs, this.#window.quantile(1 - maxExtraLoad));
    this.#thresholds.set(this.#nextRefreshUs, afterMs);
    this.#nextRefreshUs += REFRESH_US;
  }

  #skip(us: number): void {
    this.#nextFlushUs += us;
    this.#nextRefreshUs += us;
  }

  snapshot(): PlainData {
    return {
      nextFlushUs: this.#nextFlushUs,
      nextRefreshUs: this.#nextRefreshUs,
      window: this.#window.snapshot(),
      budget: this.#budget.snapshot(),
      thresholds: this.#thresholds.snapshot(),
    };
  }
}
