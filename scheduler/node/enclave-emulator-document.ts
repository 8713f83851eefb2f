import { type KeyObject, sign } from "node:crypto";
import { encode } from "cborg";

/** The fields of an attestation document; attachments that are left out are written as null, as AWS does. */
export interface DocumentFields {
  readonly moduleId: string;
  readonly timestampMs: number;
  /** 48 bytes for each register. */
  readonly pcrs: ReadonlyMap<number, Uint8Array>;
  /** DER, from the root to the issuer of `certificate`. */
  readonly authorities: readonly Uint8Array[];
  readonly certificate: Uint8Array;
  readonly publicKey?: Uint8Array | undefined;
  readonly userData?: Uint8Array | undefined;
  readonly nonce?: Uint8Array | undefined;
}

/** The headers {1: −35}: signed with ES384. */
const ES384_HEADERS = encode(new Map([[1, -35]]));

/** The payload as the security module encodes it. */
export function encodePayload(fields: DocumentFields): Uint8Array {
  return encode(
    new Map<string, unknown>([
      ["module_id", fields.moduleId],
      ["digest", "SHA384"],
      ["timestamp", fields.timestampMs],
      ["pcrs", fields.pcrs],
      ["certificate", fields.certificate],
      ["cabundle", fields.authorities],
      ["public_key", fields.publicKey ?? null],
      ["user_data", fields.userData ?? null],
      ["nonce", fields.nonce ?? null],
    ]),
  );
}

/** The payload as an untagged COSE_Sign1 message, signed with a private key on P-384. */
export function signDocument(payload: Uint8Array, key: KeyObject, headers: Uint8Array = ES384_HEADERS): Uint8Array {
  const signed = encode(["Signature1", headers, new Uint8Array(0), payload]);
  const signature = sign("sha384", signed, { key, dsaEncoding: "ieee-p1363" });
  return encode([headers, new Map(), payload, new Uint8Array(signature)]);
}
