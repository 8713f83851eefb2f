import { type PresentNode, rollCall } from "../nats/index.ts";
import { type NatsConnectionFlags, natsConnectionOf, NatsFlagsRefused } from "./nats-connection.ts";
import { EXIT } from "./sim-experiments.ts";

/** Nodes answer within milliseconds; those on another continent within a few hundred. */
const WAIT_MS = 1_000;

/** Prints who is there. Resolves to the exit code: 0, 2 for flags that make no sense, 1 when no broker answers. */
export async function nodeList(flags: NatsConnectionFlags, json: boolean): Promise<number> {
  try {
    const nodes = await rollCall({ ...(await natsConnectionOf(flags)), waitMs: WAIT_MS });
    process.stdout.write(json ? `${JSON.stringify(nodes)}\n` : tableOf(nodes));
    return EXIT.done;
  } catch (error) {
    const misused = error instanceof NatsFlagsRefused;
    const why = error instanceof Error ? error.message : String(error);
    process.stderr.write(`pipe node list: ${why}\n`);
    return misused ? EXIT.refused : EXIT.failed;
  }
}

const COLUMNS: readonly (readonly [title: string, of: (node: PresentNode) => string])[] = [
  ["node", ({ id }) => id],
  ["operator", ({ operator }) => operator],
  ["region", ({ region }) => region],
  ["hardware", ({ hardware }) => hardware],
  ["models", ({ models }) => models],
  ["modes", ({ modes }) => modes],
  ["slots", ({ slots }) => slots],
  ["accepted", ({ accepted }) => String(accepted)],
  ["answered", ({ answered }) => String(answered)],
  ["failed", ({ failed }) => String(failed)],
  ["average", ({ averageMs }) => `${averageMs.toFixed(1)} ms`],
  ["since", ({ startedAt }) => startedAt],
];

function tableOf(nodes: readonly PresentNode[]): string {
  if (nodes.length === 0) return "No node answers.\n";
  const rows = [COLUMNS.map(([title]) => title), ...nodes.map((node) => COLUMNS.map(([, of]) => of(node)))];
  const widths = COLUMNS.map((_, column) => Math.max(...rows.map((row) => (row[column] as string).length)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => cell.padEnd(widths[column] as number))
      .join("  ")
      .trimEnd();
  return `${rows.map(line).join("\n")}\n`;
}
