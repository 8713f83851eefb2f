import type { CallTerms } from "../shared/vocabulary.ts";
import type { AttestationParts, Enclave, ProofFault, ProofParts, Registration } from "../proofs/judge.ts";
import type { ModelRules, ZkmlRules } from "../proofs/model-rules.ts";
import type { Statement } from "../proofs/statement.ts";
import { WIRE_LIMITS } from "../proofs/wire-limits.ts";
import type { Answer } from "../proofs/answer.ts";

/** What of a copy its statement says, and the output that came for it. */
export interface AnsweredCopy {
  readonly node: { readonly id: string };
  readonly nonce: number;
  readonly outputHash: string;
  readonly race: {
    readonly tx: { readonly hash: string };
    readonly callIndex: number;
    readonly call: Pick<CallTerms, "model" | "mode" | "inputHash">;
  };
}

/** One proof to be judged: the copy as the engine knows it, what came in for it, and what it is judged by. */
export interface ProofCheck {
  readonly chainId: string;
  readonly copy: AnsweredCopy;
  /** `undefined` when nothing is at hand for the copy's answer hash. */
  readonly answer: Answer | undefined;
  /** How the copy's node was registered when the copy was dispatched; `undefined` when it never was. */
  readonly registered: Registration | undefined;
  /** What the registry says of the model; `undefined` when nothing. */
  readonly model: ModelRules | undefined;
  /** The call's input; needed in mode `zkml` only. */
  readonly input: Uint8Array | undefined;
  /** When the answer arrived, in Unix milliseconds. */
  readonly atMs: number;
  /** Asked right before each costly part: a race that was decided meanwhile needs no further verdict. */
  readonly isWanted: () => boolean;
  /** Asks only whether the node signed the answer. */
  readonly signatureOnly?: true;
}

/** `reason` is `valid` for an accepted proof, else a word for logs and metrics. */
export interface Verdict {
  readonly accepted: boolean;
  readonly reason: VerdictReason;
}

/** Words that begin with `verifier-` say nothing about the node. */
export type VerdictReason =
  | "valid"
  | "answer-missing"
  | "unknown-node"
  | "output-too-large"
  | "proof-too-large"
  | ProofFault
  | "verifier-timeout"
  | "verifier-crashed"
  | "verifier-out-of-memory"
  | "verifier-overloaded"
  | "verifier-node-queue-full"
  | "verifier-closed"
  | "not-wanted";

export const VALID: Verdict = { accepted: true, reason: "valid" };

export function rejection(reason: Exclude<VerdictReason, "valid">): Verdict {
  return { accepted: false, reason };
}

/** What became of a node's attestation. */
export type AttestationOutcome =
  | { readonly ok: true; readonly enclave: Enclave }
  | { readonly ok: false; readonly reason: Exclude<VerdictReason, "valid"> };

/** Judges proofs. `done` is called exactly once for each check, never before `check` has returned. */
export interface Verifier {
  /** Checks that wait for a worker. */
  readonly queueLength: number;
  /** `waitedUs`: how long the check waited for workers in all. */
  check(check: ProofCheck, done: (verdict: Verdict, waitedUs: number) => void): void;
  /** Proofs under this key may come from now on: has it ready, so that the first does not wait for what the others need not. */
  expect(rules: ZkmlRules): void;
  /** Holds a node's attestation against a model's rules, as `check` will for each answer in mode `tee`. */
  attest(parts: AttestationParts, done: (outcome: AttestationOutcome) => void): void;
  close(): Promise<void>;
}

/** What is cheap enough to be looked at before anything is computed; what is left is there, and bounded. */
export function partsOf(check: ProofCheck, maxOutputBytes: number): ProofParts | Exclude<VerdictReason, "valid"> {
  const { answer, registered, model, input, atMs, signatureOnly } = check;
  if (answer === undefined) return "answer-missing";
  if (registered === undefined) return "unknown-node";
  const { output, proof } = answer;
  if (output.length > maxOutputBytes) return "output-too-large";
  if (proof.signature.length > 2 * WIRE_LIMITS.maxSignatureBytes) return "proof-too-large";
  if (proof.kind === "zkml" && proof.proof.length > 2 * WIRE_LIMITS.maxZkProofBytes) return "proof-too-large";
  const document = registered.attestation?.document;
  if (document !== undefined && document.length > WIRE_LIMITS.maxAttestationBytes) return "proof-too-large";
  const parts = { statement: expectedStatement(check), registered, proof, output, input, model, atMs };
  return signatureOnly ? { ...parts, signatureOnly } : parts;
}

/** What the node must have signed: the assignment as we gave it out, not as the node repeats it (P3). */
export function expectedStatement({ chainId, copy }: Pick<ProofCheck, "chainId" | "copy">): Statement {
  return {
    chainId,
    txHash: copy.race.tx.hash,
    callIndex: copy.race.callIndex,
    model: copy.race.call.model,
    inputHash: copy.race.call.inputHash,
    mode: copy.race.call.mode,
    node: copy.node.id,
    nonce: copy.nonce,
    outputHash: copy.outputHash,
  };
}
