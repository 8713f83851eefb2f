import { Schema } from "effect";
import { ID_PATTERN } from "./wire-limits.ts";

/** Minus zero is JSON, but it would turn into zero on its way through the journal. */
const isNotMinusZero = Schema.makeFilter((value: number) => !Object.is(value, -0) || "zero without a sign");

/** A whole number in a range, both ends included. */
export function integer(minimum: number, maximum: number) {
  return Schema.Int.check(Schema.isBetween({ minimum, maximum }), isNotMinusZero);
}

/** Lower-case hexadecimal without prefix, of exactly that many digits. */
export function hex(digits: number) {
  return Schema.String.check(Schema.isPattern(new RegExp(`^[0-9a-f]{${digits}}$`, "u")));
}

/** A SHA-256 digest or an Ed25519 public key. */
export const Hash = hex(64);

/** An Ed25519 signature. */
export const Signature = hex(128);

/** The name of a chain or model as a transaction writes it. */
export const Id = Schema.String.check(Schema.isPattern(ID_PATTERN));

/** A name that was not signed by a user, such as a node's: bounded, otherwise free. */
export const Name = Schema.String.check(
  Schema.isMaxLength(256),
  Schema.makeFilter((text) => text.isWellFormed() || "text that has a UTF-8 encoding"),
);

/** An amount, a time or a count. */
export const Uint = integer(0, Number.MAX_SAFE_INTEGER);

/** A height or a call index, where −1 stands for none. */
export const UintOrNone = integer(-1, Number.MAX_SAFE_INTEGER);

/**
 * Base64 of at most that many bytes. Only the one canonical text of each byte string: otherwise the same message could be
 * written in two ways.
 */
export function canonicalBase64(maxBytes: number) {
  return Schema.String.check(
    Schema.isMaxLength(4 * Math.ceil(maxBytes / 3)),
    Schema.isPattern(/^[A-Za-z0-9+/]*={0,2}$/u),
    Schema.makeFilter((text) => Buffer.from(text, "base64").toString("base64") === text || "canonical base64"),
  );
}
