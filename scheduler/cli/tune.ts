import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { performance } from "node:perf_hooks";
import type { LeafSpec, PolicySpec } from "../../policies/policy.ts";
import { formatPolicy } from "../../policies/short-form.ts";
import { Crew, CrewStopped } from "../../sim/experiment/crew.ts";
import { parseExperimentFile } from "../../sim/experiment/parse.ts";
import { ReplicationFailed } from "../../sim/experiment/pool.ts";
import type { Experiment } from "../../sim/experiment/types.ts";
import { fittedFleet } from "../../sim/recorded/fitted.ts";
import { type Likeness, likenessOf, replicate } from "../../sim/recorded/replications.ts";
import { readPageParts } from "../../sim/report/page-parts.ts";
import { estimateText, figure } from "../../sim/report/wording.ts";
import { KINDS } from "../../sim/tune/candidates.ts";
import { deadlineOf, experimentWorld } from "../../sim/tune/experiment-world.ts";
import { renderTuning, TUNE_PROGRAMS, type TuneAbout } from "../../sim/tune/page.ts";
import { recordedWorld } from "../../sim/tune/recorded-world.ts";
import { type Finalist, NothingFound, type Span, tune, type TuneResult } from "../../sim/tune/tune.ts";
import type { TuneWorld } from "../../sim/tune/world.ts";
import { policyText } from "../files/policy-text.ts";
import { PROGRAM } from "../live/program.ts";
import { NODE_LIMITS } from "../node/limits.ts";
import { orRefuse } from "./recorded-work.ts";
import { readRecording } from "./recordings.ts";
import { EXIT, SimRefused } from "./sim-experiments.ts";
import { table } from "./sim-tables.ts";

export interface TuneRequest {
  /** One of the two is given. */
  readonly experiment: string | undefined;
  readonly journal: string | undefined;
  readonly target: number;
  readonly out: string;
  readonly page: string;
  readonly policies: readonly string[] | undefined;
  readonly replications: number;
  readonly seed: number;
  readonly workers: number;
  readonly quick: boolean;
  readonly json: boolean;
}

/** What is known of a world beside what the search needs. */
interface Tuned {
  readonly world: TuneWorld;
  readonly caution: string | undefined;
}

/** Replications of its own policy by which a recorded world is judged. */
const LIKENESS_REPLICATIONS = 10;

/** Resolves to the exit code. Rejects with SimRefused. Nothing is written before all is known. */
export async function pipeTune(request: TuneRequest, signal: AbortSignal): Promise<number> {
  const kinds = kindsOf(request);
  const { target, replications, seed, quick } = request;
  const progress = counterOn(process.stderr);
  try {
    const { result, about } = await inWorld(request, signal, async ({ world, caution }) => {
      const thoroughness = quick ? ("quick" as const) : ("full" as const);
      const options = { kinds, thoroughness, target, replications, seed, onProgress: progress.show };
      const found = await tune(world, options);
      return { result: found, about: aboutOf(request, world, found, caution) };
    });
    progress.close();
    if (signal.aborted) return EXIT.interrupted;
    writeWhole(request.page, renderTuning(result, about, readPageParts(TUNE_PROGRAMS)));
    writeWhole(request.out, about.file.text);
    const printed = { ...result, out: request.out, page: request.page };
    process.stdout.write(request.json ? `${JSON.stringify(printed)}\n` : textOf(result, request));
    return EXIT.done;
  } catch (error) {
    if (error instanceof CrewStopped && signal.aborted) return EXIT.interrupted;
    if (error instanceof ReplicationFailed || error instanceof NothingFound) {
      throw new SimRefused(error.message, { cause: error });
    }
    throw error;
  } finally {
    progress.close();
  }
}

