import { encode } from "cborg";
import { decodeCbor, Sign1 } from "./cbor.ts";
import { demand, Refused } from "./faults.ts";
import { type AttestationLimits, FORMAT_LIMITS } from "./limits.ts";

/** A document whose shape is right. Whether anything in it is true has not been looked at. */
export interface UncheckedDocument {
  readonly moduleId: string;
  readonly timestampMs: number;
  /** Platform configuration registers by their number; 48 bytes each, since `digest` is SHA384. */
  readonly pcrs: ReadonlyMap<number, Uint8Array>;
  /** From the root to the one that issued `leaf`, DER. */
  readonly authorities: readonly Uint8Array[];
  readonly leaf: Uint8Array;
  readonly publicKey: Uint8Array | undefined;
  readonly userData: Uint8Array | undefined;
  readonly nonce: Uint8Array | undefined;
  /** What the signature is over, and the signature: if it is one, two numbers of 48 bytes each. */
  readonly signed: Uint8Array;
  readonly signature: Uint8Array;
}

const ALGORITHM_LABEL = 1;
const ES384 = -35;
const PCR_BYTES = 48;
const NOTHING = new Uint8Array(0);

/** Takes a document apart: RFC 9052's COSE_Sign1, tagged or not, around AWS's payload. Throws `Refused` on anything else. */
export function readDocument(bytes: Uint8Array, limits: AttestationLimits): UncheckedDocument {
  const decoded = decodeCbor(bytes, limits);
  const message = decoded instanceof Sign1 ? decoded.content : decoded;
  demand(Array.isArray(message) && message.length === 4, "not-cose-sign1");
  const [headers, unprotected, payload, signature]: readonly unknown[] = message;
  demand(isBytes(headers) && isBytes(payload) && isBytes(signature), "not-cose-sign1");
  // Nothing signs these headers, so that anyone could put anything there.
  demand(unprotected instanceof Map && unprotected.size === 0, "not-cose-sign1");
  requireEs384(headers, limits);
  const signed = encode(["Signature1", headers, NOTHING, payload]);
  return { ...readPayload(payload, limits), signed, signature };
}

/** The protected headers name the algorithm and nothing besides, least of all extensions that a reader must understand. */
function requireEs384(headers: Uint8Array, limits: AttestationLimits): void {
  const decoded = decodeCbor(headers, limits);
  demand(decoded instanceof Map, "not-cose-sign1");
  demand(decoded.size === 1 && decoded.get(ALGORITHM_LABEL) === ES384, "wrong-algorithm");
}

function readPayload(payload: Uint8Array, limits: AttestationLimits): Omit<UncheckedDocument, "signed" | "signature"> {
  const decoded = decodeCbor(payload, limits);
  demand(decoded instanceof Map, "not-an-attestation");
  const fields: ReadonlyMap<unknown, unknown> = decoded;
  const moduleId = fields.get("module_id");
  demand(typeof moduleId === "string" && moduleId !== "", "not-an-attestation");
  demand(moduleId.length <= FORMAT_LIMITS.maxModuleIdLength, "not-an-attestation");
  demand(fields.get("digest") === "SHA384", "not-an-attestation");
  const timestampMs = fields.get("timestamp");
  demand(typeof timestampMs === "number" && Number.isSafeInteger(timestampMs), "not-an-attestation");
  demand(timestampMs > 0, "not-an-attestation");
  return {
    moduleId,
    timestampMs,
    pcrs: readPcrs(fields.get("pcrs")),
    authorities: readAuthorities(fields.get("cabundle"), limits),
    leaf: readCertificateBytes(fields.get("certificate")),
    publicKey: readAttachment(fields.get("public_key")),
    userData: readAttachment(fields.get("user_data")),
    nonce: readAttachment(fields.get("nonce")),
  };
}

function readPcrs(value: unknown): ReadonlyMap<number, Uint8Array> {
  demand(value instanceof Map && value.size >= 1, "not-an-attestation");
  const pcrs = new Map<number, Uint8Array>();
  for (const [index, pcr] of value) {
    demand(Number.isInteger(index) && index >= 0 && index < FORMAT_LIMITS.maxRegisters, "not-an-attestation");
    demand(isBytes(pcr) && pcr.length === PCR_BYTES, "not-an-attestation");
    pcrs.set(index, pcr);
  }
  return pcrs;
}

function readAuthorities(value: unknown, limits: AttestationLimits): readonly Uint8Array[] {
  demand(Array.isArray(value) && value.length >= 1, "not-an-attestation");
  demand(value.length < limits.maxCertificates, "chain-too-long");
  return value.map(readCertificateBytes);
}

function readCertificateBytes(value: unknown): Uint8Array {
  const fits = isBytes(value) && value.length >= 1 && value.length <= FORMAT_LIMITS.maxCertificateBytes;
  if (!fits) throw new Refused("not-an-attestation");
  return value;
}

/** Bytes that the enclave chose; null and left out mean the same. */
function readAttachment(value: unknown): Uint8Array | undefined {
  if (value === null || value === undefined) return undefined;
  demand(isBytes(value) && value.length <= FORMAT_LIMITS.maxAttachmentBytes, "not-an-attestation");
  return value;
}

function isBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array;
}
