import { availableParallelism } from "node:os";
import { Effect, Option } from "effect";
import { Command, Flag } from "effect/cli";
import { engineMaker } from "../../sim/swarm/engine-machine.ts";
import { minimise } from "../../sim/swarm/minimise.ts";
import { planOf } from "../../sim/swarm/plan.ts";
import { runSwarm, type SwarmReport } from "../../sim/swarm/pool.ts";
import { brokenPromises, playWhole, runSeed, type SeedResult } from "../../sim/swarm/run.ts";
import { engineConfig, type Scenario } from "../../sim/swarm/scenario.ts";
import { formatSwarm, formatStep, formatViolations, progressLine } from "./swarm-text.ts";

/** Seeds of one run; ten thousand take about an hour. */
const MAX_SEEDS = 1_000_000;
const MAX_SEED = 2 ** 31 - 1;
const MAX_THREADS = 256;
/** Scenarios that minimisation tries. */
const MAX_MINIMISE_RUNS = 1_500;
/** Between two lines of progress. */
const PROGRESS_MS = 1_000;

const flags = {
  seeds: Flag.String("seeds").pipe(
    Flag.withDefault("1..200"),
    Flag.withMetavar("A..B"),
    Flag.withDescription("which seeds, both ends included; each is a system with its own load and its own faults"),
  ),
  json: Flag.Boolean("json").pipe(Flag.withDefault(false), Flag.withDescription("print the report as one JSON object")),
  jobs: Flag.Int("jobs").pipe(
    Flag.optional,
    Flag.withMetavar("N"),
    Flag.withDescription("threads; as many as the machine has cores unless told otherwise"),
  ),
  minimise: Flag.Boolean("minimise").pipe(
    Flag.withDefault(false),
    Flag.withDescription("make the first failure as small as it gets, and print its scenario"),
  ),
  trace: Flag.Boolean("trace").pipe(
    Flag.withDefault(false),
    Flag.withDescription("of one seed, print every event with the commands that it led to"),
  ),
};

/** `pipe sim swarm`: exit code 0 when every promise was kept, 1 when one was broken, 2 for flags that make no sense. */
export const swarm = Command.make(
  "swarm",
  flags,
  Effect.fn(function* (given) {
    const range = parseSeeds(given.seeds);
    if (typeof range === "string") return refuse(range);
    const threads = Option.getOrElse(given.jobs, () => availableParallelism());
    if (threads < 1 || threads > MAX_THREADS)
      return refuse(`--jobs ${threads} is out of range: give 1 to ${MAX_THREADS}.`);
    if (given.trace && range.first !== range.last) return refuse("--trace takes one seed, as in --seeds 7..7.");
    if (given.trace) return trace(range.first, given.minimise);
    yield* Effect.promise(() => run({ ...range, threads, json: given.json, minimise: given.minimise }));
  }),
).pipe(Command.withDescription("Whole systems under drawn faults, every promise checked at every step"));

/** The range, or what is wrong with it. */
export function parseSeeds(text: string): { readonly first: number; readonly last: number } | string {
  const match = /^(\d{1,10})(?:\.\.(\d{1,10}))?$/.exec(text);
  if (match === null) return `--seeds ${text} is no range: give A..B, as in 1..500.`;
  const first = Number(match[1]);
  const last = Number(match[2] ?? match[1]);
  if (last < first) return `--seeds ${text} is empty: the second number is the smaller one.`;
  if (last > MAX_SEED) return `--seeds ${text} is out of range: seeds go to ${MAX_SEED}.`;
  if (last - first >= MAX_SEEDS) return `--seeds ${text} are too many: at most ${MAX_SEEDS} in one run.`;
  return { first, last };
}

interface RunOptions {
  readonly first: number;
  readonly last: number;
  readonly threads: number;
  readonly json: boolean;
  readonly minimise: boolean;
}

async function run(options: RunOptions): Promise<void> {
  const { first, last, threads } = options;
  const interrupted = new AbortController();
  const onSignal = (): void => interrupted.abort();
  process.once("SIGINT", onSignal);
  let shownMs = 0;
  const onResult = (result: SeedResult, report: SwarmReport): void => {
    if (result.violations.length > 0) process.stderr.write(`${clear()}${formatViolations(result)}`);
    const nowMs = performance.now();
    if (nowMs - shownMs < PROGRESS_MS || !process.stderr.isTTY) return;
    shownMs = nowMs;
    process.stderr.write(`${clear()}${progressLine(report, last - first + 1)}`);
  };
  const report = await runSwarm({ firstSeed: first, lastSeed: last, threads, onResult, signal: interrupted.signal });
  process.off("SIGINT", onSignal);
  process.stderr.write(clear());
  const smallest = options.minimise && report.failed[0] !== undefined ? minimised(report.failed[0]) : undefined;
  process.stdout.write(options.json ? `${JSON.stringify({ ...report, smallest })}\n` : formatSwarm(report, smallest));
  process.exitCode = report.failures > 0 ? 1 : 0;
}

/** Takes the line of progress away. */
function clear(): string {
  return process.stderr.isTTY ? "\r\u001b[K" : "";
}

/** The smallest scenario found that breaks one of the promises that the seed broke. */
function minimised({ seed, violations }: SeedResult): Scenario {
  const broken = new Set(brokenPromises(violations));
  const fails = (scenario: Scenario): boolean =>
    playWhole(scenario, engineMaker(engineConfig(scenario))).violations.some(({ promise }) => broken.has(promise));
  return minimise(planOf(seed), fails, MAX_MINIMISE_RUNS).scenario;
}

function trace(seed: number, small: boolean): void {
  const result = small ? undefined : runSeed(seed, (step) => process.stdout.write(formatStep(step)));
  const found = result ?? runSeed(seed);
  if (small && found.violations.length > 0) {
    const scenario = minimised(found);
    playWhole(scenario, engineMaker(engineConfig(scenario)), (step) => process.stdout.write(formatStep(step)));
    process.stdout.write(`${JSON.stringify(scenario)}\n`);
  }
  process.stdout.write(formatViolations(found));
  process.exitCode = found.violations.length > 0 ? 1 : 0;
}

function refuse(message: string): void {
  process.stderr.write(`pipe sim swarm: ${message}\n`);
  process.exitCode = 2;
}
