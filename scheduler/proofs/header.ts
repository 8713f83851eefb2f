import { Schema } from "effect";
import { sha256Hex } from "./digest.ts";
import { encodeFields } from "./encoding.ts";
import { Hash, Id, Signature, Uint } from "./fields.ts";
import type { SigningKey } from "./keys.ts";
import { verifySignature } from "./keys.ts";

const HEADER_DOMAIN = "pipe/header/v2";

/**
 * What the scheduler signs of a sealed block. `parent` is the hash of the header before it on the canonical chain, zeros for
 * the first; `transactions` are in block order. `orderCount` and `orderHead` say how many lines the ordering log had at the
 * seal and the hash of the last one; those of ledger, registry and evidence alike: so the signature covers these logs, and none
 * of their earlier lines can be taken away or written again. `feesGwei` is what the results cost, supporters included. `key` is
 * the scheduler's public key.
 */
export const HeaderSchema = Schema.Struct({
  chainId: Id,
  height: Uint,
  sealedUs: Uint,
  parent: Hash,
  receiptsRoot: Hash,
  receiptCount: Uint,
  transactions: Schema.Array(Hash),
  feesGwei: Uint,
  orderCount: Uint,
  orderHead: Hash,
  ledgerCount: Uint,
  ledgerHead: Hash,
  registryCount: Uint,
  registryHead: Hash,
  evidenceCount: Uint,
  evidenceHead: Hash,
  key: Hash,
});

export type BlockHeader = typeof HeaderSchema.Type;

export const SignedHeaderSchema = Schema.Struct({ header: HeaderSchema, block: Hash, signature: Signature });

/** `block` is the header's hash, by which receipts and marks name the block. */
export type SignedHeader = typeof SignedHeaderSchema.Type;

export function signHeader(header: BlockHeader, key: SigningKey): SignedHeader {
  const message = encodeHeader(header);
  return { header: orderHeaderKeys(header), block: sha256Hex(message), signature: key.sign(message) };
}

/** Whether the hash is the header's and the signature that of the key which the header names. */
export function isSignedHeader({ header, block, signature }: SignedHeader): boolean {
  const message = encodeHeader(header);
  return sha256Hex(message) === block && verifySignature(header.key, message, signature);
}

/** The header with its keys in the canonical order, so that its JSON is canonical. */
export function orderHeaderKeys(h: BlockHeader): BlockHeader {
  return {
    chainId: h.chainId,
    height: h.height,
    sealedUs: h.sealedUs,
    parent: h.parent,
    receiptsRoot: h.receiptsRoot,
    receiptCount: h.receiptCount,
    transactions: h.transactions,
    feesGwei: h.feesGwei,
    orderCount: h.orderCount,
    orderHead: h.orderHead,
    ledgerCount: h.ledgerCount,
    ledgerHead: h.ledgerHead,
    registryCount: h.registryCount,
    registryHead: h.registryHead,
    evidenceCount: h.evidenceCount,
    evidenceHead: h.evidenceHead,
    key: h.key,
  };
}

function encodeHeader(header: BlockHeader): Uint8Array {
  return encodeFields(HEADER_DOMAIN, [JSON.stringify(orderHeaderKeys(header))]);
}
