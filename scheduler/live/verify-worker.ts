import { parentPort } from "node:worker_threads";
import { verifySignature } from "../proofs/keys.ts";
import { assert } from "../shared/assert.ts";
import type { VerifyBatch, VerifyWorkerMessage } from "./verify-protocol.ts";
import { OUTCOME_INVALID, OUTCOME_THREW, OUTCOME_VALID } from "./verify-protocol.ts";

/** The verifier's thread: checks Ed25519 signatures, nothing else. Whatever a proof does to it, it does to it alone. */
const port = parentPort;
assert(port !== null, "the verify worker runs as a worker thread");

function say(message: VerifyWorkerMessage): void {
  port?.postMessage(message);
}

port.on("message", ({ checks, progress }: VerifyBatch) => {
  checks.forEach(({ key, message, signature }, i) => {
    Atomics.store(progress, 1 + i, outcome(key, message, signature));
    Atomics.store(progress, 0, i + 1);
  });
  say("done");
});
say("ready");

function outcome(key: string, message: Uint8Array, signature: string): number {
  try {
    return verifySignature(key, message, signature) ? OUTCOME_VALID : OUTCOME_INVALID;
  } catch {
    return OUTCOME_THREW;
  }
}
