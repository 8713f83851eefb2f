import { parentPort } from "node:worker_threads";
import { assert } from "../../scheduler/shared/assert.ts";
import { simulate } from "../world/simulate.ts";
import type { Report, Task } from "./pool.ts";

/** Runs the replications that it is given, one after the other, until it is terminated. */
const port = parentPort;
assert(port !== null, "the replication worker runs in a worker thread");

port.on("message", (task: Task) => port.postMessage(report(task)));
port.postMessage({ kind: "ready" } satisfies Report);

function report({ experiment, replication, samples }: Task): Report {
  try {
    return { kind: "measured", result: simulate(experiment, replication, { samples }) };
  } catch (error) {
    return { kind: "failed", message: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}
