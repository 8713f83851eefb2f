import { Effect, Option } from "effect";
import { Argument, Command, Flag } from "effect/cli";
import { untilInterrupted, untilStopped } from "./interruption.ts";
import { nodeCheck, nodeInit, nodeKey } from "./node-files.ts";

const file = Argument.String("FILE").pipe(Argument.withDescription("a node file, as docs/NODE.md describes it"));

const check = Command.make(
  "check",
  {
    file,
    ask: Flag.Boolean("ask").pipe(
      Flag.withDefault(false),
      Flag.withDescription("also ask the models' backends whether they answer; exit code 1 when one does not"),
    ),
    json: Flag.Boolean("json").pipe(
      Flag.withDefault(false),
      Flag.withDescription("print the result as one JSON object"),
    ),
  },
  Effect.fn(function* ({ file: path, ...options }) {
    yield* untilInterrupted(() => nodeCheck(path, options), "pipe node check");
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

const run = Command.make(
  "run",
  {
    file,
    log: Flag.Literals("log", ["debug", "info", "warn", "silent"]).pipe(
      Flag.withDefault("info"),
      Flag.withDescription("how much is logged, as JSON lines on standard error"),
    ),
  },
  Effect.fn(function* (given) {
    // Loaded by who needs it only: a connection to a broker brings a client library along.
    const work = async (signal: AbortSignal) => (await import("./node-run.ts")).nodeRun(given.file, given.log, signal);
    yield* untilStopped(work, "pipe node run");
  }),
).pipe(
  Command.withDescription(
    "Run the node of a file until SIGTERM or Ctrl-C: then its answers come to their end; a second signal ends it at once",
  ),
);

const list = Command.make(
  "list",
  {
    nats: Flag.String("nats").pipe(
      Flag.withDefault("nats://127.0.0.1:4222"),
      Flag.withMetavar("URL,…"),
      Flag.withDescription("the broker"),
    ),
    credentials: Flag.String("nats-credentials").pipe(
      Flag.optional,
      Flag.withMetavar("FILE"),
      Flag.withDescription("the operator's seed that pipe nats-config wrote, or a user's JWT"),
    ),
    natsCa: Flag.String("nats-ca").pipe(
      Flag.optional,
      Flag.withMetavar("FILE"),
      Flag.withDescription("the authority of the brokers' certificates, PEM"),
    ),
    json: Flag.Boolean("json").pipe(Flag.withDefault(false), Flag.withDescription("print the nodes as one JSON array")),
  },
  Effect.fn(function* ({ nats, credentials, natsCa, json }) {
    const connection = {
      nats,
      credentials: Option.getOrUndefined(credentials),
      natsCa: Option.getOrUndefined(natsCa),
    };
    const work = async () => (await import("./node-list.ts")).nodeList(connection, json);
    yield* untilInterrupted(work, "pipe node list");
  }),
).pipe(
  Command.withDescription("Which nodes answer on the broker, by their own words, and what they did since their start"),
);

export const node = Command.make("node").pipe(
  Command.withDescription("Inference nodes: models of yours, answering calls of schedulers elsewhere"),
  Command.withSubcommands([init, check, key, run, list]),
);
