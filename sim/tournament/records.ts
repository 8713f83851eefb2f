import { join } from "node:path";
import type { LeafSpec } from "../../policies/policy.ts";
import { KeptLines } from "../experiment/kept-lines.ts";
import type { Because } from "../tune/race.ts";

/** Figures of one setting, replication by replication. Those with blocks are of fewer and smaller replications. */
export interface Figures {
  readonly onTime: readonly number[];
  readonly workMs: readonly number[];
  readonly p999Ms: readonly number[];
  /** Blocks after the first possible one; what never came counts as its whole time to live. Empty: not measured. */
  readonly blocksLate: readonly number[];
}

/** One setting of a contender, measured. */
export interface MeasuredSetting {
  readonly name: "documented" | "tuned";
  /** `null` of the clairvoyant, who has none. */
  readonly policy: LeafSpec | null;
  /** `endless`: the fleet never recovers under it. */
  readonly figures: Figures | "endless";
}

/** How the tuned setting was found. */
export interface SearchRecord {
  readonly tried: number;
  /** Replications of all candidates together. */
  readonly replications: number;
  readonly dropped: { readonly [B in Because]?: number };
}

/** A contender: a kind of policy, or one of the two that all are held against. */
export type ContenderName = LeafSpec["kind"] | "single copy" | "clairvoyant";

/** One line of `tournament.jsonl`: one contender at one workload and load. */
export interface ContenderRecord {
  readonly key: string;
  readonly workload: string;
  /** `null` where nothing queues. */
  readonly load: number | null;
  readonly contender: ContenderName;
  readonly settings: readonly MeasuredSetting[];
  /** `null` without a search. */
  readonly search: SearchRecord | null;
}

const RECORDS_FILE = "tournament.jsonl";

/** What was measured, in a directory. */
export function recordsIn(directory: string): KeptLines<ContenderRecord> {
  return new KeptLines(join(directory, RECORDS_FILE), isContender, "result of a tournament");
}

function isContender(value: unknown): value is ContenderRecord {
  const record = value as Partial<ContenderRecord> | null | undefined;
  return typeof record?.key === "string" && typeof record.contender === "string" && Array.isArray(record.settings);
}
