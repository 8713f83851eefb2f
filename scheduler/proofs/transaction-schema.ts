import { Schema } from "effect";
import { MODES } from "../shared/vocabulary.ts";
import { ConflictRuleSchema } from "./conflict-rule.ts";
import { canonicalBase64, Hash, Id, integer, Signature, Uint } from "./fields.ts";
import { WIRE_LIMITS } from "./wire-limits.ts";

const SignedCallSchema = Schema.Struct({
  model: Id,
  mode: Schema.Literals(MODES),
  input: canonicalBase64(WIRE_LIMITS.maxInputBytes),
  tokensIn: integer(0, WIRE_LIMITS.maxTokens),
  tokensOut: integer(0, WIRE_LIMITS.maxTokens),
  maxFeeGwei: integer(0, WIRE_LIMITS.maxFeeGwei),
  conflict: ConflictRuleSchema,
  validityBlocks: integer(0, WIRE_LIMITS.maxValidityBlocks),
});

/** What a signed transaction must look like; anything more or less is malformed. */
export const SignedTransactionSchema = Schema.Struct({
  chainId: Id,
  sender: Hash,
  nonce: Uint,
  gasPriceGwei: integer(0, WIRE_LIMITS.maxGasPriceGwei),
  ttlBlocks: integer(1, WIRE_LIMITS.maxTtlBlocks),
  calls: Schema.Array(SignedCallSchema).check(Schema.isMaxLength(WIRE_LIMITS.maxCalls)),
  signature: Signature,
});

/** One call as its sender writes it. `input` is base64 of the bytes that the model gets. */
export type SignedCall = typeof SignedCallSchema.Type;

/**
 * A transaction as its sender signed it; plain JSON. `sender` is an Ed25519 public key (64 hexadecimal digits), `signature`
 * its signature over the encoding (128 digits).
 */
export type SignedTransaction = typeof SignedTransactionSchema.Type;

/** The part that is signed. */
export type UnsignedTransaction = Omit<SignedTransaction, "signature">;
