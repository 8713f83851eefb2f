import { Effect } from "effect";
import { Argument, Command, Flag } from "effect/cli";
import { untilInterrupted } from "./interruption.ts";
import { nodeCheck, nodeInit, nodeKey } from "./node-files.ts";

const file = Argument.String("FILE").pipe(Argument.withDescription("a node file, as docs/NODE.md describes it"));

const check = Command.make(
  "check",
  {
    file,
    json: Flag.Boolean("json").pipe(
      Flag.withDefault(false),
      Flag.withDescription("print the result as one JSON object"),
    ),
  },
  Effect.fn(function* (given) {
    yield* untilInterrupted(() => nodeCheck(given.file, given.json), "pipe node check");
  }),
).pipe(
  Command.withDescription("Whether a node file can be followed, and if not, what is wrong where; exit code 2 then"),
);

const init = Command.make(
  "init",
  {
    directory: Flag.String("directory").pipe(
      Flag.withDefault("."),
      Flag.withMetavar("DIR"),
      Flag.withDescription("where to write them"),
    ),
  },
  Effect.fn(function* ({ directory }) {
    yield* untilInterrupted(() => nodeInit(directory), "pipe node init");
  }),
).pipe(Command.withDescription("Write a node file to start from, and the node's key; overwrites nothing"));

const key = Command.make(
  "key",
  { file: Argument.String("FILE").pipe(Argument.withDescription("a node file, or a key file")) },
  Effect.fn(function* (given) {
    yield* untilInterrupted(() => nodeKey(given.file), "pipe node key");
  }),
).pipe(Command.withDescription("Print a node's public key, as the scheduler's registry lists it"));

export const node = Command.make("node").pipe(
  Command.withDescription("Inference nodes: models of yours, answering calls of schedulers elsewhere"),
  Command.withSubcommands([init, check, key]),
);
