import type { Likeness, RecordedMetric } from "../../sim/recorded/replications.ts";
import type { DiffReport } from "./policy-diff.ts";
import type { Interval } from "./recorded-policies.ts";
import type { ReplayReport } from "./recorded-replay.ts";
import type { TwinReport } from "./recorded-twin.ts";
import { table } from "./sim-tables.ts";

/** A metric's name for people, and how its figures are written. */
const METRICS: Readonly<Record<RecordedMetric, { readonly label: string; readonly write: (value: number) => string }>> =
  {
    onTimeShare: { label: "sealed on time", write: (value) => `${(100 * value).toFixed(1)} %` },
    jobP50Ms: { label: "job latency p50, ms", write: whole },
    jobP95Ms: { label: "job latency p95, ms", write: whole },
    jobP99Ms: { label: "job latency p99, ms", write: whole },
    workS: { label: "work, s", write: (value) => value.toFixed(1) },
    speculativeWorkS: { label: "speculative work, s", write: (value) => value.toFixed(1) },
    copies: { label: "copies", write: whole },
    feesPaidGwei: { label: "fees paid, gwei", write: whole },
  };

export function replayText(report: ReplayReport): string {
  const { actual, policies } = report;
  const metrics = Object.keys(METRICS) as RecordedMetric[];
  const header = ["", "really", ...policies.map(({ policy }) => policy)];
  const rows = metrics.map((metric) => {
    const { label, write } = METRICS[metric];
    const really = actual.metrics[metric];
    return [
      label,
      really === null ? "–" : write(really),
      ...policies.map((policy) => withInterval(policy.metrics[metric], write)),
    ];
  });
  const others = policies.filter(({ differences }) => differences !== null);
  const differences = metrics.map((metric) => [
    METRICS[metric].label,
    ...others.map((policy) => differenceText(policy.differences?.[metric] ?? null, METRICS[metric].write)),
  ]);
  return [
    ...runText(report),
    table([header, ...rows]),
    ...(others.length === 0
      ? ["Name other policies with --policy to see what would have been.\n"]
      : [
          `Less the recorded policy, replication by replication:\n${table([["", ...others.map(({ policy }) => policy)], ...differences])}`,
        ]),
    "Means with 95 % intervals over replications.\n",
  ].join("\n");
}

/** Which run it was, and whether replications are like it. */
function runText(report: Pick<ReplayReport, "directory" | "actual" | "likeness" | "replications">): readonly string[] {
  const { actual, likeness, replications, directory } = report;
  const { submitted, withCalls } = actual.transactions;
  return [
    `${directory}: ${submitted} transactions, ${withCalls} with inference, ${actual.jobs} jobs decided under ${actual.policy}.\n`,
    `${likenessText(likeness)} (${replications} replications of the recorded policy against the real run).\n`,
    ...(beyondChance(likeness) ? [UNLIKE] : []),
    ...onTimeWarning(likeness),
  ];
}

/** A share of one transaction in a hundred is below what anybody tunes for. */
const NEGLIGIBLE_SHARE = 0.01;

function onTimeWarning({ onTime: { real, expected } }: Likeness): readonly string[] {
  if (expected === undefined) return [];
  const [low, high] = expected;
  if (real >= low - NEGLIGIBLE_SHARE && real <= high + NEGLIGIBLE_SHARE) return [];
  const write = METRICS.onTimeShare.write;
  return [
    `Really ${write(real)} were sealed on time, where replications of the recorded policy give ${write(Math.max(0, low))} to ${write(Math.min(1, high))}: ` +
      "something that decided it is not reproduced, such as a machine too busy to seal in time. Other policies' figures tell at best a direction.\n",
  ];
}

export function diffText(report: DiffReport): string {
  const { a, b, differences } = report;
  const rows = (Object.keys(METRICS) as RecordedMetric[]).map((metric) => {
    const { label, write } = METRICS[metric];
    const sides = [a, b].map(({ metrics }) => withInterval(metrics[metric], write));
    return [label, ...sides, differenceText(differences[metric], write)];
  });
  return [
    ...runText(report),
    `A is ${a.policy}, B is ${b.policy}.\n`,
    table([["", "A", "B", "B less A"], ...rows]),
    "Means with 95 % intervals over replications; the difference is taken replication by replication.\n",
  ].join("\n");
}

