import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Figure } from "./figure.ts";

const CHILD = fileURLToPath(new URL("./sim-memory-child.ts", import.meta.url));
/** Half more, since a process's peak depends on when it happens to collect. */
const MOST = 1.5;
/**
 * The heap is kept small: left alone, the collector takes its time the longer a run is, and what would be measured is its
 * patience. Ten bytes kept of each of ten million jobs would not fit.
 */
const HEAP = ["--expose-gc", "--max-old-space-size=64", "--max-semi-space-size=16"];

/** What a simulation's memory has to do with its number of jobs: nothing. Each size runs in a process of its own. */
export function simMemoryFigures(): Figure[] {
  return [...figuresOf("bare", [1e5, 1e6, 1e7]), ...figuresOf("blocks", [1e5, 1e6])];
}

function figuresOf(world: "bare" | "blocks", sizes: readonly number[]): Figure[] {
  const name = world === "bare" ? "bare" : "with blocks";
  const [smallest, ...larger] = sizes.map((jobs) => ({ jobs, ...memoryOf(world, jobs) }));
  if (smallest === undefined) return [];
  return [
    {
      name: `simulation memory, ${name}: peak of ${text(smallest.jobs)} jobs`,
      value: smallest.peakBytes / 1e6,
      unit: "MB",
    },
    ...larger.flatMap(({ jobs, peakBytes, heapBytes }) => {
      const peak = peakBytes / smallest.peakBytes;
      const what = `simulation memory, ${name}: ${text(jobs)} against ${text(smallest.jobs)} jobs`;
      return [
        { name: `${what}, peak`, value: peak, unit: "×", target: `≤ ${MOST}`, met: peak <= MOST },
        { name: `${what}, heap left`, value: heapBytes / smallest.heapBytes, unit: "×" },
      ];
    }),
  ];
}

/** The most memory that the process held, and what is in its heap after the run and a collection. */
function memoryOf(world: string, jobs: number): { readonly peakBytes: number; readonly heapBytes: number } {
  const done = spawnSync(process.execPath, [...HEAP, CHILD, world, String(jobs)], { encoding: "utf8" });
  if (done.status !== 0) throw new Error(`the simulation of ${jobs} jobs ended with ${done.status}: ${done.stderr}`);
  return JSON.parse(done.stdout) as { peakBytes: number; heapBytes: number };
}

function text(jobs: number): string {
  return jobs.toLocaleString("en-US");
}
