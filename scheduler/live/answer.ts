import { sha256Hex } from "../proofs/digest.ts";
import { encodeFields } from "../proofs/encoding.ts";
import type { Proof } from "./transport.ts";

/** What a node sent for one assignment. */
export interface Answer {
  readonly output: Uint8Array;
  readonly proof: Proof;
}

const ANSWER_DOMAIN = "pipe/answer/v1";

/** The bytes whose SHA-256 is the `answerHash`: canonical, so that equal answers have equal hashes. */
export function encodeAnswer({ output, proof }: Answer): Uint8Array {
  return encodeFields(ANSWER_DOMAIN, [output, proof.kind, proof.signature]);
}

/** The answer that `encodeAnswer` made these bytes of; `undefined` when it did not. */
export function decodeAnswer(bytes: Uint8Array): Answer | undefined {
  const [domain, output, kind, signature, ...rest] = splitFields(bytes) ?? [];
  if (domain === undefined || output === undefined || kind === undefined || signature === undefined) return undefined;
  if (text(domain) !== ANSWER_DOMAIN || text(kind) !== "vanilla" || rest.length > 0) return undefined;
  return { output, proof: { kind: "vanilla", signature: text(signature) } };
}

export function answerHash(answer: Answer): string {
  return sha256Hex(encodeAnswer(answer));
}

const LENGTH_BYTES = 4;

function splitFields(bytes: Uint8Array): Uint8Array[] | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const fields: Uint8Array[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (at + LENGTH_BYTES > bytes.length) return undefined;
    const end = at + LENGTH_BYTES + view.getUint32(at);
    if (end > bytes.length) return undefined;
    fields.push(bytes.slice(at + LENGTH_BYTES, end));
    at = end;
  }
  return fields;
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("utf8");
}
