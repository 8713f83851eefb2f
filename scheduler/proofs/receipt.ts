import { Schema } from "effect";
import type { CallResult } from "../engine/commands.ts";
import type { Proof } from "../live/transport.ts";
import type { CopyState } from "../shared/vocabulary.ts";
import { MODES } from "../shared/vocabulary.ts";
import { sha256Hex } from "./digest.ts";
import { encodeFields } from "./encoding.ts";
import { canonicalBase64, Hash, Id, Name, Signature, Uint, UintOrNone } from "./fields.ts";
import type { Statement } from "./statement.ts";
import { WIRE_LIMITS } from "./wire-limits.ts";

const RECEIPT_DOMAIN = "pipe/receipt/v1";

const COPY_STATES = [
  "sent",
  "running",
  "verifying",
  "won",
  "outrun",
  "rejected",
  "failed",
  "expired",
  "cancelled",
] as const satisfies readonly CopyState[];

const RivalSchema = Schema.Struct({ node: Name, end: Schema.Literals(COPY_STATES), speculative: Schema.Boolean });

/**
 * Who won one call's race, with which proof, when, against whom and for what fee, and the block that carries the result:
 * enough for a third party to check. Times are microseconds, fees gwei, hashes and keys hexadecimal, `output` base64;
 * `position` is the transaction's place in its block, `nodeKey` the winner's public key.
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
  inputHash: Hash,
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
  rivals: Schema.Array(RivalSchema).check(Schema.isMaxLength(WIRE_LIMITS.maxRivals)),
  output: canonicalBase64(WIRE_LIMITS.maxOutputBytes),
  proof: Schema.Struct({ kind: Schema.Literal("vanilla"), signature: Signature }),
});

export type Receipt = typeof ReceiptSchema.Type;

/** What a receipt says beyond the race's decision. */
export interface ReceiptContext {
  readonly chainId: string;
  readonly height: number;
  readonly sealedUs: number;
  readonly position: number;
  readonly nodeKey: string;
  readonly output: Uint8Array;
  readonly proof: Proof;
}

export function receiptOf(result: CallResult, context: ReceiptContext): Receipt {
  const output = Buffer.from(context.output).toString("base64");
  return orderKeys({ ...result, ...context, output });
}

/** Canonical JSON: the keys of the schema in its order, no spaces. Equal receipts, and only they, have equal text. */
export function encodeReceipt(receipt: Receipt): string {
  return JSON.stringify(orderKeys(receipt));
}

/** The receipt's leaf in its block's tree: SHA-256 over a domain and the canonical JSON. */
export function receiptLeaf(receipt: Receipt): string {
  return sha256Hex(encodeFields(RECEIPT_DOMAIN, [encodeReceipt(receipt)]));
}

/** The statement that the winning node must have signed (P3). */
export function receiptStatement(receipt: Receipt): Statement {
  const { chainId, txHash, callIndex, model, inputHash, mode, node, nonce, outputHash } = receipt;
  return { chainId, txHash, callIndex, model, inputHash, mode, node, nonce, outputHash };
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
    inputHash: r.inputHash,
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
    rivals: r.rivals.map(({ node, end, speculative }) => ({ node, end, speculative })),
    output: r.output,
    proof: { kind: r.proof.kind, signature: r.proof.signature },
  };
}
