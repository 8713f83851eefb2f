import { Schema } from "effect";
import type { ChallengeOutcome } from "../engine/commands.ts";
import type { Proof } from "../live/transport.ts";
import { MODES } from "../shared/vocabulary.ts";
import { canonicalBase64, Hash, Id, Name, Uint, UintOrNone } from "./fields.ts";
import { orderProofKeys, ProofSchema } from "./proof.ts";
import type { SignedAnswer } from "./receipt.ts";
import { orderAnswerKeys, SignedAnswerSchema } from "./receipt.ts";
import { WIRE_LIMITS } from "./wire-limits.ts";

/** Two answers of one node to one assignment: what it was asked, and both answers in full. Outputs are base64. */
export type EquivocationEvidence = { readonly entry: "equivocation" } & Schema.Schema.Type<typeof EquivocationStruct>;

/** How a challenge ended, with what the challengers answered. */
export type ChallengeEvidence = { readonly entry: "challenge" } & Omit<ChallengeOutcome, "answers"> & {
    readonly answers: readonly SignedAnswer[];
  };

/** A line of the evidence log, without the members of its chain. */
export type EvidenceEntry = EquivocationEvidence | ChallengeEvidence;

const AnswerSchema = Schema.Struct({
  answerHash: Hash,
  output: canonicalBase64(WIRE_LIMITS.maxOutputBytes),
  proof: ProofSchema,
});

const EQUIVOCATION_FIELDS = {
  txHash: Hash,
  callIndex: Uint,
  model: Id,
  mode: Schema.Literals(MODES),
  inputHash: Hash,
  copy: Uint,
  node: Name,
  nodeKey: Hash,
  nonce: Uint,
  /** When both were found to be signed, microseconds. */
  atUs: Uint,
  first: AnswerSchema,
  second: AnswerSchema,
};
const EquivocationStruct = Schema.Struct(EQUIVOCATION_FIELDS);

export const EVIDENCE_ENTRY_FIELDS = [
  { entry: Schema.Literal("equivocation"), ...EQUIVOCATION_FIELDS },
  {
    entry: Schema.Literal("challenge"),
    txHash: Hash,
    callIndex: Uint,
    node: Name,
    outputHash: Hash,
    verdict: Schema.Literals(["upheld", "overturned", "open"]),
    dissenter: Name,
    forfeitedGwei: Uint,
    height: UintOrNone,
    // One, and an arbiter where that one differs.
    answers: Schema.Array(SignedAnswerSchema).check(Schema.isMaxLength(2)),
  },
] as const;

/** The entry with its keys in the canonical order. */
export function orderEvidenceKeys(e: EvidenceEntry): EvidenceEntry {
  if (e.entry === "equivocation") {
    return {
      entry: e.entry,
      txHash: e.txHash,
      callIndex: e.callIndex,
      model: e.model,
      mode: e.mode,
      inputHash: e.inputHash,
      copy: e.copy,
      node: e.node,
      nodeKey: e.nodeKey,
      nonce: e.nonce,
      atUs: e.atUs,
      first: orderFullAnswer(e.first),
      second: orderFullAnswer(e.second),
    };
  }
  return {
    entry: e.entry,
    txHash: e.txHash,
    callIndex: e.callIndex,
    node: e.node,
    outputHash: e.outputHash,
    verdict: e.verdict,
    dissenter: e.dissenter,
    forfeitedGwei: e.forfeitedGwei,
    height: e.height,
    answers: e.answers.map(orderAnswerKeys),
  };
}

function orderFullAnswer(a: { readonly answerHash: string; readonly output: string; readonly proof: Proof }) {
  return { answerHash: a.answerHash, output: a.output, proof: orderProofKeys(a.proof) };
}
