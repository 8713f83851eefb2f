import { simulate } from "../../sim/world/simulate.ts";
import { HEDGE_MODEL, WITH_BLOCKS } from "./sim-world.bench.ts";

/** One simulation in a process of its own: `bare|blocks JOBS`. Prints what it took at most, and what is left of it. */
const [world, jobs] = process.argv.slice(2);
simulate({ ...(world === "blocks" ? WITH_BLOCKS : HEDGE_MODEL), jobs: Number(jobs), warmup: 0 }, 0, { samples: 0 });
globalThis.gc?.();
const { maxRSS } = process.resourceUsage();
process.stdout.write(JSON.stringify({ peakBytes: 1_024 * maxRSS, heapBytes: process.memoryUsage().heapUsed }));
