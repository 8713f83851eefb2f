import { Effect, Option } from "effect";
import { Argument, Command, Flag } from "effect/cli";
import { RECORDED_FLAGS, whenInRange } from "./command-recorded.ts";
import { untilInterrupted } from "./interruption.ts";
import { policyCheck } from "./policy-check.ts";
import { policyDiff } from "./policy-diff.ts";
import { policyExplain } from "./policy-explain.ts";

const json = Flag.Boolean("json").pipe(
  Flag.withDefault(false),
  Flag.withDescription("print the result as one JSON object"),
);

const check = Command.make(
  "check",
  {
    file: Argument.String("FILE").pipe(Argument.withDescription("a policy file, as docs/TUNING.md describes it")),
    json,
  },
  Effect.fn(function* (given) {
    yield* untilInterrupted(() => policyCheck(given.file, given.json), "pipe policy check");
  }),
).pipe(
  Command.withDescription("Whether a policy file can be followed, and if not, what is wrong where; exit code 2 then"),
);

const side = (name: string) =>
  Argument.String(name).pipe(
    Argument.withDescription("a policy file, a short form such as fixed:2, or `recorded` for what was in force"),
  );

const diff = Command.make(
  "diff",
  {
    a: side("A"),
    b: side("B"),
    journal: Flag.String("journal").pipe(
      Flag.withMetavar("DIR"),
      Flag.withDescription("what a live run kept, as `npm start -- --out DIR` does, or a journal's folder"),
    ),
    ...RECORDED_FLAGS,
  },
  Effect.fn(function* ({ journal, ...given }) {
    const options = { ...given, directory: journal };
    yield* whenInRange(given, (signal) => policyDiff(options, signal), "pipe policy diff");
  }),
).pipe(
  Command.withDescription(
    "What a live run would have been under B rather than A: on time, work, money, with 95 % intervals",
  ),
);

const explain = Command.make(
  "explain",
  {
    job: Flag.String("job").pipe(
      Flag.withMetavar("FILE"),
      Flag.withDescription("a call and the world that it meets, as docs/TUNING.md describes it"),
    ),
    policy: Flag.String("policy").pipe(
      Flag.optional,
      Flag.withMetavar("POLICY"),
      Flag.withDescription("a policy file or a short form; without it the one in force in the journal, or the default"),
    ),
    journal: Flag.String("journal").pipe(
      Flag.optional,
      Flag.withMetavar("DIR"),
      Flag.withDescription("what a live run kept, in place of what the job file says of durations and nodes"),
    ),
    json,
  },
  Effect.fn(function* ({ policy: named, journal, ...given }) {
    const options = { ...given, policy: Option.getOrUndefined(named), journal: Option.getOrUndefined(journal) };
    yield* untilInterrupted(() => policyExplain(options), "pipe policy explain");
  }),
).pipe(Command.withDescription("Why a call's copies would be launched when and where, in words and numbers"));

export const policy = Command.make("policy").pipe(
  Command.withDescription("Policy files: whether they are right, what they would do, what they would change"),
  Command.withSubcommands([check, explain, diff]),
);
