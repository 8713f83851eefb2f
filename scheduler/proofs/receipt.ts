import { Schema } from "effect";
import type { CallResult, Support } from "../engine/commands.ts";
import type { Proof } from "../live/transport.ts";
import type { ConflictRule, CopyState } from "../shared/vocabulary.ts";
import { MODES } from "../shared/vocabulary.ts";
import { ConflictRuleSchema, orderConflictKeys } from "./conflict-rule.ts";
import { sha256Hex } from "./digest.ts";
import { encodeFields } from "./encoding.ts";
import { canonicalBase64, Hash, Id, Name, Uint, UintOrNone } from "./fields.ts";
import { orderProofKeys, ProofSchema } from "./proof.ts";
import type { Statement } from "./statement.ts";
import { WIRE_LIMITS } from "./wire-limits.ts";

const RECEIPT_DOMAIN = "pipe/receipt/v2";

const COPY_STATES = [
  "sent",
  "running",
  "verifying",
  "held",
  "won",
  "supported",
  "outvoted",
  "outrun",
  "rejected",
  "failed",
  "expired",
  "cancelled",
] as const satisfies readonly CopyState[];

const RivalSchema = Schema.Struct({ node: Name, end: Schema.Literals(COPY_STATES), speculative: Schema.Boolean });

/** Output of an answer, base64. */
const Output = canonicalBase64(WIRE_LIMITS.maxOutputBytes);

/**
 * An answer that counted beside the winner's, or that judged it: who gave it, for which assignment, for what fee, with output
 * (base64) and proof. `nodeKey` is the key under which its node was registered when it got the assignment.
 */
export const SignedAnswerSchema = Schema.Struct({
  copy: Uint,
  node: Name,
  nodeKey: Hash,
  nonce: Uint,
  outputHash: Hash,
  answerHash: Hash,
  feeGwei: Uint,
  answeredUs: Uint,
  output: Output,
  proof: ProofSchema,
});

export type SignedAnswer = typeof SignedAnswerSchema.Type;

/**
 * Who won one call's race, with which proof, when, against whom and for what fee, and the block that carries the result:
 * enough for a third party to check. Times are microseconds, fees gwei, hashes and keys hexadecimal, `output` base64;
 * `position` is the transaction's place in its block, `nodeKey` the winner's public key. `input` is base64 in mode `zkml`,
 * whose proofs have it among their public inputs, and empty in every other. `supporters` are the other answers that the
 * conflict rule counted; each is paid its own `feeGwei`.
 */
export const ReceiptSchema = Schema.Struct({
  chainId: Id,
  height: Uint,
  sealedUs: Uint,
  position: Uint,
  txHash: Hash,
  callIndex: Uint,
  digest: Hash,
  model: Id,
  mode: Schema.Literals(MODES),
  conflict: ConflictRuleSchema,
  inputHash: Hash,
  input: canonicalBase64(WIRE_LIMITS.maxInputBytes),
  lane: Schema.Literals(["fast", "slow"]),
  copy: Uint,
  node: Name,
  nodeKey: Hash,
  nonce: Uint,
  speculative: Schema.Boolean,
  outputHash: Hash,
  answerHash: Hash,
  maxFeeGwei: Uint,
  feeGwei: Uint,
  openedUs: Uint,
  launchedUs: Uint,
  answeredUs: Uint,
  decidedUs: Uint,
  decidedHeight: UintOrNone,
  validUntilHeight: UintOrNone,
  bondGwei: Uint,
  challengeBlocks: Uint,
  supporters: Schema.Array(SignedAnswerSchema).check(Schema.isMaxLength(WIRE_LIMITS.maxQuorum - 1)),
  rivals: Schema.Array(RivalSchema).check(Schema.isMaxLength(WIRE_LIMITS.maxRivals)),
  output: Output,
  proof: ProofSchema,
});

export type Receipt = typeof ReceiptSchema.Type;

/** An answer's bytes and proof, and the key of its node. */
export interface AnswerInFull {
  readonly nodeKey: string;
  readonly output: Uint8Array;
  readonly proof: Proof;
}

