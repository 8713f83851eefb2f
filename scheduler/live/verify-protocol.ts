import type { AttestationStage, SignatureStage, StageOutcome, ZkStage } from "../proofs/judge.ts";
import type { ZkmlRules } from "../proofs/model-rules.ts";
import type { Trust } from "../proofs/stage-runner.ts";

/**
 * What a verify process is told, over its IPC channel. Signatures come in batches, anything dearer comes alone. A verification
 * key that the process was given before comes as an empty text. Keys are prepared before proofs come: what is dear the first time
 * is not done while somebody waits.
 */
export type VerifyTask =
  | { readonly kind: "open"; readonly trust: Trust; readonly preload: Preload | undefined }
  | { readonly kind: "prepare"; readonly keys: readonly ZkmlRules[] }
  | { readonly kind: "signatures"; readonly stages: readonly SignatureStage[] }
  | { readonly kind: "dear"; readonly stage: AttestationStage | ZkStage };

/** What a process that is for dear stages has ready when it opens: their code, and these keys. */
export interface Preload {
  readonly keys: readonly ZkmlRules[];
}

/** What it answers there: that it is open, or what became of something dear (`undefined` when that threw) and how long it took. */
export type VerifyAnswer = "open" | { readonly outcome: StageOutcome | undefined; readonly tookUs: number };

/**
 * Where it writes one byte for each signature as soon as that is judged: a pipe, so that nothing that it found out is lost when
 * it hangs or dies at the next one.
 */
export const OUTCOMES_FD = 4;
export const OUTCOME_VALID = 1;
export const OUTCOME_INVALID = 2;
/** The check threw: a fault of the verifier, which counts as a rejection (P2). */
export const OUTCOME_THREW = 3;

/** Verification keys that a process remembers; it forgets them in the order in which they came, and so does who sends them. */
export const MAX_SENT_KEYS = 64;
