/** One signature check as a verify worker receives it. */
export interface SignatureCheck {
  readonly key: string;
  /** The encoded statement. */
  readonly message: Uint8Array;
  readonly signature: string;
}

/**
 * A batch of checks. The worker reports through shared memory, so that nothing that it found out is lost when it hangs or
 * dies in the middle: cell 0 counts the checks done, cell `1 + i` holds the outcome of check `i`.
 */
export interface VerifyBatch {
  readonly checks: readonly SignatureCheck[];
  readonly progress: Int32Array<SharedArrayBuffer>;
}

export const OUTCOME_VALID = 1;
export const OUTCOME_INVALID = 2;
/** The check threw: a fault of the verifier, which counts as a rejection (P2). */
export const OUTCOME_THREW = 3;

/** `ready`: the worker is loaded. `done`: the batch is through, its outcomes stand in the shared memory. */
export type VerifyWorkerMessage = "ready" | "done";
