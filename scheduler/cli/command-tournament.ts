import { availableParallelism } from "node:os";
import { Effect, Option } from "effect";
import { Command, Flag } from "effect/cli";
import { EXPERIMENT_LIMITS } from "../../sim/experiment/limits.ts";
import { refuse, untilInterrupted } from "./interruption.ts";
import { simTournament } from "./tournament.ts";

/** Lists are written with commas. */
const list = (name: string, metavar: string) => Flag.String(name).pipe(Flag.optional, Flag.withMetavar(metavar));
const many = (name: string) => Flag.Int(name).pipe(Flag.optional, Flag.withMetavar("N"));

const flags = {
  out: Flag.String("out").pipe(
    Flag.withDefault("out/tournament"),
    Flag.withMetavar("DIR"),
    Flag.withDescription("where results are kept and the page goes; what is there is not measured again"),
  ),
  traces: Flag.String("traces").pipe(
    Flag.optional,
    Flag.withMetavar("DIR"),
    Flag.withDescription(
      "where AzureLLM2023_conv.csv and AzureLLM2023_code.csv are; without them their workloads are skipped",
    ),
  ),
  workloads: list("workloads", "A,B").pipe(Flag.withDescription("of the standard ones; all if not given")),
  loads: list("loads", "L,M").pipe(
    Flag.withDescription("shares of what the fleet can serve; 0.3,0.4,…,0.9 if not given, 0.3,0.6,0.9 with --quick"),
  ),
  policies: list("policies", "A,B").pipe(Flag.withDescription("kinds of policies; all if not given")),
  against: Flag.String("against").pipe(
    Flag.withDefault("deadline"),
    Flag.withMetavar("POLICY"),
    Flag.withDescription("the policy that all others are held against, at its documented setting"),
  ),
  jobs: many("jobs").pipe(Flag.withDescription("counted jobs of a replication; 2000 if not given, 400 with --quick")),
  replications: many("replications").pipe(
    Flag.withDescription("independent repetitions; 20 if not given, 6 with --quick"),
  ),
  seed: Flag.Int("seed").pipe(
    Flag.withDefault(1),
    Flag.withMetavar("N"),
    Flag.withDescription("of all random streams"),
  ),
  workers: many("workers").pipe(Flag.withDescription("worker threads; one per core if not given")),
  quick: Flag.Boolean("quick").pipe(
    Flag.withDefault(false),
    Flag.withDescription("fewer loads, jobs, replications and settings: some minutes on two cores"),
  ),
  json: Flag.Boolean("json").pipe(Flag.withDefault(false), Flag.withDescription("print the result as one JSON object")),
};

/** More threads than any machine has cores. */
const MAX_WORKERS = 256;
const MAX_SEED = 2 ** 31 - 1;
/** Fewer jobs have no 99th percentile, and fewer replications no interval worth the name. */
const MIN_JOBS = 100;
const MIN_REPLICATIONS = 3;

/** `pipe sim tournament`: exit code 0 when all is measured, 2 for what makes no sense, 130 after Ctrl-C. */
export const tournament = Command.make(
  "tournament",
  flags,
  Effect.fn(function* (given) {
    const size = given.quick ? { jobs: 400, replications: 6 } : { jobs: 2_000, replications: 20 };
    const options = {
      ...given,
      traces: Option.getOrUndefined(given.traces),
      workloads: namesIn(given.workloads),
      loads: namesIn(given.loads),
      policies: namesIn(given.policies),
      jobs: Option.getOrElse(given.jobs, () => size.jobs),
      replications: Option.getOrElse(given.replications, () => size.replications),
      workers: Option.getOrElse(given.workers, availableParallelism),
    };
    const trouble = rangeTrouble(options);
    yield* trouble === undefined
      ? untilInterrupted((signal) => simTournament(options, signal))
      : Effect.sync(() => refuse(trouble));
  }),
).pipe(
  Command.withDescription(
    "Every policy on every standard workload at every load, as documented and at its best setting, with 95 % intervals",
  ),
);

function namesIn(text: Option.Option<string>): readonly string[] | undefined {
  return Option.getOrUndefined(text)
    ?.split(",")
    .map((name) => name.trim());
}

function rangeTrouble(options: {
  readonly jobs: number;
  readonly replications: number;
  readonly seed: number;
  readonly workers: number;
}): string | undefined {
  const ranges = [
    ["jobs", MIN_JOBS, EXPERIMENT_LIMITS.jobs / 2],
    ["replications", MIN_REPLICATIONS, EXPERIMENT_LIMITS.replications],
    ["seed", 0, MAX_SEED],
    ["workers", 1, MAX_WORKERS],
  ] as const;
  for (const [name, least, most] of ranges) {
    const value = options[name];
    if (value < least || value > most) return `--${name} ${value} is out of range: give ${least} to ${most}.`;
  }
  return undefined;
}
