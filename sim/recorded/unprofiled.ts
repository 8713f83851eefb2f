import type { Temperament } from "../../scheduler/node/behaviour/fate.ts";
import { EndsOfCopies } from "./durations.ts";
import { type Computing, firstFrom } from "./machine-waits.ts";
import type { CopyRecord } from "./recording.ts";

/** So many runs around a moment tell how fast the machine computes then. */
const NEAREST = 12;

/** Whether a profile says how long this model takes there. */
export function hasProfile({ latency }: Temperament, model: string): boolean {
  return latency.kind === "modelled" && latency.profiles[model] !== undefined;
}

/** A model's use, as a recording tells it. */
interface Use {
  readonly model: string;
  readonly mode: string;
}

interface MeasuredRun {
  readonly fromUs: number;
  readonly ratio: number;
  readonly end: "answered" | "stopped";
}

/**
 * How long copies run whose model has no profile: as long as the machine takes to compute it, and in mode `zkml` to prove it. Measured
 * over all nodes, which are threads of one machine, around the same moment; copies that were stopped count as running until then.
 */
export class UnprofiledRuns {
  /** When which nodes ran such copies. */
  readonly computing: readonly Computing[];
  readonly #byUse: ReadonlyMap<string, readonly MeasuredRun[]>;

  constructor(copies: readonly CopyRecord[], profiled: (node: string, model: string) => boolean) {
    const unprofiled = copies.filter(({ node, model }) => !profiled(node, model));
    this.computing = unprofiled.flatMap(({ node, startedUs, endedUs }) =>
      startedUs === undefined ? [] : [{ node, fromUs: startedUs, untilUs: endedUs }],
    );
    this.#byUse = new Map(
      [...Map.groupBy(unprofiled, useOf)].map(([use, own]) => [
        use,
        own.flatMap(runOf).sort((a, b) => a.fromUs - b.fromUs),
      ]),
    );
  }

  /** A run's length in microseconds that begins then, by `u`, 0 to 1; 0 when none came to an end. */
  us(use: Use, atUs: number, u: number): number {
    const runs = this.#byUse.get(useOf(use)) ?? [];
    const middle = firstFrom(runs, atUs, ({ fromUs }) => fromUs);
    const first = Math.max(0, Math.min(middle - NEAREST / 2, runs.length - NEAREST));
    const near = [runs.slice(first, first + NEAREST), runs].find((some) => some.some(({ end }) => end === "answered"));
    return near === undefined ? 0 : new EndsOfCopies(near).at(u).ratio;
  }
}

function useOf({ model, mode }: Use): string {
  return `${mode}/${model}`;
}

/** Of a copy that failed it is only known how long it ran for certain. */
function runOf({ startedUs, endedUs, end }: CopyRecord): MeasuredRun[] {
  if (startedUs === undefined || endedUs < startedUs || end === "refused") return [];
  return [{ fromUs: startedUs, ratio: endedUs - startedUs, end: end === "answered" ? end : "stopped" }];
}
