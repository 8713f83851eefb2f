import { parentPort } from "node:worker_threads";
import { assert } from "../../scheduler/shared/assert.ts";
import { runSeed } from "./run.ts";

/** One thread of the swarm: is told a seed, answers with its result, waits for the next. */
assert(parentPort !== null, "the swarm's worker runs as a worker thread");
const parent = parentPort;
parent.on("message", (seed: number) => parent.postMessage(runSeed(seed)));
