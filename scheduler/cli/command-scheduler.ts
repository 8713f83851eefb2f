import { Effect, Option } from "effect";
import { Command, Flag } from "effect/cli";
import { hostname } from "node:os";
import { runScheduler } from "./scheduler.ts";
import { SCHEDULER_LIMITS, type SchedulerFlags } from "./scheduler-flags.ts";
import { SchedulerRefused } from "./scheduler-refused.ts";

const { maxNodes } = SCHEDULER_LIMITS;

const flags = {
  directory: Flag.String("directory").pipe(
    Flag.withMetavar("DIR"),
    Flag.withDescription("journal, records, keys and the producer's token; made when it is not there"),
  ),
  chain: Flag.String("chain").pipe(Flag.withMetavar("ID"), Flag.withDescription("the chain that transactions are for")),
  port: Flag.Int("port").pipe(
    Flag.withDefault(8420),
    Flag.withMetavar("N"),
    Flag.withDescription("where to listen; 0 takes one that is free"),
  ),
  host: Flag.String("host").pipe(
    Flag.withDefault("127.0.0.1"),
    Flag.withMetavar("ADDRESS"),
    Flag.withDescription("on which address; others than this machine's own need TLS, or --plain-http"),
  ),
  tlsCert: Flag.String("tls-cert").pipe(
    Flag.optional,
    Flag.withMetavar("FILE"),
    Flag.withDescription("certificate chain, PEM"),
  ),
  tlsKey: Flag.String("tls-key").pipe(Flag.optional, Flag.withMetavar("FILE"), Flag.withDescription("its key, PEM")),
  plainHttp: Flag.Boolean("plain-http").pipe(
    Flag.withDefault(false),
    Flag.withDescription("serve without TLS on any address: only behind a proxy that has it"),
  ),
  tokenFile: Flag.String("token-file").pipe(
    Flag.optional,
    Flag.withMetavar("FILE"),
    Flag.withDescription("the producer's token; made when it is not there, otherwise producer.token in DIR"),
  ),
  nodes: Flag.Int("nodes").pipe(
    Flag.withDefault(3),
    Flag.withMetavar("N"),
    Flag.withDescription(
      `inference nodes in threads of this process, 1 to ${maxNodes}; each takes about 100 MB. None with --nats`,
    ),
  ),
  nats: Flag.String("nats").pipe(
    Flag.optional,
    Flag.withMetavar("URL,…"),
    Flag.withDescription(
      "the broker by which nodes are reached and which keeps the journal, such as nats://10.0.0.1:4222",
    ),
  ),
  shard: Flag.String("shard").pipe(
    Flag.withDefault("main"),
    Flag.withMetavar("NAME"),
    Flag.withDescription("with --nats: of the schedulers of a shard one leads, and the others stand by"),
  ),
  shards: Flag.String("shards").pipe(
    Flag.optional,
    Flag.withMetavar("NAME,…"),
    Flag.withDescription(
      "all shards, this one among them: accounts are divided among them, and others' are sent there",
    ),
  ),
  name: Flag.String("name").pipe(
    Flag.withDefault(hostname()),
    Flag.withMetavar("NAME"),
    Flag.withDescription("with --nats: what operators call this scheduler"),
  ),
  replicas: Flag.Literals("replicas", ["1", "3", "5"]).pipe(
    Flag.withDefault("1"),
    Flag.withDescription("with --nats: brokers that hold the journal; 3 outlive the loss of one"),
  ),
  natsCredentials: Flag.String("nats-credentials").pipe(
    Flag.optional,
    Flag.withMetavar("FILE"),
    Flag.withDescription("with --nats: the seed that pipe nats-config wrote for this scheduler, or a user's JWT"),
  ),
  natsCa: Flag.String("nats-ca").pipe(
    Flag.optional,
    Flag.withMetavar("FILE"),
    Flag.withDescription("with --nats: the authority of the brokers' certificates, PEM"),
  ),
  latency: Flag.Literals("latency", ["modelled", "none"]).pipe(
    Flag.withDefault("none"),
    Flag.withDescription("none: as fast as their models compute; modelled: held back as a 70B model would take"),
  ),
  policyFile: Flag.String("policy-file").pipe(
    Flag.optional,
    Flag.withMetavar("FILE"),
    Flag.withDescription("when another copy is launched, by rules; changes of it are taken up"),
  ),
  registry: Flag.String("registry").pipe(
    Flag.optional,
    Flag.withMetavar("FILE"),
    Flag.withDescription("models and nodes; without it the package's own"),
  ),
  pruneJournal: Flag.Boolean("prune-journal").pipe(
    Flag.withDefault(false),
    Flag.withDescription(
      "delete parts of the journal that no restart needs; then it cannot be replayed from its beginning",
    ),
  ),
  otlp: Flag.String("otlp").pipe(
    Flag.optional,
    Flag.withMetavar("URL"),
    Flag.withDescription(
      "an OpenTelemetry collector that gets metrics, traces and logs, such as http://127.0.0.1:4318",
    ),
  ),
  log: Flag.Literals("log", ["debug", "info", "warn", "error"]).pipe(
    Flag.withDefault("info"),
    Flag.withDescription("from which level on lines are logged, as JSON on standard error"),
  ),
  json: Flag.Boolean("json").pipe(
    Flag.withDefault(false),
    Flag.withDescription("say where it listens as one JSON object"),
  ),
};

/** `pipe scheduler`: exit code 0 after SIGTERM, 130 after Ctrl-C, 1 when it failed or could not start, 2 for misuse. */
export const scheduler = Command.make(
  "scheduler",
  flags,
  Effect.fn(function* (given) {
    const options: SchedulerFlags = {
      ...given,
      logLevel: given.log,
      replicas: Number(given.replicas) as SchedulerFlags["replicas"],
      nats: Option.getOrUndefined(given.nats),
      shards: Option.getOrUndefined(given.shards),
      natsCredentials: Option.getOrUndefined(given.natsCredentials),
      natsCa: Option.getOrUndefined(given.natsCa),
      tlsCert: Option.getOrUndefined(given.tlsCert),
      tlsKey: Option.getOrUndefined(given.tlsKey),
      tokenFile: Option.getOrUndefined(given.tokenFile),
      policyFile: Option.getOrUndefined(given.policyFile),
      registry: Option.getOrUndefined(given.registry),
      otlp: Option.getOrUndefined(given.otlp),
    };
    // Interruption is its own affair: what is under way is to be made durable.
    yield* Effect.uninterruptible(Effect.promise(() => runReporting(options)));
  }),
).pipe(Command.withDescription("Run the scheduler as a process, with an HTTP API for producers in any language"));

async function runReporting(options: SchedulerFlags): Promise<void> {
  try {
    // By itself the runtime would end with 130 after any signal. All that was written has been written: pipes and files wait.
    process.exit(await runScheduler(options));
  } catch (error) {
    if (!(error instanceof SchedulerRefused)) throw error;
    process.stderr.write(`pipe scheduler: ${error.message}\n`);
    // A connection to a broker that could not be closed must not keep the process: its supervisor waits for its end.
    process.exit(error.exitCode);
  }
}