export function twinText(report: TwinReport): string {
  const { likeness, maxDistance, verdict, quantiles, counts, modes, measured, replications, options, jobs, page } =
    report;
  const { accepted, verified } = measured;
  return [
    `${report.directory}: ${jobs.live} jobs decided in ${options.blocks} blocks, seed ${options.seed}, policy ${options.policy}; ${replications} replications of its twin.\n`,
    table([
      ["job latency, ms", "live", "twin"],
      ...quantiles.map(({ p, liveMs, twinMs }) => [`p${+(100 * p).toFixed(1)}`, liveMs.toFixed(1), twinMs.toFixed(1)]),
    ]),
    table([
      ["", "live", "twin"],
      ...counts.map(({ what, live, twin }) => [what, +live.toFixed(1), +twin.toFixed(1)].map(String)),
    ]),
    table([
      ["by mode", "jobs live", "twin", "p50 live, ms", "twin", "distance"],
      ...modes.map(({ mode, jobs: decided, p50Ms, distance }) => [
        mode,
        ...[decided.live, decided.twin, p50Ms.live, p50Ms.twin].map((value) => String(+value.toFixed(1))),
        distance.toFixed(3),
      ]),
    ]),
    `Measured on the run: dispatch to accepted p50 ${accepted.p50Ms.toFixed(1)} ms, p95 ${accepted.p95Ms.toFixed(1)} ms; answer to verdict p50 ${verified.p50Ms.toFixed(1)} ms, p95 ${verified.p95Ms.toFixed(1)} ms.\n`,
    `${likenessText(likeness)}; the limit is ${maxDistance}: ${verdict.toUpperCase()}.`,
    ...(verdict === "different" ? [adviceOn(report)] : []),
    `Both distributions are drawn in ${page}.\n`,
  ].join("\n");
}

/** What is said of a replay whose own policy does not give the run again. */
const UNLIKE =
  "That is more than chance: the recorded policy is not reproduced, so that other policies' figures tell at best a direction. A longer run tells more of its nodes.\n";

function beyondChance({ distance, byChance }: Likeness): boolean {
  return byChance !== undefined && distance > byChance.p95;
}

function likenessText({ distance, byChance }: Likeness): string {
  const chance =
    byChance === undefined
      ? ""
      : `; chance alone gives ${byChance.p50.toFixed(3)}, and in one of twenty runs ${byChance.p95.toFixed(3)}`;
  return `Kolmogorov–Smirnov distance of job latencies ${distance.toFixed(3)}${chance}`;
}

function adviceOn({ likeness, jobs, maxDistance, maxMissing }: TwinReport): string {
  const { distance, byChance } = likeness;
  if (!(Math.abs(jobs.twin / jobs.live - 1) <= maxMissing)) {
    return `The twin decides another number of jobs (more than ${100 * maxMissing} % apart): something that nodes, users or the chain did is missing in it.`;
  }
  if (byChance === undefined || byChance.p95 <= maxDistance || distance > byChance.p95) {
    return "The simulated world differs from the real one: profiles, faults or policy are not what really ran, or the machine was too busy.";
  }
  return "The run is too short to tell: with so few jobs, chance alone differs by as much. Let it last longer (--blocks).";
}

function withInterval(interval: Interval | null, write: (value: number) => string): string {
  if (interval === null) return "–";
  const { mean, ci95 } = interval;
  return ci95 === null ? write(mean) : `${write(mean)} (${write(ci95[0])} to ${write(ci95[1])})`;
}

function differenceText(interval: Interval | null, write: (value: number) => string): string {
  if (interval?.ci95 == null) return withInterval(interval, write);
  const [low, high] = interval.ci95;
  const verdict = high < 0 ? "lower" : low > 0 ? "higher" : "no difference seen";
  return `${withInterval(interval, write)}, ${verdict}`;
}

function whole(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}
