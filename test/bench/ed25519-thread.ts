/** A thread that checks signatures for as long as it is told, and says how many a second: what a busy core leaves the other one. */
import { parentPort } from "node:worker_threads";
import { bareVerification, perSecond } from "./verification.bench.ts";

const act = await bareVerification();
parentPort?.on("message", (forMs: number) => parentPort?.postMessage(perSecond(act, forMs)));
parentPort?.postMessage("ready");
