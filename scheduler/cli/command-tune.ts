import { availableParallelism } from "node:os";
import { Effect, Option } from "effect";
import { Command, Flag } from "effect/cli";
import { refuse, untilInterrupted } from "./interruption.ts";
import { pipeTune } from "./tune.ts";

const flags = {
  experiment: Flag.Path("experiment", { pathType: "file", mustExist: true }).pipe(
    Flag.optional,
    Flag.withDescription(
      "an experiment in YAML or JSON with a deadline or with blocks; docs/SIMULATOR.md has its keys",
    ),
  ),
  journal: Flag.Path("journal", { pathType: "directory", mustExist: true }).pipe(
    Flag.optional,
    Flag.withDescription("what a live run kept, as `npm start -- --out DIR` does, or a journal's folder"),
  ),
  target: Flag.Finite("target").pipe(
    Flag.withDefault(0.99),
    Flag.withMetavar("SHARE"),
    Flag.withDescription("share of jobs to be answered in time; sought is the least work for that"),
  ),
  out: Flag.String("out").pipe(
    Flag.withDefault("pipe.policy.yaml"),
    Flag.withMetavar("FILE"),
    Flag.withDescription("where the policy file goes"),
  ),
  page: Flag.String("page").pipe(
    Flag.withDefault("tune.html"),
    Flag.withMetavar("FILE"),
    Flag.withDescription("where the page goes"),
  ),
  policies: Flag.String("policies").pipe(
    Flag.optional,
    Flag.withMetavar("A,B"),
    Flag.withDescription("kinds of policies to search; all if not given"),
  ),
  replications: Flag.Int("replications").pipe(
    Flag.withDefault(20),
    Flag.withMetavar("N"),
    Flag.withDescription("repetitions with which what was found is measured at last"),
  ),
  seed: Flag.Int("seed").pipe(
    Flag.withDefault(1),
    Flag.withMetavar("N"),
    Flag.withDescription("of all random numbers"),
  ),
  workers: Flag.Int("workers").pipe(
    Flag.optional,
    Flag.withMetavar("N"),
    Flag.withDescription(
      "worker threads for an experiment; one per core if not given. A recorded run is played by one",
    ),
  ),
  quick: Flag.Boolean("quick").pipe(Flag.withDefault(false), Flag.withDescription("try fewer settings")),
  json: Flag.Boolean("json").pipe(Flag.withDefault(false), Flag.withDescription("print the result as one JSON object")),
};

const MAX_REPLICATIONS = 1_000;
const MAX_SEED = 1_000_000_000;
const MAX_WORKERS = 256;

/** `pipe tune`: exit code 0 when the policy file is written, 2 for what makes no sense, 130 after Ctrl-C, with nothing written. */
export const tune = Command.make(
  "tune",
  flags,
  Effect.fn(function* (given) {
    const options = {
      ...given,
      experiment: Option.getOrUndefined(given.experiment),
      journal: Option.getOrUndefined(given.journal),
      policies: Option.getOrUndefined(given.policies)
        ?.split(",")
        .map((name) => name.trim()),
      workers: Option.getOrElse(given.workers, availableParallelism),
    };
    const trouble = troubleOf(options);
    yield* trouble === undefined
      ? untilInterrupted((signal) => pipeTune(options, signal), "pipe tune")
      : Effect.sync(() => refuse(trouble, "pipe tune"));
  }),
).pipe(
  Command.withDescription("Search policies and their settings in the simulator, and write the best as a policy file"),
);

function troubleOf(options: {
  readonly experiment: string | undefined;
  readonly journal: string | undefined;
  readonly target: number;
  readonly replications: number;
  readonly seed: number;
  readonly workers: number;
}): string | undefined {
  const { experiment, journal, target, replications, seed, workers } = options;
  if ((experiment === undefined) === (journal === undefined))
    return "tune needs either --experiment FILE or --journal DIR.";
  if (!(target > 0 && target < 1)) return `--target ${target} is out of range: give a share above 0 and below 1.`;
  if (replications < 2 || replications > MAX_REPLICATIONS)
    return `--replications ${replications} is out of range: give 2 to ${MAX_REPLICATIONS}.`;
  if (seed < 0 || seed > MAX_SEED) return `--seed ${seed} is out of range: give 0 to ${MAX_SEED}.`;
  return workers < 1 || workers > MAX_WORKERS
    ? `--workers ${workers} is out of range: give 1 to ${MAX_WORKERS}.`
    : undefined;
}
