import type { Mode } from "../shared/vocabulary.ts";
import { MODES } from "../shared/vocabulary.ts";
import { isHashHex, sha256Hex } from "./digest.ts";
import { encodeFields } from "./encoding.ts";
import type { SigningKey } from "./keys.ts";

/** Opens every statement, so that no signature over another kind of message can pass for one. */
export const STATEMENT_DOMAIN = "pipe/statement/v1";

/**
 * What a node says when it answers, and all that its proof binds (P3): chain, transaction, call, model, input, mode, node,
 * assignment nonce and output. Hashes are 64 lower-case hexadecimal digits; `callIndex` and `nonce` unsigned safe integers.
 */
export interface Statement {
  readonly chainId: string;
  readonly txHash: string;
  readonly callIndex: number;
  readonly model: string;
  readonly inputHash: string;
  readonly mode: Mode;
  readonly node: string;
  readonly nonce: number;
  readonly outputHash: string;
}

/** The bytes that a node signs; the table stands in docs/STATEMENT.md. Throws a RangeError on a malformed field. */
export function encodeStatement(s: Statement): Uint8Array {
  if (!MODES.includes(s.mode)) throw new RangeError(`unknown mode ${JSON.stringify(s.mode)}`);
  return encodeFields(STATEMENT_DOMAIN, [
    s.chainId,
    hashBytes("txHash", s.txHash),
    s.callIndex,
    s.model,
    hashBytes("inputHash", s.inputHash),
    s.mode,
    s.node,
    s.nonce,
    hashBytes("outputHash", s.outputHash),
  ]);
}

/** SHA-256 of the encoded statement, as lower-case hexadecimal. */
export function statementHash(s: Statement): string {
  return sha256Hex(encodeStatement(s));
}

/** The vanilla proof: the node's Ed25519 signature over the encoded statement, as lower-case hexadecimal. */
export function signStatement(s: Statement, key: SigningKey): string {
  return key.sign(encodeStatement(s));
}

function hashBytes(field: string, value: string): Uint8Array {
  if (!isHashHex(value)) throw new RangeError(`${field} is not 64 lower-case hexadecimal digits`);
  return Buffer.from(value, "hex");
}
