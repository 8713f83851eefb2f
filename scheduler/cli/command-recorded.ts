import { Effect } from "effect";
import { Argument, Command, Flag } from "effect/cli";
import { refuse, untilInterrupted } from "./interruption.ts";
import { recordedReplay } from "./recorded-replay.ts";
import { recordedTwin } from "./recorded-twin.ts";

const MAX_REPLICATIONS = 1_000;
const MAX_SEED = 2 ** 31 - 1 - MAX_REPLICATIONS;
/** More policies than a table can show side by side. */
const MAX_POLICIES = 16;

const directory = Argument.Path("DIR", { pathType: "directory", mustExist: true });
const flags = {
  replications: Flag.Int("replications").pipe(
    Flag.withDefault(20),
    Flag.withMetavar("N"),
    Flag.withDescription("independent repetitions; the intervals come from them"),
  ),
  seed: Flag.Int("seed").pipe(Flag.withDefault(1), Flag.withMetavar("N"), Flag.withDescription("of the first of them")),
  json: Flag.Boolean("json").pipe(Flag.withDefault(false), Flag.withDescription("print the result as one JSON object")),
};

/** `pipe sim replay DIR --policy P`. */
export const replay = Command.make(
  "replay",
  {
    directory: directory.pipe(
      Argument.withDescription("what a live run kept, as `npm start -- --out DIR` does, or a journal's folder"),
    ),
    policies: Flag.String("policy").pipe(
      Flag.between(0, MAX_POLICIES),
      Flag.withMetavar("POLICY"),
      Flag.withDescription(
        "what if: fixed:COPIES, hedge:DELAY_MS:MAX_COPIES or KIND:KEY=VALUE; may be given more than once",
      ),
    ),
    ...flags,
  },
  Effect.fn(function* (given) {
    yield* whenRight(given, (signal) => recordedReplay(given, signal));
  }),
).pipe(Command.withDescription("What a live run would have been under another policy, with 95 % intervals"));

/** `pipe sim twin DIR`. */
export const twin = Command.make(
  "twin",
  {
    directory: directory.pipe(Argument.withDescription("what `npm start -- --out DIR` kept")),
    ...flags,
  },
  Effect.fn(function* (given) {
    yield* whenRight(given, (signal) => recordedTwin(given, signal));
  }),
).pipe(
  Command.withDescription(
    "Hold the simulator against a live run: job latencies of both; exit code 1 when they differ by more than 0.05",
  ),
);

function whenRight(
  { replications, seed }: { readonly replications: number; readonly seed: number },
  work: (signal: AbortSignal) => Promise<number>,
): Effect.Effect<void> {
  if (replications < 1 || replications > MAX_REPLICATIONS) {
    return Effect.sync(() => refuse(`--replications ${replications} is out of range: give 1 to ${MAX_REPLICATIONS}.`));
  }
  if (seed < 0 || seed > MAX_SEED) {
    return Effect.sync(() => refuse(`--seed ${seed} is out of range: give 0 to ${MAX_SEED}.`));
  }
  return untilInterrupted(work);
}
