import type { LeafSpec } from "../../policies/policy.ts";
import type { Cell } from "./summary.ts";

/** What `pipe sim tournament --json` prints. */
export interface TournamentReport extends Found {
  /** Held against all others, at its documented setting. */
  readonly subject: LeafSpec["kind"];
  /** Share of jobs to be answered in time: what settings were tuned for. */
  readonly target: number;
  readonly seed: number;
  readonly replications: number;
  readonly jobs: number;
  /** Workloads that were not measured, and why. */
  readonly skipped: readonly { readonly workload: string; readonly because: string }[];
  /** Where the page is. */
  readonly page: string;
}

interface Found {
  readonly cells: readonly Cell[];
  /** Where peers at their tuned settings have both more jobs in time and less work than the subject. */
  readonly dominated: readonly Domination[];
}

export interface Domination {
  readonly workload: string;
  readonly load: number | null;
  readonly by: readonly { readonly contender: string; readonly policy: LeafSpec }[];
}

export function foundIn(cells: readonly Cell[]): Found {
  const dominated = cells.flatMap(({ workload, load, dominatedBy }) => {
    const by = (dominatedBy ?? []).flatMap(({ contender, policy }) => (policy === null ? [] : [{ contender, policy }]));
    return by.length === 0 ? [] : [{ workload, load, by }];
  });
  return { cells, dominated };
}