/** What a receipt says beyond the race's decision. */
export interface ReceiptContext extends AnswerInFull {
  readonly chainId: string;
  readonly height: number;
  readonly sealedUs: number;
  readonly position: number;
  readonly conflict: ConflictRule;
  /** What the model got; needed in mode `zkml` only. */
  readonly input: Uint8Array;
  readonly supporters: readonly SignedAnswer[];
}

export function receiptOf(result: CallResult, context: ReceiptContext): Receipt {
  const input = result.mode === "zkml" ? base64(context.input) : "";
  return orderKeys({ ...result, ...context, input, output: base64(context.output) });
}

export function signedAnswerOf(support: Support, { nodeKey, output, proof }: AnswerInFull): SignedAnswer {
  return orderAnswerKeys({ ...support, nodeKey, output: base64(output), proof });
}

/** Canonical JSON: the keys of the schema in its order, no spaces. Equal receipts, and only they, have equal text. */
export function encodeReceipt(receipt: Receipt): string {
  return JSON.stringify(orderKeys(receipt));
}

/** The receipt's leaf in its block's tree: SHA-256 over a domain and the canonical JSON. */
export function receiptLeaf(receipt: Receipt): string {
  return sha256Hex(encodeFields(RECEIPT_DOMAIN, [encodeReceipt(receipt)]));
}

/** What the answers to a call have in common. */
export type AskedCall = Pick<Receipt, "chainId" | "txHash" | "callIndex" | "model" | "inputHash" | "mode">;

/** The statement that a node must have made to give this answer to this call (P3); the winner's, or a supporter's. */
export function statementOf(call: AskedCall, answer: Pick<SignedAnswer, "node" | "nonce" | "outputHash">): Statement {
  const { chainId, txHash, callIndex, model, inputHash, mode } = call;
  const { node, nonce, outputHash } = answer;
  return { chainId, txHash, callIndex, model, inputHash, mode, node, nonce, outputHash };
}

/** All that a call's result costs: the winner's fee and those of the answers that it took besides. */
export function receiptFeesGwei({ feeGwei, supporters }: Receipt): number {
  return supporters.reduce((sum, supporter) => sum + supporter.feeGwei, feeGwei);
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}

/** The answer with its keys in the canonical order. */
export function orderAnswerKeys(a: SignedAnswer): SignedAnswer {
  return {
    copy: a.copy,
    node: a.node,
    nodeKey: a.nodeKey,
    nonce: a.nonce,
    outputHash: a.outputHash,
    answerHash: a.answerHash,
    feeGwei: a.feeGwei,
    answeredUs: a.answeredUs,
    output: a.output,
    proof: orderProofKeys(a.proof),
  };
}

function orderKeys(r: Receipt): Receipt {
  return {
    chainId: r.chainId,
    height: r.height,
    sealedUs: r.sealedUs,
    position: r.position,
    txHash: r.txHash,
    callIndex: r.callIndex,
    digest: r.digest,
    model: r.model,
    mode: r.mode,
    conflict: orderConflictKeys(r.conflict),
    inputHash: r.inputHash,
    input: r.input,
    lane: r.lane,
    copy: r.copy,
    node: r.node,
    nodeKey: r.nodeKey,
    nonce: r.nonce,
    speculative: r.speculative,
    outputHash: r.outputHash,
    answerHash: r.answerHash,
    maxFeeGwei: r.maxFeeGwei,
    feeGwei: r.feeGwei,
    openedUs: r.openedUs,
    launchedUs: r.launchedUs,
    answeredUs: r.answeredUs,
    decidedUs: r.decidedUs,
    decidedHeight: r.decidedHeight,
    validUntilHeight: r.validUntilHeight,
    bondGwei: r.bondGwei,
    challengeBlocks: r.challengeBlocks,
    supporters: r.supporters.map(orderAnswerKeys),
    rivals: r.rivals.map(({ node, end, speculative }) => ({ node, end, speculative })),
    output: r.output,
    proof: orderProofKeys(r.proof),
  };
}
