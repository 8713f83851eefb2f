import { Schema, SchemaTransformation } from "effect";
import { ConflictRuleSchema } from "../proofs/conflict-rule.ts";
import { Hash, Id, integer, Name, Signature, Uint, UintOrNone } from "../proofs/fields.ts";
import { HeaderSchema } from "../proofs/header.ts";
import { ReceiptSchema, SignedAnswerSchema } from "../proofs/receipt.ts";
import { SignedTransactionSchema } from "../proofs/transaction-schema.ts";
import { WIRE_LIMITS } from "../proofs/wire-limits.ts";
import { MODES } from "../shared/vocabulary.ts";

/**
 * What goes over HTTP. Amounts are gwei, times microseconds since 1970 unless their name says milliseconds, both safe integers
 * (below 2^53), so that no JSON parser loses a digit; hashes, keys and signatures are lower-case hexadecimal without prefix;
 * bytes are base64. What there is nothing of is left out, never null.
 */

const { optionalKey: maybe } = Schema;

/** Heights have room to count on: nothing that is added to one leaves the safe integers. */
const MAX_HEIGHT = 2 ** 48;
export const Height = integer(0, MAX_HEIGHT);

/** A height in a path: decimal digits and nothing else. */
export const HeightInPath = Schema.String.check(Schema.isPattern(/^(?:0|[1-9][0-9]{0,14})$/u)).pipe(
  Schema.decodeTo(Height, SchemaTransformation.transform({ decode: Number, encode: String })),
);

export const Transaction = SignedTransactionSchema.annotate({ identifier: "SignedTransaction" });

const { signature: _, ...unsigned } = SignedTransactionSchema.fields;

/** A transaction that is asked about: signed or not. */
export const AskedTransaction = Schema.Struct({ ...unsigned, signature: maybe(Signature) }).annotate({
  identifier: "AskedTransaction",
});

const TransactionStates = Schema.Literals([
  "discovering",
  "racing",
  "ready",
  "sealed",
  "committed",
  "refunded",
  "replaced",
  "withdrawn",
]);
const Lanes = Schema.Literals(["fast", "slow"]);

const Result = Schema.Struct({
  node: Name,
  outputHash: Hash,
  feeGwei: Uint,
  speculative: Schema.Boolean,
  decidedUs: Uint,
  decidedHeight: UintOrNone,
  validUntilHeight: UintOrNone,
});

const Call = Schema.Struct({
  model: Schema.String,
  mode: Schema.Literals(MODES),
  digest: Hash,
  inputHash: Hash,
  maxFeeGwei: Uint,
  result: maybe(Result),
});

export const TransactionStatus = Schema.Struct({
  hash: Hash,
  sender: Schema.String,
  nonce: Uint,
  gasPriceGwei: Uint,
  seq: Uint,
  state: TransactionStates,
  lane: Lanes,
  slowReason: maybe(Schema.Literals(["redundancy-collapsed", "race-exhausted", "out-of-time"])),
  refundReason: maybe(Schema.Literals(["expired", "pre-execution-failed", "withdrawn", "replaced"])),
  admittedUs: Uint,
  admittedHeight: UintOrNone,
  expiryHeight: UintOrNone,
  finalHeight: UintOrNone,
  escrowGwei: Uint,
  calls: Schema.Array(Call),
}).annotate({ identifier: "TransactionStatus" });

/** `known`: it had been taken before; then `transaction` says how it is, unless it left meanwhile. */
export const Submitted = Schema.Struct({
  hash: Hash,
  known: Schema.Boolean,
  transaction: maybe(TransactionStatus),
}).annotate({ identifier: "Submitted" });

const SealEstimate = Schema.Struct({ height: Uint, sealAtUs: Uint, probability: Schema.Finite });
const SealEstimates = Schema.Array(SealEstimate);
export const Estimates = Schema.Struct({ hash: Hash, seal: SealEstimates }).annotate({ identifier: "Estimates" });

/** As much as the mempool lets a transaction wait. */
export const QuoteQuestion = Schema.Struct({
  model: Id,
  tokensIn: integer(0, WIRE_LIMITS.maxTokens),
  tokensOut: integer(0, WIRE_LIMITS.maxTokens),
  conflict: maybe(ConflictRuleSchema),
  ttlBlocks: integer(1, WIRE_LIMITS.maxTtlBlocks),
}).annotate({ identifier: "QuoteQuestion" });

const ModeQuote = Schema.Struct({
  mode: Schema.Literals(MODES),
  available: Schema.Boolean,
  advice: maybe(Schema.String),
  guarantee: Schema.String,
  caveat: maybe(Schema.String),
  nodes: Uint,
  operators: Uint,
  waiting: Uint,
  maxFeeGwei: maybe(Schema.Struct({ least: Uint, median: Uint, most: Uint })),
  latency: Schema.Union([
    Schema.Struct({
      source: Schema.Literal("learned"),
      observations: Schema.Finite,
      p50Ms: maybe(Schema.Finite),
      p95Ms: maybe(Schema.Finite),
    }),
    Schema.Struct({ source: Schema.Literal("prior") }),
  ]),
  seal: SealEstimates,
  sealedBy: Schema.Struct({ p90: maybe(Uint), p99: maybe(Uint) }),
  trustGapBlocks: Uint,
});

