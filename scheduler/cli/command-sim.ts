import { Effect, Option } from "effect";
import { Argument, Command, Flag } from "effect/cli";
import { EXPERIMENT_LIMITS } from "../../sim/experiment/limits.ts";
import { replay, twin } from "./command-recorded.ts";
import { report } from "./command-report.ts";
import { swarm } from "./command-swarm.ts";
import { refuse, untilInterrupted } from "./interruption.ts";
import { tournament } from "./command-tournament.ts";
import { simCompare, simRun, simSweep, simValidate } from "./sim-experiments.ts";

const file = Argument.Path("FILE", { pathType: "file", mustExist: true }).pipe(
  Argument.withDescription("an experiment in YAML or JSON; docs/SIMULATOR.md has its keys"),
);
const json = Flag.Boolean("json").pipe(
  Flag.withDefault(false),
  Flag.withDescription("print the result as one JSON object"),
);
const seed = Flag.Int("seed").pipe(
  Flag.optional,
  Flag.withMetavar("N"),
  Flag.withDescription("in place of the file's"),
);
const replications = Flag.Int("replications").pipe(
  Flag.optional,
  Flag.withMetavar("N"),
  Flag.withDescription("in place of the file's"),
);
const workers = Flag.Int("workers").pipe(
  Flag.optional,
  Flag.withMetavar("N"),
  Flag.withDescription("worker threads; one per core if not given"),
);
const out = Flag.String("out").pipe(Flag.optional, Flag.withMetavar("DIR"));

const flags = { json, seed, replications, workers };

/** More threads than any machine has cores. */
const MAX_WORKERS = 256;
const MAX_SEED = 2 ** 31 - 1;
/** A validation gives each of its cases a seed of its own, a thousand apart. */
const MAX_VALIDATION_SEED = 1_000_000;

const run = Command.make(
  "run",
  { file, ...flags, out: out.pipe(Flag.withDescription("also keep the result in this directory, as a sweep does")) },
  Effect.fn(function* (given) {
    const options = { ...optionsOf(given), out: Option.getOrUndefined(given.out) };
    yield* whenRight(given, (signal) => simRun(given.file, options, signal));
  }),
).pipe(Command.withDescription("Measure an experiment: means with 95 % intervals over replications, percentiles"));

const sweep = Command.make(
  "sweep",
  {
    file,
    ...flags,
    out: out.pipe(Flag.withDescription("where results are kept; FILE with .results for its ending if not given")),
  },
  Effect.fn(function* (given) {
    const options = { ...optionsOf(given), out: Option.getOrUndefined(given.out) };
    yield* whenRight(given, (signal) => simSweep(given.file, options, signal));
  }),
).pipe(Command.withDescription("Measure every point of the file's sweep; goes on where it was interrupted"));

const compare = Command.make(
  "compare",
  {
    file,
    a: Argument.String("A").pipe(
      Argument.withDescription("a variant of the file, or a policy such as fixed:2, hedge:2500:3 or finagle"),
    ),
    b: Argument.String("B").pipe(Argument.withDescription("likewise")),
    ...flags,
  },
  Effect.fn(function* (given) {
    const options = optionsOf(given);
    yield* whenRight(given, (signal) => simCompare(given.file, { a: given.a, b: given.b }, options, signal));
  }),
).pipe(Command.withDescription("Paired differences B − A under common random numbers, with 95 % intervals"));

const validate = Command.make(
  "validate",
  { json, seed, workers },
  Effect.fn(function* (given) {
    const options = {
      ...optionsOf({ ...given, replications: Option.none() }),
      seed: Option.getOrElse(given.seed, () => 1),
    };
    yield* whenRight({ ...given, maxSeed: MAX_VALIDATION_SEED }, (signal) => simValidate(options, signal));
  }),
).pipe(Command.withDescription("Hold the simulator against closed forms; exit code 1 when one fails"));

export const sim = Command.make("sim").pipe(
  Command.withDescription("Study redundancy: the production engine in a simulated world"),
  Command.withSubcommands([run, sweep, report, compare, validate, tournament, replay, twin, swarm]),
);

interface Given {
  readonly json: boolean;
  readonly seed: Option.Option<number>;
  readonly replications?: Option.Option<number>;
  readonly workers: Option.Option<number>;
  readonly maxSeed?: number;
}

function optionsOf({ json: asJson, seed: given, replications: many = Option.none(), workers: threads }: Given) {
  return {
    json: asJson,
    seed: Option.getOrUndefined(given),
    replications: Option.getOrUndefined(many),
    workers: Option.getOrUndefined(threads),
  };
}

/** What is wrong with the flags, or `undefined`. */
function flagTrouble(given: Given): string | undefined {
  const { seed: s, replications: many, workers: threads } = optionsOf(given);
  const maxSeed = given.maxSeed ?? MAX_SEED;
  if (s !== undefined && (s < 0 || s > maxSeed)) return `--seed ${s} is out of range: give 0 to ${maxSeed}.`;
  if (many !== undefined && (many < 1 || many > EXPERIMENT_LIMITS.replications))
    return `--replications ${many} is out of range: give 1 to ${EXPERIMENT_LIMITS.replications}.`;
  if (threads !== undefined && (threads < 1 || threads > MAX_WORKERS))
    return `--workers ${threads} is out of range: give 1 to ${MAX_WORKERS}.`;
  return undefined;
}

/** Checks the flags, then does the work; Ctrl-C ends it with what is finished. */
function whenRight(given: Given, work: (signal: AbortSignal) => Promise<number>): Effect.Effect<void> {
  const trouble = flagTrouble(given);
  return trouble === undefined ? untilInterrupted(work) : Effect.sync(() => refuse(trouble));
}