async function inWorld<T>(request: TuneRequest, signal: AbortSignal, work: (tuned: Tuned) => Promise<T>): Promise<T> {
  const { experiment: file, journal, target, workers, seed } = request;
  if (journal !== undefined) return orRefuse(async () => work(await recorded(journal, { target, seed }, signal)));
  const experiment = experimentOf(file as string);
  const crew = new Crew({ workers, signal });
  try {
    return await work({ world: experimentWorld(experiment, target, crew), caution: undefined });
  } finally {
    await crew.close();
  }
}

async function recorded(
  journal: string,
  { target, seed }: { readonly target: number; readonly seed: number },
  signal: AbortSignal,
): Promise<Tuned> {
  const recording = await readRecording(journal);
  const fleet = fittedFleet(recording, {
    reportIntervalUs: 1_000 * NODE_LIMITS.reportIntervalMs,
    reportDelayUs: 1_000 * NODE_LIMITS.reportDelayMs,
  });
  const goOn = async (): Promise<void> => {
    // Ctrl-C comes in between.
    await new Promise((resolve) => setImmediate(resolve));
    if (signal.aborted) throw new CrewStopped("the work was stopped");
  };
  const own = await replicate(recording, {
    policy: "recorded",
    fleet,
    replications: LIKENESS_REPLICATIONS,
    seed,
    goOn: () => goOn().then(() => true),
  });
  const caution = cautionOf(likenessOf(recording.actual, own));
  return { world: recordedWorld(recording, fleet, { target, goOn }), caution };
}

/** How like the run its own policy's replications are, for whoever is to believe the rest. */
function cautionOf({ distance, byChance, onTime: { real, expected } }: Likeness): string {
  const shares = [real, ...(expected ?? [])].map((share) => `${figure(Number((100 * share).toFixed(1)))} %`);
  return [
    "The nodes are fitted to the run. Under its own policy, job latencies are",
    `${figure(Number(distance.toFixed(3)))} from the real ones (Kolmogorov–Smirnov), where chance alone gives ${figure(Number(byChance?.p50.toFixed(3)))} and once in twenty times ${figure(Number(byChance?.p95.toFixed(3)))};`,
    `${shares[0]} were really in time, where ${shares.slice(1).join(" to ")} were to be expected.`,
    "Where these are far apart, no figure here is worth anything.",
  ].join(" ");
}

function experimentOf(file: string): Experiment {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new SimRefused(`${file} cannot be read: ${(error as Error).message}`, { cause: error });
  }
  const read = parseExperimentFile(text, resolve(dirname(file)));
  if (!read.ok) throw new SimRefused(`${file} is no experiment:\n${read.troubles.map((one) => `  ${one}`).join("\n")}`);
  const { experiment } = read.value;
  if (deadlineOf(experiment) === undefined) {
    throw new SimRefused(`${file} has neither deadlineMs nor blocks, so that nothing says what is in time.`);
  }
  return experiment;
}

function kindsOf({ policies }: TuneRequest): readonly LeafSpec["kind"][] {
  const stranger = policies?.find((name) => !KINDS.some((kind) => kind === name));
  if (stranger !== undefined) {
    throw new SimRefused(`--policies ${stranger}: there is no such policy. There are ${KINDS.join(", ")}.`);
  }
  return KINDS.filter((kind) => policies === undefined || policies.includes(kind));
}

function aboutOf(request: TuneRequest, world: TuneWorld, result: TuneResult, caution: string | undefined): TuneAbout {
  const of = request.journal ?? (request.experiment as string);
  return {
    title: `Tuned for ${basename(resolve(of))}`,
    file: { path: request.out, text: policyFileText(result, of) },
    deadlineMs: world.scale.deadlineMs,
    replications: request.replications,
    size: world.size,
    seed: request.seed,
    program: PROGRAM,
    command: commandOf(request),
    caution,
  };
}

