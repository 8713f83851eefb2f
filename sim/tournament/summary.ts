import type { LeafSpec } from "../../policies/policy.ts";
import { estimate, studentQuantile } from "../experiment/statistics.ts";
import type { ContenderName, ContenderRecord, Figures, MeasuredSetting, SearchRecord } from "./records.ts";

/** A mean over replications with its 95 % interval; `null` where one replication is all there is. */
export interface Interval {
  readonly mean: number;
  readonly ci95: readonly [low: number, high: number] | null;
}

/** One setting of one contender at one workload and load. `null` where nothing was measured. */
export interface Row {
  readonly contender: ContenderName;
  readonly setting: "documented" | "tuned";
  readonly policy: LeafSpec | null;
  /** The fleet never recovers under it; there are no figures then. */
  readonly endless: boolean;
  readonly onTime: Interval | null;
  /** Milliseconds of machine-time per job. */
  readonly workMs: Interval | null;
  /** The same over that of a single copy. */
  readonly workRatio: Interval | null;
  readonly p999Ms: Interval | null;
  readonly blocksLate: Interval | null;
  /** (P − P of a single copy) / (P of the clairvoyant − P of a single copy); `null` where there is no gap to see. */
  readonly gapClosed: Interval | null;
  /** This less the subject, of the same replications. `null` for the subject itself. */
  readonly versus: Versus | null;
  readonly search: SearchRecord | null;
}

export interface Versus {
  readonly onTime: Interval;
  readonly workMs: Interval;
  readonly verdict: Verdict;
}

/** Of a row against the subject, by what both intervals allow to say. */
export type Verdict =
  /** More in time for less work. */
  | "dominates"
  /** Fewer in time for more work. */
  | "dominated"
  /** More in time, and more work or as much. */
  | "more in time"
  /** Less work, and fewer in time or as many. */
  | "less work"
  /** Fewer in time without less work, or more work without more in time. */
  | "worse"
  | "no difference seen";

/** All that compete at one workload and load. */
export interface Cell {
  readonly workload: string;
  readonly load: number | null;
  readonly rows: readonly Row[];
  /** Rows at their tuned settings that have both more in time and less work than the subject. `null` without a subject. */
  readonly dominatedBy: readonly Row[] | null;
}

/** What was measured, cell by cell in order; `subject` is the policy that is held against all others, as documented. */
export function cellsOf(records: readonly ContenderRecord[], subject: LeafSpec["kind"]): readonly Cell[] {
  const groups = Map.groupBy(records, ({ workload, load }) => `${workload} ${load}`);
  return [...groups.values()].map((group) => cellOf(group, subject));
}

function cellOf(records: readonly ContenderRecord[], subject: LeafSpec["kind"]): Cell {
  const { workload, load } = records[0] as ContenderRecord;
  const known = (name: ContenderName): Figures | undefined => {
    const figures = records.find(({ contender }) => contender === name)?.settings[0]?.figures;
    return figures === "endless" ? undefined : figures;
  };
  const measured = records.some(({ contender }) => contender === subject);
  const held = { single: known("single copy"), bound: known("clairvoyant"), subject: known(subject) };
  const rows = records.flatMap(({ contender, settings, search }) =>
    settings.map((one) => rowOf({ contender, search, one }, held, contender === subject && one === settings[0])),
  );
  const best = rows.filter(({ contender, setting }) => contender !== subject && isTuned(contender, setting, records));
  const dominating = best.filter(
    ({ versus, endless }) => versus?.verdict === "dominates" || (held.subject === undefined && !endless),
  );
  return { workload, load, rows, dominatedBy: measured ? dominating : null };
}

/** The setting that stands for a contender: the tuned one, or the only one. The clairvoyant does not take part. */
function isTuned(contender: ContenderName, setting: Row["setting"], records: readonly ContenderRecord[]): boolean {
  if (contender === "clairvoyant" || contender === "single copy") return false;
  const settings = records.find((record) => record.contender === contender)?.settings ?? [];
  return setting === "tuned" || settings.length === 1;
}

