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
/** What every command that plays a recording can be told. */
export const RECORDED_FLAGS = {
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
        "what if: fixed:COPIES, hedge:DELAY_MS:MAX_COPIES, KIND:KEY=VALUE, or a policy file; may be given more than once",
      ),
    ),
    ...RECORDED_FLAGS,
  },
  Effect.fn(function* (given) {
    yield* whenInRange(given, (signal) => recordedReplay(given, signal));
  }),
).pipe(Command.withDescription("What a live run would have been under another policy, with 95 % intervals"));

/** `pipe sim twin DIR`. */
export const twin = Command.make(
  "twin",
  {
    directory: directory.pipe(Argument.withDescription("what `npm start -- --out DIR` kept")),
    ...RECORDED_FLAGS,
  },
  Effect.fn(function* (given) {
    yield* whenInRange(given, (signal) => recordedTwin(given, signal));
  }),
).pipe(
  Command.withDescription(
    "Hold the simulator against a live run: job latencies of both; exit code 1 when they differ by more than 0.05",
  ),
);

/** Does the work unless what was asked is out of range. */
export function whenInRange(
  { replications, seed }: { readonly replications: number; readonly seed: number },
  work: (signal: AbortSignal) => Promise<number>,
  command = "pipe sim",
): Effect.Effect<void> {
  if (replications < 1 || replications > MAX_REPLICATIONS) {
    return Effect.sync(() =>
      refuse(`--replications ${replications} is out of range: give 1 to ${MAX_REPLICATIONS}.`, command),
    );
  }
  if (seed < 0 || seed > MAX_SEED) {
    return Effect.sync(() => refuse(`--seed ${seed} is out of range: give 0 to ${MAX_SEED}.`, command));
  }
  return untilInterrupted(work, command);
}