export const Quote = Schema.Struct({
  model: Schema.String,
  conflict: ConflictRuleSchema,
  height: Uint,
  modes: Schema.Array(ModeQuote),
}).annotate({ identifier: "Quote" });

/** The most that one message may move; the engine's own limit of what circulates is far above it. */
const Amount = integer(1, 2 ** 52);
export const Deposit = Schema.Struct({ amountGwei: Amount }).annotate({ identifier: "Deposit" });
export const Bond = Schema.Struct({ amountGwei: integer(0, 2 ** 52) }).annotate({ identifier: "Bond" });
export const NodeBond = Schema.Struct({ node: Name, amountGwei: Uint }).annotate({ identifier: "NodeBond" });
export const Account = Schema.Struct({ id: Name, nextNonce: Uint, depositGwei: Uint, pending: Uint }).annotate({
  identifier: "Account",
});
/** An account or a node, as a path names it. */
export const NameInPath = Name.check(Schema.isMinLength(1));

/** A year around now has room in it; times beyond would be mistakes of a unit. */
export const BlockOpening = Schema.Struct({ height: Height, sealAtMs: integer(0, 2 ** 43) }).annotate({
  identifier: "BlockOpening",
});
export const SealRequest = Schema.Struct({
  maxTransactions: Uint,
  order: Schema.Literals(["arrival", "gas"]),
}).annotate({ identifier: "SealRequest" });
/** Whether the message changed anything: false when the same was said before. */
export const Changed = Schema.Struct({ height: Uint, changed: Schema.Boolean }).annotate({ identifier: "Changed" });

/** Members beside `kind` and `signature` depend on the kind. */
const Proof = Schema.Struct({
  kind: Schema.Literals(MODES),
  signature: Schema.String,
  attestation: maybe(Hash),
  proof: maybe(Schema.String),
}).annotate({ identifier: "Proof" });
const SignedAnswer = Schema.Struct({ ...SignedAnswerSchema.fields, proof: Proof });
const Receipt = Schema.Struct({
  ...ReceiptSchema.fields,
  supporters: Schema.Array(SignedAnswer),
  proof: Proof,
}).annotate({ identifier: "Receipt" });

export const Block = Schema.Struct({
  header: HeaderSchema,
  block: Hash,
  signature: Signature,
  receipts: Schema.Array(Schema.Struct({ block: Hash, receipt: Receipt, leaf: Hash, path: Schema.Array(Hash) })),
}).annotate({ identifier: "Block" });

export const stateChange = (maxKeys: number) =>
  Schema.Struct({ keys: Schema.Array(Name).check(Schema.isMaxLength(maxKeys)) }).annotate({
    identifier: "StateChange",
  });

/** A policy file's content; docs/TUNING.md says what stands in it. */
export const PolicyFile = Schema.StructWithRest(
  Schema.Struct({ name: Schema.String, rules: Schema.Array(Schema.Unknown) }),
  [Schema.Record(Schema.String, Schema.Unknown)],
).annotate({ identifier: "PolicyFile" });

export const Policy = Schema.Struct({
  name: Schema.String,
  version: Hash,
  origin: maybe(Schema.String),
  policy: Schema.Record(Schema.String, Schema.Unknown),
}).annotate({ identifier: "Policy" });

const Figures = Schema.Record(Schema.String, Schema.Finite);

/** Names and meanings as in `ServiceStatistics`; more may be added. */
export const Statistics = Schema.Struct({
  counters: Figures,
  sizes: Figures,
  ledger: Figures,
  droppedMessages: Uint,
  blobBytes: Uint,
  policy: Schema.Struct({ name: Schema.String, version: Hash, origin: maybe(Schema.String) }),
}).annotate({ identifier: "Statistics" });

export const Registry = Schema.Struct({
  chainId: Schema.String,
  schedulerKey: Hash,
  digest: Hash,
  admission: Schema.Literals(["open", "listed"]),
  models: Schema.Array(
    Schema.Struct({
      id: Schema.String,
      modes: Schema.Array(Schema.Literals(MODES)),
      limits: Schema.Struct({ inputBytes: Uint, tokensIn: Uint, tokensOut: Uint }),
    }),
  ),
  nodes: Schema.Array(
    Schema.Struct({
      id: Name,
      key: Schema.String,
      operator: Schema.String,
      region: Schema.String,
      hardware: Schema.String,
      bondGwei: Uint,
    }),
  ),
}).annotate({ identifier: "Registry" });

/** An event's kind; what else stands in it, docs/HTTP.md says. */
export const Event = Schema.StructWithRest(
  Schema.Struct({
    kind: Schema.Literals([
      "transaction",
      "rejected",
      "launched",
      "cancelled",
      "lost",
      "decided",
      "sealed",
      "committed",
      "reverted",
      "alarm",
      "evidence",
      "challengeEnded",
      "policy-changed",
      "policy-refused",
      "lagged",
    ]),
  }),
  [Schema.Record(Schema.String, Schema.Unknown)],
).annotate({ identifier: "Event" });

export const Health = Schema.Struct({ status: Schema.Literal("alive"), program: Schema.String }).annotate({
  identifier: "Health",
});
export const Ready = Schema.Struct({ status: Schema.Literal("ready"), nodes: Uint, height: Uint }).annotate({
  identifier: "Ready",
});
