import { parentPort } from "node:worker_threads";
import { verifySignature } from "../../../scheduler/proofs/keys.ts";
import type { VerifyBatch } from "../../../scheduler/live/verify-protocol.ts";
import { OUTCOME_INVALID, OUTCOME_THREW, OUTCOME_VALID } from "../../../scheduler/live/verify-protocol.ts";

/** A verifier with a fault that a signature of its own sets off: it hangs, kills its thread, or throws. */
const HANG = "aa".repeat(64);
const CRASH = "bb".repeat(64);
const THROW = "cc".repeat(64);

parentPort?.on("message", ({ checks, progress }: VerifyBatch) => {
  checks.forEach(({ key, message, signature }, i) => {
    if (signature === HANG) for (;;);
    if (signature === CRASH) process.exit(1);
    const valid = verifySignature(key, message, signature) ? OUTCOME_VALID : OUTCOME_INVALID;
    Atomics.store(progress, 1 + i, signature === THROW ? OUTCOME_THREW : valid);
    Atomics.store(progress, 0, i + 1);
  });
  parentPort?.postMessage("done");
});
parentPort?.postMessage("ready");
