import { Schema } from "effect";
import type { Movement, OrderEntry } from "../engine/commands.ts";
import { sha256Hex, ZERO_HASH } from "../proofs/digest.ts";
import { encodeFields } from "../proofs/encoding.ts";
import type { EvidenceEntry } from "../proofs/evidence.ts";
import { EVIDENCE_ENTRY_FIELDS, orderEvidenceKeys } from "../proofs/evidence.ts";
import { Hash, Name, Uint, UintOrNone } from "../proofs/fields.ts";
import type { SignedHeader } from "../proofs/header.ts";
import { orderHeaderKeys, SignedHeaderSchema } from "../proofs/header.ts";
import { MAX_PROOF_LENGTH } from "../proofs/merkle.ts";
import type { Receipt } from "../proofs/receipt.ts";
import { encodeReceipt, ReceiptSchema } from "../proofs/receipt.ts";
import type { RegistryEntry } from "../proofs/registry-log.ts";
import { orderRegistryKeys, REGISTRY_ENTRY_FIELDS } from "../proofs/registry-log.ts";

/**
 * The lines of the record files. Every line is canonical JSON: one text for one content. The lines of `order`, `ledger`,
 * `blocks`, `registry` and `evidence` are chained: `n` counts from 0, `prev` is the `hash` of the line before, zeros for the
 * first, and `hash` is SHA-256 over a domain that names the file and the line's text without the `hash` member.
 */
export const CHAINED_LOGS = ["order", "ledger", "blocks", "registry", "evidence"] as const;
export type ChainedLog = (typeof CHAINED_LOGS)[number];
export type RecordLog = ChainedLog | "receipts";
/** The logs of which each block's header says how far they had come. */
export const ANCHORED_LOGS = ["order", "ledger", "registry", "evidence"] as const satisfies readonly ChainedLog[];
export type AnchoredLog = (typeof ANCHORED_LOGS)[number];
export const RECORD_LOGS = [...CHAINED_LOGS, "receipts"] as const satisfies readonly RecordLog[];

export function fileOf(log: RecordLog): string {
  return `${log}.jsonl`;
}

/** Where a chain stands: how many lines it has and the hash of the last one. */
export interface ChainHead {
  readonly count: number;
  readonly hash: string;
}

export const EMPTY_CHAIN: ChainHead = { count: 0, hash: ZERO_HASH };

/** A block's life on the chain, as a line of `blocks.jsonl`. */
export type BlockEntry =
  | ({ readonly entry: "sealed" } & SignedHeader)
  | { readonly entry: "committed" | "reverted"; readonly height: number; readonly block: string };

/** What a line of each chained log says, without the chain's own members. */
export interface LogBodies {
  readonly order: OrderEntry;
  readonly ledger: Movement;
  readonly blocks: BlockEntry;
  readonly registry: RegistryEntry;
  readonly evidence: EvidenceEntry;
}

/** The next line of a chain, with its line feed, and the chain's head after it. */
export function chainLine<L extends ChainedLog>(
  log: L,
  head: ChainHead,
  body: LogBodies[L],
): { readonly text: string; readonly head: ChainHead } {
  const open = JSON.stringify({ n: head.count, prev: head.hash, ...BODY_KEYS[log](body) });
  const hash = sha256Hex(encodeFields(`pipe/record/${log}/v1`, [open]));
  return { text: `${open.slice(0, -1)},"hash":"${hash}"}\n`, head: { count: head.count + 1, hash } };
}

/** A receipt as a line of `receipts.jsonl`: the block's header hash, the receipt, its leaf and its inclusion proof. */
export interface ReceiptRecord {
  readonly block: string;
  readonly receipt: Receipt;
  readonly leaf: string;
  readonly path: readonly string[];
}

export function receiptLine({ block, receipt, leaf, path }: ReceiptRecord): string {
  return `{"block":"${block}","receipt":${encodeReceipt(receipt)},"leaf":"${leaf}","path":${JSON.stringify(path)}}\n`;
}

/** Writes each body with its keys in the canonical order. */
const BODY_KEYS: { readonly [L in ChainedLog]: (body: LogBodies[L]) => LogBodies[L] } = {
  order: (e) => ({
    entry: e.entry,
    atUs: e.atUs,
    seq: e.seq,
    txHash: e.txHash,
    sender: e.sender,
    nonce: e.nonce,
    callIndex: e.callIndex,
    queue: e.queue,
  }),
  ledger: (m) => ({
    kind: m.kind,
    account: m.account,
    amountGwei: m.amountGwei,
    txHash: m.txHash,
    callIndex: m.callIndex,
    height: m.height,
  }),
  blocks: (b) => {
    if (b.entry !== "sealed") return { entry: b.entry, height: b.height, block: b.block };
    return { entry: b.entry, header: orderHeaderKeys(b.header), block: b.block, signature: b.signature };
  },
  registry: orderRegistryKeys,
  evidence: orderEvidenceKeys,
};

const CHAIN_FIELDS = { n: Uint, prev: Hash, hash: Hash };

const MOVEMENTS = [
  "deposited",
  "escrowed",
  "refunded",
  "paid",
  "unpaid",
  "bonded",
  "unbonded",
  "forfeited",
  "compensated",
  "rewarded",
] as const satisfies readonly Movement["kind"][];

const MarkSchema = Schema.Struct({
  ...CHAIN_FIELDS,
  entry: Schema.Literals(["committed", "reverted"]),
  height: Uint,
  block: Hash,
});

/** What each line must look like; for whoever reads the files without trusting them. */
export const LINE_SCHEMAS = {
  order: Schema.Struct({
    ...CHAIN_FIELDS,
    entry: Schema.Literals(["admitted", "queued", "launched", "dequeued", "left", "returned"]),
    atUs: Uint,
    seq: Uint,
    txHash: Hash,
    sender: Name,
    nonce: Uint,
    callIndex: UintOrNone,
    queue: Name,
  }),
  ledger: Schema.Struct({
    ...CHAIN_FIELDS,
    kind: Schema.Literals(MOVEMENTS),
    account: Name,
    amountGwei: Uint,
    txHash: Schema.Union([Hash, Schema.Literal("")]),
    callIndex: UintOrNone,
    height: UintOrNone,
  }),
  blocks: Schema.Union([
    Schema.Struct({ ...CHAIN_FIELDS, entry: Schema.Literal("sealed"), ...SignedHeaderSchema.fields }),
    MarkSchema,
  ]),
  registry: Schema.Union(REGISTRY_ENTRY_FIELDS.map((fields) => Schema.Struct({ ...CHAIN_FIELDS, ...fields }))),
  evidence: Schema.Union(EVIDENCE_ENTRY_FIELDS.map((fields) => Schema.Struct({ ...CHAIN_FIELDS, ...fields }))),
  receipts: Schema.Struct({
    block: Hash,
    receipt: ReceiptSchema,
    leaf: Hash,
    path: Schema.Array(Hash).check(Schema.isMaxLength(MAX_PROOF_LENGTH)),
  }),
} as const;
