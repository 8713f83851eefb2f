import type { CopyView } from "../engine/commands.ts";
import { sha256Hex } from "../proofs/digest.ts";
import type { Statement } from "../proofs/statement.ts";
import type { Answer } from "./answer.ts";

/** One proof to be judged: the copy as the engine knows it, and what came in for it. */
export interface ProofCheck {
  readonly chainId: string;
  readonly copy: CopyView;
  /** `undefined` when nothing is at hand for the copy's answer hash. */
  readonly answer: Answer | undefined;
  /** The registered key of the node that the copy was assigned to; `undefined` when it never registered. */
  readonly nodeKey: string | undefined;
  /** Asked right before the costly part: a race that was decided meanwhile needs no further verdict. */
  readonly isWanted: () => boolean;
}

/** `reason` is `valid` for an accepted proof, else a word for logs and metrics. */
export interface Verdict {
  readonly accepted: boolean;
  readonly reason: VerdictReason;
}

export type VerdictReason =
  | "valid"
  | "answer-missing"
  | "unknown-node"
  | "output-too-large"
  | "output-mismatch"
  | "wrong-proof-kind"
  | "bad-signature"
  | "verifier-timeout"
  | "verifier-crashed"
  | "verifier-overloaded"
  | "verifier-closed"
  | "not-wanted";

export const VALID: Verdict = { accepted: true, reason: "valid" };

export function rejection(reason: Exclude<VerdictReason, "valid">): Verdict {
  return { accepted: false, reason };
}

/** Judges proofs. `done` is called exactly once for each check. */
export interface Verifier {
  check(check: ProofCheck, done: (verdict: Verdict) => void): void;
  close(): Promise<void>;
}

/** What is cheap enough to be looked at before a verifier is troubled. `undefined` when nothing is wrong so far. */
export function cheapCheck(check: ProofCheck, maxOutputBytes: number): Verdict | undefined {
  const { copy, answer, nodeKey } = check;
  if (answer === undefined) return rejection("answer-missing");
  if (nodeKey === undefined) return rejection("unknown-node");
  if (answer.output.length > maxOutputBytes) return rejection("output-too-large");
  if (answer.proof.kind !== copy.race.call.mode) return rejection("wrong-proof-kind");
  if (sha256Hex(answer.output) !== copy.outputHash) return rejection("output-mismatch");
  return undefined;
}

/** What the node must have signed: the assignment as we gave it out, not as the node repeats it (P3). */
export function expectedStatement(check: ProofCheck): Statement {
  const { chainId, copy } = check;
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
