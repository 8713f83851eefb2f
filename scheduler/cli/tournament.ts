import { existsSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { performance } from "node:perf_hooks";
import type { LeafSpec } from "../../policies/policy.ts";
import { ReplicationFailed } from "../../sim/experiment/pool.ts";
import { readPageParts } from "../../sim/report/page-parts.ts";
import type { Bout, Plan } from "../../sim/tournament/measure.ts";
import { renderTournament, TOURNAMENT_PROGRAMS } from "../../sim/tournament/page.ts";
import { recordsIn } from "../../sim/tournament/records.ts";
import { boutsOf, type Field, runTournament } from "../../sim/tournament/run.ts";
import { foundIn, type TournamentReport } from "../../sim/tournament/report.ts";
import { cellsOf } from "../../sim/tournament/summary.ts";
import { queues, type Workload, WORKLOADS } from "../../sim/tournament/workloads.ts";
import { KINDS } from "../../sim/tune/candidates.ts";
import { PROGRAM } from "../live/program.ts";
import { EXIT, SimRefused } from "./sim-experiments.ts";
import { progressOn } from "./sim-progress.ts";
import { tournamentText } from "./tournament-text.ts";

export interface TournamentRequest {
  readonly out: string;
  readonly traces: string | undefined;
  readonly workloads: readonly string[] | undefined;
  readonly loads: readonly string[] | undefined;
  readonly policies: readonly string[] | undefined;
  readonly against: string;
  readonly jobs: number;
  readonly replications: number;
  readonly seed: number;
  readonly workers: number;
  readonly quick: boolean;
  readonly json: boolean;
}

const TARGET = 0.99;
const LOADS = { quick: [0.3, 0.6, 0.9], full: [0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9] } as const;

/** Resolves to the exit code. Rejects with SimRefused. */
export async function simTournament(request: TournamentRequest, signal: AbortSignal): Promise<number> {
  const subject = kindOf(request.against, "--against");
  const { workloads, skipped } = workloadsOf(request);
  const field: Field = {
    workloads,
    loads: loadsOf(request),
    kinds: kindsOf(request, subject),
    traces: resolve(request.traces ?? "."),
  };
  for (const { workload, because } of skipped) note(`skipped ${workload}: ${because}`);
  if (workloads.length === 0) throw new SimRefused("no workload is left to measure.");
  const { seed, replications, jobs, quick } = request;
  const plan: Plan = {
    size: { seed, replications, jobs },
    thoroughness: quick ? "quick" : "full",
    target: TARGET,
    // It is to be good without being tuned.
    untuned: subject === "deadline" ? [subject] : [],
  };
  const kept = keptIn(request.out);
  const bouts = boutsOf(field, plan);
  const missing = bouts.filter(({ key }) => kept.get(key) === undefined);
  if (missing.length < bouts.length)
    note(`${bouts.length - missing.length} of ${bouts.length} results are in ${request.out}`);
  const outcome = await measured(missing, request, kept, signal);
  const records = bouts.map(({ key }) => kept.get(key)).filter((record) => record !== undefined);
  if (records.length === 0) return EXIT.interrupted;
  const page = join(request.out, "tournament.html");
  const report: TournamentReport = {
    subject,
    target: TARGET,
    seed,
    replications,
    jobs,
    skipped,
    ...foundIn(cellsOf(records, subject)),
    page,
  };
  const about = { workloads, program: PROGRAM, finished: outcome === "done", command: commandOf(request) };
  writeFileSync(page, renderTournament(report, about, readPageParts(TOURNAMENT_PROGRAMS)));
  process.stdout.write(request.json ? `${JSON.stringify(report)}\n` : tournamentText(report));
  note(`the page is ${page}`);
  return outcome === "interrupted" ? EXIT.interrupted : EXIT.done;
}

async function measured(
  bouts: readonly Bout[],
  { workers }: TournamentRequest,
  kept: ReturnType<typeof recordsIn>,
  signal: AbortSignal,
): Promise<"done" | "interrupted"> {
  const progress = progressOn(process.stderr, "results", () => performance.now());
  try {
    return await runTournament(bouts, kept, { workers, signal, onProgress: progress.show });
  } catch (error) {
    if (error instanceof ReplicationFailed) throw new SimRefused(error.message, { cause: error });
    throw error;
  } finally {
    progress.close();
  }
}

function workloadsOf({ workloads: names, traces }: TournamentRequest) {
  const known = WORKLOADS.map(({ name }) => name);
  const stranger = names?.find((name) => !known.includes(name));
  if (stranger !== undefined) {
    throw new SimRefused(`--workloads ${stranger}: there is no such workload. There are ${known.join(", ")}.`);
  }
  const asked = WORKLOADS.filter(({ name }) => names === undefined || names.includes(name));
  const skipped = asked.flatMap((workload) => {
    const because = troubleOf(workload, traces);
    return because === undefined ? [] : [{ workload: workload.name, because }];
  });
  return { workloads: asked.filter((workload) => troubleOf(workload, traces) === undefined), skipped };
}

function troubleOf({ arrivals }: Workload, traces: string | undefined): string | undefined {
  if (arrivals.kind !== "trace") return undefined;
  if (traces === undefined) return `it needs ${arrivals.file}; say where that is with --traces DIR`;
  const path = join(traces, arrivals.file);
  return existsSync(path) ? undefined : `there is no ${path}`;
}

function loadsOf({ loads: given, quick, workloads }: TournamentRequest): readonly number[] {
  const loads = given?.map(Number) ?? LOADS[quick ? "quick" : "full"];
  const wrong = given?.find((text) => !(Number(text) >= 0.01 && Number(text) <= 2));
  if (wrong !== undefined) throw new SimRefused(`--loads ${wrong}: a load is a number from 0.01 to 2.`);
  const named = WORKLOADS.filter(({ name }) => workloads?.includes(name));
  if (given !== undefined && named.length > 0 && !named.some(queues))
    note("--loads means nothing where nothing queues");
  return [...new Set(loads)].sort((a, b) => a - b);
}

function kindsOf({ policies }: TournamentRequest, subject: LeafSpec["kind"]): readonly LeafSpec["kind"][] {
  const asked = policies?.map((name) => kindOf(name, "--policies")) ?? KINDS;
  return KINDS.filter((kind) => kind === subject || asked.includes(kind));
}

function kindOf(name: string, flag: string): LeafSpec["kind"] {
  const kind = KINDS.find((one) => one === name);
  if (kind === undefined)
    throw new SimRefused(`${flag} ${name}: there is no such policy. There are ${KINDS.join(", ")}.`);
  return kind;
}

function keptIn(directory: string): ReturnType<typeof recordsIn> {
  try {
    return recordsIn(directory);
  } catch (error) {
    throw new SimRefused(`${directory} cannot be used: ${(error as Error).message}`, { cause: error });
  }
}

/** How to measure the same again. */
function commandOf({
  traces,
  workloads,
  loads,
  policies,
  against,
  jobs,
  replications,
  seed,
  quick,
}: TournamentRequest): string {
  const given = [
    traces === undefined ? "" : "--traces DIR",
    workloads === undefined ? "" : `--workloads ${workloads.join(",")}`,
    loads === undefined ? "" : `--loads ${loads.join(",")}`,
    policies === undefined ? "" : `--policies ${policies.join(",")}`,
    against === "deadline" ? "" : `--against ${against}`,
    quick ? "--quick" : "",
    `--jobs ${jobs} --replications ${replications} --seed ${seed}`,
  ];
  return ["pipe sim tournament", ...given].filter((part) => part !== "").join(" ");
}

function note(text: string): void {
  process.stderr.write(`${text}\n`);
}
