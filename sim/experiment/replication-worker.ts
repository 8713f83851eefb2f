import { parentPort } from "node:worker_threads";
import { assert } from "../../scheduler/shared/assert.ts";
import { UnusableFile } from "../kernel/csv.ts";
import { simulate } from "../world/simulate.ts";
import { SimulationLimit } from "../world/simulation-limit.ts";
import { onlooker } from "./onlooker.ts";
import type { Report, Task } from "./pool.ts";

/** Runs the replications that it is given, one after the other, until it is terminated. */
const port = parentPort;
assert(port !== null, "the replication worker runs in a worker thread");

port.on("message", (task: Task) => port.postMessage(report(task)));
port.postMessage({ kind: "ready" } satisfies Report);

function report({ experiment, replication, ...options }: Task): Report {
  const onLook = onlooker(
    () => performance.now(),
    (share) => port?.postMessage({ kind: "under-way", share } satisfies Report),
  );
  try {
    return { kind: "measured", result: simulate(experiment, replication, { ...options, onLook }) };
  } catch (error) {
    return { kind: "failed", message: messageOf(error), endless: error instanceof SimulationLimit };
  }
}

/** Of what the user can help, what to do; of anything else, where it happened. */
function messageOf(error: unknown): string {
  if (error instanceof SimulationLimit || error instanceof UnusableFile) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