/** A policy file of one rule for all calls. */
function policyFileText({ winner, finalists, target }: TuneResult, of: string): string {
  const best = finalists.find(({ roles }) => roles.includes("winner"));
  const effect = best?.effect == null ? [] : [`Against the present policy: ${effectText(best)}.`];
  const goal = `${figure(100 * target)} % in time`;
  const reached = (best?.onTime?.mean ?? 0) >= target;
  const found = reached ? `the least work for ${goal}` : `the most in time, since nothing reached ${goal}`;
  const head = [`Found by ${PROGRAM} for ${basename(resolve(of))}: ${found}.`, ...effect];
  const rules = [{ name: "all calls", when: {}, policy: winner }];
  return policyText({ kind: "rules", name: `tuned for ${basename(resolve(of))}`, rules }, head);
}

function effectText({ effect }: Finalist): string {
  if (effect === null) return "nothing to compare";
  return `${spanText(effect.onTime, 100)} points in time, ${spanText(effect.work, 1e-3)} s of work per job`;
}

function textOf({ finalists, bound, tried, searched, winner }: TuneResult, { out, page }: TuneRequest): string {
  const rows = finalists.map((one) => [
    nameOf(one.policy),
    one.roles.join(", "),
    one.onTime === null ? "the fleet never recovers" : spanText(one.onTime, 100),
    one.work === null ? "–" : spanText(one.work, 1e-3),
    one.effect === null ? "–" : spanText(one.effect.onTime, 100),
    one.effect === null ? "–" : spanText(one.effect.work, 1e-3),
  ]);
  const head = ["policy", "", "in time, %", "work, s", "less the present: in time, %", "work, s"];
  const clairvoyant = ["clairvoyant", "bound", spanText(bound.onTime, 100), spanText(bound.work, 1e-3), "–", "–"];
  return [
    table([head, ...rows, clairvoyant]),
    `\n${formatPolicy(winner)} of ${tried.length} settings, which took ${searched} replications: ${out}, explained by ${page}\n`,
  ].join("");
}

function nameOf(policy: PolicySpec | "recorded"): string {
  return typeof policy === "string" ? "as recorded" : formatPolicy(policy);
}

/** A mean and its interval. */
function spanText({ mean, ci95 }: Span, times: number): string {
  const text = estimateText(times * mean, [times * ci95[0], times * ci95[1]]);
  return `${text.mean} [${text.ends.join(", ")}]`;
}

/** In full, or not at all: whoever watches the file must not see half of it. */
function writeWhole(path: string, text: string): void {
  const draft = `${path}.${process.pid}.tmp`;
  try {
    writeFileSync(draft, text);
    renameSync(draft, path);
  } catch (error) {
    rmSync(draft, { force: true });
    throw new SimRefused(`${path} cannot be written: ${(error as Error).message}`, { cause: error });
  }
}

/** How to find the same again. */
function commandOf(request: TuneRequest): string {
  const { experiment, journal, target, policies, replications, seed, quick } = request;
  const given = [
    experiment === undefined ? `--journal ${journal}` : `--experiment ${experiment}`,
    `--target ${target}`,
    policies === undefined ? "" : `--policies ${policies.join(",")}`,
    quick ? "--quick" : "",
    `--replications ${replications} --seed ${seed}`,
  ];
  return ["pipe tune", ...given].filter((part) => part !== "").join(" ");
}

/** Milliseconds between two pictures of the counter. */
const REDRAW_MS = 100;
/** Replications between two lines, where there is no terminal. */
const LINE_EVERY = 100;

/** How far the search is. How long it will be nobody knows, since it depends on what is found. */
function counterOn(stream: NodeJS.WriteStream): { show(done: number): void; close(): void } {
  let [drawnMs, drawn] = [Number.NEGATIVE_INFINITY, false];
  return {
    show(done) {
      if (!stream.isTTY) {
        if (done % LINE_EVERY === 0) stream.write(`${done} replications searched\n`);
        return;
      }
      const nowMs = performance.now();
      if (nowMs - drawnMs < REDRAW_MS) return;
      [drawnMs, drawn] = [nowMs, true];
      stream.write(`\r\u001b[2K${done} replications searched`);
    },
    close() {
      if (drawn) stream.write("\r\u001b[2K");
      drawn = false;
    },
  };
}
