import { sha256Hex } from "./digest.ts";
import { encodeFields } from "./encoding.ts";
import { isProof } from "./proof.ts";
import type { Proof } from "../live/transport.ts";

/** What a node sent for one assignment. */
export interface Answer {
  readonly output: Uint8Array;
  readonly proof: Proof;
}

const ANSWER_DOMAIN = "pipe/answer/v2";

/** The bytes whose SHA-256 is the `answerHash`: canonical, so that equal answers have equal hashes. */
export function encodeAnswer({ output, proof }: Answer): Uint8Array {
  return encodeFields(ANSWER_DOMAIN, [output, proof.kind, proof.signature, ...furtherMembers(proof)]);
}

function furtherMembers(proof: Proof): readonly string[] {
  if (proof.kind === "tee") return [proof.attestation];
  return proof.kind === "zkml" ? [proof.proof] : [];
}

/** The answer that `encodeAnswer` made these bytes of; `undefined` when it did not. Never throws. */
export function decodeAnswer(bytes: Uint8Array): Answer | undefined {
  const [domain, output, ...members] = splitFields(bytes) ?? [];
  if (domain === undefined || output === undefined || text(domain) !== ANSWER_DOMAIN) return undefined;
  const [kind, signature, third, ...rest] = members.map(text);
  const more = third === undefined ? {} : kind === "tee" ? { attestation: third } : { proof: third };
  const proof: unknown = { kind, signature, ...more };
  // A proof's members are hexadecimal, which has one encoding only: these bytes are the canonical ones.
  return rest.length === 0 && isProof(proof) ? { output, proof } : undefined;
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
    if (at + LENGTH_BYTES > bytes.length || fields.length === MAX_FIELDS) return undefined;
    const end = at + LENGTH_BYTES + view.getUint32(at);
    if (end > bytes.length) return undefined;
    fields.push(bytes.slice(at + LENGTH_BYTES, end));
    at = end;
  }
  return fields;
}

/** Domain, output, kind, signature, and what the modes `tee` and `zkml` add. */
const MAX_FIELDS = 5;

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("utf8");
}
