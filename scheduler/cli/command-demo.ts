import { Effect, Option } from "effect";
import { Command, Flag } from "effect/cli";
import { PipeFailed } from "../index.ts";
import { DemoRefused, runDemo } from "./demo.ts";
import { SAME_PRESS_MS } from "./interruption.ts";
import { DEMO_LIMITS, type DemoOptions } from "./demo-options.ts";
import { parsePolicy } from "../../policies/short-form.ts";
import { TraceError } from "./demo-workload.ts";

const { maxBlocks, minNodes, maxNodes, maxRatePerS } = DEMO_LIMITS;

const USUAL_POLICY = "hedge:1500:3";

const flags = {
  blocks: Flag.Int("blocks").pipe(
    Flag.withDefault(40),
    Flag.withMetavar("N"),
    Flag.withDescription(`how many blocks of 500 ms to run for, 10 to ${maxBlocks}`),
  ),
  nodes: Flag.Int("nodes").pipe(
    Flag.withDefault(9),
    Flag.withMetavar("N"),
    Flag.withDescription(`inference nodes, ${minNodes} to ${maxNodes}; each takes about 100 MB`),
  ),
  seed: Flag.Int("seed").pipe(
    Flag.withDefault(1),
    Flag.withMetavar("N"),
    Flag.withDescription("of keys, workload and latencies (real threads still differ in timing)"),
  ),
  policy: Flag.String("policy").pipe(
    Flag.optional,
    Flag.withMetavar("POLICY"),
    Flag.withDescription(
      `when another copy is launched: fixed:COPIES, hedge:DELAY_MS:MAX_COPIES or KIND:KEY=VALUE; otherwise ${USUAL_POLICY}`,
    ),
  ),
  policyFile: Flag.String("policy-file").pipe(
    Flag.optional,
    Flag.withMetavar("FILE"),
    Flag.withDescription("the same by rules, from a pipe.policy.yaml; changes of it are taken up while it runs"),
  ),
  latency: Flag.Literals("latency", ["modelled", "none"]).pipe(
    Flag.withDefault("modelled"),
    Flag.withDescription(
      "modelled: answers are held back as a 70B model would take; none: as fast as the models compute",
    ),
  ),
  faults: Flag.Literals("faults", ["some", "none"]).pipe(
    Flag.withDefault("some"),
    Flag.withDescription("some: of nine nodes six misbehave, each in its own way; none: all are honest"),
  ),
  rate: Flag.Finite("rate").pipe(
    Flag.withDefault(12),
    Flag.withMetavar("PER_S"),
    Flag.withDescription(`transactions per second of the made-up workload, up to ${maxRatePerS}`),
  ),
  trace: Flag.String("trace").pipe(
    Flag.optional,
    Flag.withMetavar("FILE"),
    Flag.withDescription("arrivals and token counts from a CSV with TIMESTAMP, ContextTokens, GeneratedTokens"),
  ),
  out: Flag.String("out").pipe(
    Flag.optional,
    Flag.withMetavar("DIR"),
    Flag.withDescription("keep journal, receipts and latencies in this new directory"),
  ),
  json: Flag.Boolean("json").pipe(
    Flag.withDefault(false),
    Flag.withDescription("print the summary as one JSON object"),
  ),
};

/** Exit code of a program that was interrupted by Ctrl-C. */
const INTERRUPTED = 130;
const HUNG_UP = 129;

export const demo = Command.make(
  "demo",
  flags,
  Effect.fn(function* (given) {
    const options = optionsOf(given);
    if (typeof options === "string") return refuse(options);
    // Interruption is its own affair: it still has a summary to print and a folder to remove.
    yield* Effect.uninterruptible(Effect.promise(() => runUntilInterrupted(options)));
  }),
).pipe(Command.withDescription("Run the whole race on this machine: nodes, users, blocks; then a summary"));

interface Given extends Omit<DemoOptions, "policy" | "policyFile" | "ratePerS" | "trace" | "out"> {
  readonly policy: Option.Option<string>;
  readonly policyFile: Option.Option<string>;
  readonly rate: number;
  readonly trace: Option.Option<string>;
  readonly out: Option.Option<string>;
}

/** The options, or what is wrong with them. */
function optionsOf(given: Given): DemoOptions | string {
  const { blocks, nodes, seed, rate, ...rest } = given;
  if (blocks < 10 || blocks > maxBlocks) return `--blocks ${blocks} is out of range: give 10 to ${maxBlocks}.`;
  if (nodes < minNodes || nodes > maxNodes) return `--nodes ${nodes} is out of range: give ${minNodes} to ${maxNodes}.`;
  if (!(rate > 0 && rate <= maxRatePerS))
    return `--rate ${rate} is out of range: give more than 0, up to ${maxRatePerS}.`;
  if (seed < 0 || seed > 2 ** 31 - 1) return `--seed ${seed} is out of range: give 0 to ${2 ** 31 - 1}.`;
  try {
    const policyFile = Option.getOrUndefined(rest.policyFile);
    if (policyFile !== undefined && Option.isSome(rest.policy)) return "give --policy or --policy-file, not both.";
    const policy = parsePolicy(Option.getOrElse(rest.policy, () => USUAL_POLICY));
    const [trace, out] = [Option.getOrUndefined(rest.trace), Option.getOrUndefined(rest.out)];
    return { ...rest, blocks, nodes, seed, ratePerS: rate, policy, policyFile, trace, out };
  } catch (error) {
    if (error instanceof RangeError) return `--policy: ${error.message}`;
    throw error;
  }
}

async function runUntilInterrupted(options: DemoOptions): Promise<void> {
  const interrupted = new AbortController();
  // The first Ctrl-C ends the run with its summary, a second one ends it at once.
  let firstMs = Number.POSITIVE_INFINITY;
  const onSignal = (): void => {
    if (performance.now() - firstMs > SAME_PRESS_MS) process.exit(INTERRUPTED);
    firstMs = Math.min(firstMs, performance.now());
    interrupted.abort();
  };
  // The terminal is gone: nobody reads a summary.
  const onHangUp = (): void => process.exit(HUNG_UP);
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, onSignal);
  process.on("SIGHUP", onHangUp);
  try {
    const balanced = await runDemo(options, interrupted.signal);
    process.exitCode = interrupted.signal.aborted ? INTERRUPTED : balanced ? 0 : 1;
  } catch (error) {
    if (error instanceof DemoRefused || error instanceof TraceError) refuse(error.message);
    else if (error instanceof PipeFailed) fail(error.message);
    else throw error;
  } finally {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.off(signal, onSignal);
    process.off("SIGHUP", onHangUp);
  }
}

function refuse(message: string): void {
  process.stderr.write(`pipe demo: ${message}\n`);
  process.exitCode = 2;
}

function fail(message: string): void {
  process.stderr.write(`pipe demo: the scheduler stopped: ${message}\n`);
  process.exitCode = 1;
}
