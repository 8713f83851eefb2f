import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Option } from "effect";
import { Effect } from "effect";
import { Command, Flag } from "effect/cli";
import { type ClusterFlags, ClusterRefused, type ClusterSummary, runCluster } from "./cluster/cluster.ts";
import { refuse, untilInterrupted } from "./interruption.ts";
import { EXIT } from "./sim-experiments.ts";

const LIMITS = { maxNodes: 16, maxRatePerS: 200, maxBlocks: 100_000, maxChaosS: 600 } as const;

const flags = {
  out: Flag.String("out").pipe(
    Flag.optional,
    Flag.withMetavar("DIR"),
    Flag.withDescription("keep everything in this new directory; otherwise it is removed at the end"),
  ),
  nodes: Flag.Int("nodes").pipe(
    Flag.withDefault(6),
    Flag.withMetavar("N"),
    Flag.withDescription(`inference nodes, 1 to ${LIMITS.maxNodes}; each process takes about 150 MB`),
  ),
  rate: Flag.Finite("rate").pipe(
    Flag.withDefault(10),
    Flag.withMetavar("PER_S"),
    Flag.withDescription(`transactions per second, up to ${LIMITS.maxRatePerS}`),
  ),
  blocks: Flag.Int("blocks").pipe(
    Flag.optional,
    Flag.withMetavar("N"),
    Flag.withDescription("end after so many blocks of 500 ms; otherwise at Ctrl-C"),
  ),
  chaos: Flag.Finite("chaos").pipe(
    Flag.optional,
    Flag.withMetavar("SECONDS"),
    Flag.withDescription("kill one of the processes this often, whichever it is"),
  ),
  seed: Flag.Int("seed").pipe(
    Flag.withDefault(1),
    Flag.withMetavar("N"),
    Flag.withDescription("which processes are killed, and in which order"),
  ),
  json: Flag.Boolean("json").pipe(
    Flag.withDefault(false),
    Flag.withDescription("print the summary as one JSON object"),
  ),
};

/** `pipe cluster`: exit code 0 when every promise that can be checked afterwards was kept, 1 when not, 2 for misuse. */
export const cluster = Command.make(
  "cluster",
  flags,
  Effect.fn(function* ({ out, nodes, rate, blocks, chaos, seed, json }) {
    const given = {
      nodes,
      ratePerS: rate,
      blocks: Option.getOrUndefined(blocks),
      chaosS: Option.getOrUndefined(chaos),
      seed,
      json,
    };
    const problem = misuseOf(given);
    if (problem !== undefined) return refuse(problem, "pipe cluster");
    yield* untilInterrupted((signal) => run(given, Option.getOrUndefined(out), signal), "pipe cluster");
  }),
).pipe(
  Command.withDescription(
    "Run brokers, schedulers, nodes and a block producer as processes on this machine; kill any of them and watch",
  ),
);

function misuseOf({ nodes, ratePerS, blocks, chaosS }: Omit<ClusterFlags, "directory">): string | undefined {
  const { maxNodes, maxRatePerS, maxBlocks, maxChaosS } = LIMITS;
  if (nodes < 1 || nodes > maxNodes) return `--nodes ${nodes} is out of range: give 1 to ${maxNodes}.`;
  if (!(ratePerS > 0 && ratePerS <= maxRatePerS)) return `--rate ${ratePerS}: give more than 0, up to ${maxRatePerS}.`;
  if (blocks !== undefined && (blocks < 1 || blocks > maxBlocks))
    return `--blocks ${blocks} is out of range: give 1 to ${maxBlocks}.`;
  if (chaosS !== undefined && !(chaosS >= 1 && chaosS <= maxChaosS))
    return `--chaos ${chaosS}: give 1 to ${maxChaosS}.`;
  return undefined;
}

async function run(
  given: Omit<ClusterFlags, "directory">,
  out: string | undefined,
  signal: AbortSignal,
): Promise<number> {
  const directory = out ?? (await mkdtemp(join(tmpdir(), "pipe-cluster-")));
  const note = (text: string): void => void process.stderr.write(`${text}\n`);
  try {
    note("PIPE: three brokers, two schedulers, nodes and a block producer, each a process of its own.");
    const summary = await runCluster({ ...given, directory }, signal, note);
    process.stdout.write(given.json ? `${JSON.stringify(summary)}\n` : textOf(summary));
    const kept = summary.lost === 0 && summary.audits.every(({ ok }) => ok);
    return kept ? EXIT.done : EXIT.failed;
  } catch (error) {
    if (!(error instanceof ClusterRefused)) throw error;
    refuse(error.message, "pipe cluster");
    return EXIT.refused;
  } finally {
    if (out === undefined) await rm(directory, { recursive: true, force: true });
  }
}

function textOf(summary: ClusterSummary): string {
  const { blocks, transactions, acknowledged, lost, kills, longestGapMs, counters, audits } = summary;
  const killed = Object.entries(kills)
    .map(([name, times]) => `${name} ${times}×`)
    .join(", ");
  const lines = [
    "",
    `  blocks                     ${blocks}, the longest pause between two ${longestGapMs} ms`,
    `  transactions acknowledged  ${acknowledged}`,
    `    sealed                   ${transactions}`,
    `    refunded                 ${counters["refunded"] ?? "unknown"}`,
    `    lost                     ${lost}`,
    `  killed                     ${killed === "" ? "none by this program" : killed}`,
    ...audits.map(({ what, ok }) => `  ${what.padEnd(32)} ${ok ? "all is well" : "FINDINGS"}`),
    ...audits.flatMap(({ findings }) => findings.map((finding) => `    ${finding}`)),
    "",
  ];
  return lines.join("\n");
}