interface Held {
  readonly single: Figures | undefined;
  readonly bound: Figures | undefined;
  readonly subject: Figures | undefined;
}

function rowOf(
  { contender, search, one }: { contender: ContenderName; search: SearchRecord | null; one: MeasuredSetting },
  { single, bound, subject }: Held,
  isSubject: boolean,
): Row {
  const { name: setting, policy, figures } = one;
  const about = { contender, setting, policy, search: setting === "tuned" ? search : null };
  if (figures === "endless") return { ...about, endless: true, ...NOTHING };
  const gains = single === undefined ? [] : differences(figures.onTime, single.onTime);
  const gaps = single === undefined || bound === undefined ? [] : differences(bound.onTime, single.onTime);
  return {
    ...about,
    endless: false,
    onTime: intervalOf(figures.onTime),
    workMs: intervalOf(figures.workMs),
    workRatio: single === undefined ? null : ratioOf(figures.workMs, single.workMs),
    p999Ms: intervalOf(figures.p999Ms),
    blocksLate: figures.blocksLate.length === 0 ? null : intervalOf(figures.blocksLate),
    gapClosed: gaps.length > 0 && isAbove(intervalOf(gaps)) ? ratioOf(gains, gaps) : null,
    versus: isSubject || subject === undefined ? null : versusOf(figures, subject),
  };
}

const NOTHING = {
  onTime: null,
  workMs: null,
  workRatio: null,
  p999Ms: null,
  blocksLate: null,
  gapClosed: null,
  versus: null,
};

function versusOf(own: Figures, subject: Figures): Versus {
  const onTime = intervalOf(differences(own.onTime, subject.onTime));
  const workMs = intervalOf(differences(own.workMs, subject.workMs));
  return { onTime, workMs, verdict: verdictOf(onTime, workMs) };
}

export function verdictOf(onTime: Interval, workMs: Interval): Verdict {
  const [more, fewer] = [isAbove(onTime), isBelow(onTime)];
  const [dearer, cheaper] = [isAbove(workMs), isBelow(workMs)];
  if (more) return cheaper ? "dominates" : "more in time";
  if (fewer) return dearer ? "dominated" : cheaper ? "less work" : "worse";
  if (cheaper) return "less work";
  return dearer ? "worse" : "no difference seen";
}

function isAbove({ ci95 }: Interval): boolean {
  return ci95 !== null && ci95[0] > 0;
}

function isBelow({ ci95 }: Interval): boolean {
  return ci95 !== null && ci95[1] < 0;
}

function differences(a: readonly number[], b: readonly number[]): number[] {
  return a.map((value, index) => value - (b[index] as number));
}

const CONFIDENCE = 0.95;

function intervalOf(values: readonly number[]): Interval {
  const { mean, interval } = estimate(values, CONFIDENCE);
  return { mean, ci95: interval ?? null };
}

/**
 * A ratio of means of paired values, ā/b̄, with its interval: the residuals aᵢ − (ā/b̄) bᵢ have mean 0, and over b̄ the
 * ratio's own deviation (Cochran, Sampling Techniques, ch. 6).
 */
export function ratioOf(above: readonly number[], below: readonly number[]): Interval {
  const [a, b] = [intervalOf(above).mean, intervalOf(below).mean];
  const [mean, count] = [a / b, above.length];
  if (count < 2) return { mean, ci95: null };
  const squares = above.reduce((sum, value, index) => sum + (value - mean * (below[index] as number)) ** 2, 0);
  const deviation = Math.sqrt(squares / (count - 1) / count) / Math.abs(b);
  const half = studentQuantile((1 + CONFIDENCE) / 2, count - 1) * deviation;
  return { mean, ci95: [mean - half, mean + half] };
}
