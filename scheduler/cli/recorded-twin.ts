import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ascending, ksDistance, quantile } from "../../sim/recorded/distance.ts";
import type { Outcome } from "../../sim/recorded/outcome.ts";
import { acceptancesOf } from "../../sim/recorded/machine-waits.ts";
import { profiledFleet } from "../../sim/recorded/profiled.ts";
import type { Recording } from "../../sim/recorded/recording.ts";
import { jobLatenciesMs, type Likeness, likenessOf } from "../../sim/recorded/replications.ts";
import { twinText } from "./recorded-tables.ts";
import { orRefuse, playAll, type RecordedOptions } from "./recorded-work.ts";
import { readRecording } from "./recordings.ts";
import { type RunFile, readRunFile, temperamentsOf } from "./run-file.ts";
import { type Mode, MODES } from "../shared/vocabulary.ts";
import { EXIT, SimRefused } from "./sim-experiments.ts";
import { TWIN_PAGE, twinPage } from "./twin-page.ts";

/** The largest distance at which the twin counts as one. */
const MAX_DISTANCE = 0.05;
/** How far the numbers of jobs may be apart, as a share: distributions say nothing of how many they are of. */
const MAX_MISSING = 0.05;
const SHOWN_QUANTILES = [0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99] as const;

/** What `pipe sim twin --json` prints. */
export interface TwinReport {
  readonly directory: string;
  readonly options: RunFile["options"];
  readonly replications: number;
  readonly seed: number;
  /** Jobs that the live run decided, and that a replication of its twin does on average. */
  readonly jobs: { readonly live: number; readonly twin: number };
  readonly likeness: Likeness;
  readonly maxDistance: number;
  readonly maxMissing: number;
  readonly verdict: "alike" | "different";
  /** By mode of verification, of those that the live run decided a job in. */
  readonly modes: readonly {
    readonly mode: Mode;
    readonly jobs: TwinReport["jobs"];
    readonly distance: number;
    readonly p50Ms: { readonly live: number; readonly twin: number };
  }[];
  /** Of job latencies, in milliseconds. */
  readonly quantiles: readonly { readonly p: number; readonly liveMs: number; readonly twinMs: number }[];
  readonly counts: readonly { readonly what: string; readonly live: number; readonly twin: number }[];
  /** Times of the machine that the twin takes from the run, in milliseconds. */
  readonly measured: Readonly<Record<"accepted" | "verified", { readonly p50Ms: number; readonly p95Ms: number }>>;
  /** Where both distributions are drawn. */
  readonly page: string;
}

/** Resolves to the exit code: 1 when the distributions differ by more than 0.05. Rejects with SimRefused. */
export async function recordedTwin(options: RecordedOptions, signal: AbortSignal): Promise<number> {
  const { directory, replications, seed, json } = options;
  return orRefuse(async () => {
    const run = await readRunFile(directory);
    const recording = await readRecording(directory);
    const { actual } = recording;
    if (actual.jobs.length === 0) throw new SimRefused("The run decided no job: there is nothing to compare.");
    const fleet = profiledFleet(recording, temperamentsOf(run), {
      reportIntervalUs: 1_000 * run.reportIntervalMs,
      reportDelayUs: 1_000 * run.reportDelayMs,
    });
    const played = await playAll(recording, [{ policy: "recorded", fleet, replications, seed }], signal);
    const outcomes = played?.[0];
    if (outcomes === undefined) return EXIT.interrupted;
    const page = join(directory, TWIN_PAGE);
    const report = reportOf(run, recording, outcomes, { directory, replications, seed, page });
    await writeFile(
      page,
      twinPage(
        report,
        jobLatenciesMs(actual),
        outcomes.map((outcome) => jobLatenciesMs(outcome)),
      ),
    ).catch((error: NodeJS.ErrnoException) => {
      throw new SimRefused(`${page} cannot be written (${error.code ?? error.message}).`, { cause: error });
    });
    process.stdout.write(json ? `${JSON.stringify(report)}\n` : twinText(report));
    return report.verdict === "alike" ? EXIT.done : EXIT.failed;
  });
}

function reportOf(
  { options }: RunFile,
  { actual, copies, verifications }: Recording,
  outcomes: readonly Outcome[],
  about: Pick<TwinReport, "directory" | "replications" | "seed" | "page">,
): TwinReport {
  const likeness = likenessOf(actual, outcomes);
  const live = ascending(jobLatenciesMs(actual));
  const twin = ascending(outcomes.flatMap((outcome) => jobLatenciesMs(outcome)));
  const acceptances = acceptancesOf(copies).map(({ us }) => us);
  const jobs = { live: live.length, twin: twin.length / outcomes.length };
  return {
    ...about,
    options,
    jobs,
    likeness,
    maxDistance: MAX_DISTANCE,
    // NaN, of no jobs at all, is no likeness.
    verdict:
      likeness.distance <= MAX_DISTANCE && Math.abs(jobs.twin / jobs.live - 1) <= MAX_MISSING ? "alike" : "different",
    maxMissing: MAX_MISSING,
    modes: MODES.flatMap((mode) => modeOf(mode, actual, outcomes)),
    quantiles: SHOWN_QUANTILES.map((p) => ({ p, liveMs: quantile(live, p), twinMs: quantile(twin, p) })),
    counts: COUNTS.map(({ what, of }) => ({
      what,
      live: of(actual),
      twin: outcomes.reduce((sum, outcome) => sum + of(outcome), 0) / outcomes.length,
    })),
    measured: { accepted: inMs(acceptances), verified: inMs(verifications.map(({ us }) => us)) },
  };
}

function modeOf(mode: Mode, actual: Outcome, outcomes: readonly Outcome[]): TwinReport["modes"] {
  const live = ascending(jobLatenciesMs(actual, mode));
  const twin = ascending(outcomes.flatMap((outcome) => jobLatenciesMs(outcome, mode)));
  if (live.length === 0) return [];
  return [
    {
      mode,
      jobs: { live: live.length, twin: twin.length / outcomes.length },
      // Nothing is as far as can be from something.
      distance: twin.length === 0 ? 1 : ksDistance([...live], [...twin]),
      p50Ms: { live: quantile(live, 0.5), twin: quantile(twin, 0.5) },
    },
  ];
}

const COUNTS: readonly { readonly what: string; readonly of: (outcome: Outcome) => number }[] = [
  { what: "jobs decided", of: ({ jobs }) => jobs.length },
  { what: "sealed on time", of: ({ transactions }) => transactions.onTime },
  { what: "settled slowly", of: ({ transactions }) => transactions.late },
  { what: "refunded", of: ({ transactions }) => transactions.refunded },
  { what: "copies", of: (outcome) => outcome.copies },
  { what: "speculative copies", of: (outcome) => outcome.speculativeCopies },
  { what: "wins by speculative copies", of: (outcome) => outcome.speculativeWins },
  { what: "work, s", of: ({ workUs }) => workUs / 1e6 },
];

function inMs(us: readonly number[]): { p50Ms: number; p95Ms: number } {
  const sorted = ascending(us);
  return { p50Ms: quantile(sorted, 0.5) / 1_000, p95Ms: quantile(sorted, 0.95) / 1_000 };
}
