import { sign } from "node:crypto";
import { encode } from "cborg";
import { generateCertificateKey } from "../../../scheduler/node/enclave-emulator-certificates.ts";
import { encodePayload, signDocument } from "../../../scheduler/node/enclave-emulator-document.ts";
import { type Attack, bytesOf, honest } from "./attack.ts";
import { fieldsOf, honestChain, root } from "./forge.ts";

const payload = encodePayload(fieldsOf(honestChain));

/** The honest payload with fields exchanged, whatever they are, and signed as it should be. */
function withFields(changes: Readonly<Record<string, unknown>>): Uint8Array {
  const { moduleId, timestampMs, pcrs, authorities, certificate, publicKey, userData, nonce } = fieldsOf(honestChain);
  const head = {
    module_id: moduleId,
    digest: "SHA384",
    timestamp: timestampMs,
    pcrs,
    cabundle: authorities,
    certificate,
  };
  const fields = { ...head, public_key: publicKey, user_data: userData, nonce, ...changes };
  const kept = Object.entries(fields).filter(([, value]) => value !== undefined);
  return signDocument(encode(new Map(kept)), honestChain.key);
}

const HEADERS = encode(new Map([[1, -35]]));

/** The right signature, in the form that certificates have it. */
function derSignature(): Uint8Array {
  const signed = encode(["Signature1", HEADERS, new Uint8Array(0), payload]);
  return new Uint8Array(sign("sha384", signed, honestChain.key));
}

function spliced(index: number, bytes: (part: Uint8Array) => Uint8Array): Uint8Array {
  const parts = [HEADERS, new Map(), payload, new Uint8Array(96)] as const;
  return encode(parts.map((part, at) => (at === index ? bytes(part as Uint8Array) : part)));
}

/** Bytes that no decoder should be troubled with for long. */
export const BYTES: readonly Attack[] = [
  { title: "a megabyte", reason: "too-large", document: () => new Uint8Array(1 << 20) },
  {
    title: "an honest document above the limit",
    reason: "too-large",
    document: () => honest,
    limits: { maxDocumentBytes: honest.length - 1 },
  },
  { title: "nothing", reason: "not-cbor", document: () => new Uint8Array(0) },
  { title: "a truncated document", reason: "not-cbor", document: () => honest.subarray(0, -1) },
  { title: "half a document", reason: "not-cbor", document: () => honest.subarray(0, honest.length >> 1) },
  { title: "a padded document", reason: "not-cbor", document: () => Buffer.concat([honest, new Uint8Array(1)]) },
  { title: "two documents", reason: "not-cbor", document: () => Buffer.concat([honest, honest]) },
  { title: "base64", reason: "not-cbor", document: () => Buffer.from(Buffer.from(honest).toString("base64")) },
  { title: "an array of 2^32 − 1 items", reason: "not-cbor", document: () => bytesOf("9affffffff") },
  { title: "an array of 2^64 − 1 items", reason: "not-cbor", document: () => bytesOf("9bffffffffffffffff") },
  { title: "a map of 2^32 − 1 pairs", reason: "not-cbor", document: () => bytesOf("baffffffff") },
  { title: "a string of 4 GB", reason: "not-cbor", document: () => bytesOf("7affffffff41") },
  { title: "bytes of 2^53 − 1", reason: "not-cbor", document: () => bytesOf("5b001fffffffffffff41") },
  { title: "bytes in pieces", reason: "not-cbor", document: () => bytesOf("5f4101ff") },
  { title: "a break of nothing", reason: "not-cbor", document: () => bytesOf("ff") },
  { title: "a break in an array of known length", reason: "not-cbor", document: () => bytesOf("8201ff") },
  { title: "a break between key and value", reason: "not-cbor", document: () => bytesOf("bf01ff") },
  { title: "a break for a value", reason: "not-cbor", document: () => bytesOf("a101ff") },
  { title: "two breaks for a value and an end", reason: "not-cbor", document: () => bytesOf("bf01ffff") },
  { title: "an unknown tag", reason: "not-cbor", document: () => Buffer.concat([bytesOf("d3"), honest]) },
  { title: "arrays 30,000 deep", reason: "too-deep", document: () => new Uint8Array(30_000).fill(0x81) },
  { title: "endless arrays 30,000 deep", reason: "too-deep", document: () => new Uint8Array(30_000).fill(0x9f) },
  { title: "maps 15,000 deep", reason: "too-deep", document: () => Buffer.from("a100".repeat(15_000), "hex") },
  { title: "tags 30,000 deep", reason: "too-deep", document: () => new Uint8Array(30_000).fill(0xd2) },
  {
    title: "depth in the payload",
    reason: "too-deep",
    document: () => signDocument(new Uint8Array(9_000).fill(0x81), honestChain.key),
  },
  {
    title: "30,000 numbers",
    reason: "too-many-items",
    document: () => Buffer.concat([bytesOf("997530"), new Uint8Array(30_000)]),
  },
  {
    title: "endless numbers",
    reason: "too-many-items",
    document: () => Buffer.concat([bytesOf("9f"), new Uint8Array(30_000)]),
  },
  {
    title: "1,000 keys in the payload",
    reason: "too-many-items",
    document: () => withFields(Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`${index}`, index]))),
  },
  { title: "a key twice", reason: "duplicate-key", document: () => bytesOf("a201000100") },
  { title: "a key twice in an endless map", reason: "duplicate-key", document: () => bytesOf("bf01000100ff") },
  {
    title: "a register twice",
    reason: "duplicate-key",
    document: () => signDocument(bytesOf("a16470637273a2004100004100"), honestChain.key),
  },
  {
    title: "a header twice",
    reason: "duplicate-key",
    document: () => signDocument(payload, honestChain.key, bytesOf("a2013822013822")),
  },
];

/** CBOR that is no signed message. */
export const MESSAGE: readonly Attack[] = [
  { title: "a number", reason: "not-cose-sign1", document: () => bytesOf("01") },
  { title: "three parts", reason: "not-cose-sign1", document: () => encode([new Uint8Array(0), new Map(), payload]) },
  { title: "a tag within the tag", reason: "not-cose-sign1", document: () => Buffer.concat([bytesOf("d2d2"), honest]) },
  { title: "text for payload", reason: "not-cose-sign1", document: () => spliced(2, () => "payload" as never) },
  { title: "a detached payload", reason: "not-cose-sign1", document: () => spliced(2, () => null as never) },
  {
    title: "unprotected headers",
    reason: "not-cose-sign1",
    document: () => spliced(1, () => new Map([[4, 1]]) as never),
  },
  {
    title: "headers that are no map",
    reason: "not-cose-sign1",
    document: () => signDocument(payload, honestChain.key, bytesOf("01")),
  },
  {
    title: "ES256",
    reason: "wrong-algorithm",
    document: () => signDocument(payload, honestChain.key, bytesOf("a10126")),
  },
  {
    title: "no algorithm",
    reason: "wrong-algorithm",
    document: () => signDocument(payload, honestChain.key, bytesOf("a0")),
  },
  {
    title: "a critical header",
    reason: "wrong-algorithm",
    document: () => signDocument(payload, honestChain.key, bytesOf("a2013822028101")),
  },
  { title: "a signature of 95 bytes", reason: "bad-signature", document: () => spliced(3, (part) => part.subarray(1)) },
  { title: "its signature in DER", reason: "bad-signature", document: () => spliced(3, derSignature) },
  { title: "a signature of zeros", reason: "bad-signature", document: () => spliced(3, (part) => part) },
  {
    title: "another key's signature",
    reason: "bad-signature",
    document: () => signDocument(payload, generateCertificateKey()),
  },
];

const certificates = (count: number) => [
  root.certificate,
  ...Array.from({ length: count - 1 }, () => new Uint8Array(9)),
];

/** Messages whose payload is no attestation document. */
export const FIELDS: readonly Attack[] = [
  ...(["module_id", "digest", "timestamp", "pcrs", "certificate", "cabundle"] as const).map(
    (field): Attack => ({
      title: `without ${field}`,
      reason: "not-an-attestation",
      document: () => withFields({ [field]: undefined }),
    }),
  ),
  ...(
    [
      ["an empty module_id", { module_id: "" }],
      ["a module_id of 10,000 letters", { module_id: "i".repeat(10_000) }],
      ["digest SHA256", { digest: "SHA256" }],
      ["a timestamp before 1970", { timestamp: -1 }],
      ["a fraction of a timestamp", { timestamp: 1.5 }],
      ["no registers", { pcrs: new Map() }],
      ["registers in an array", { pcrs: [new Uint8Array(48)] }],
      ["register 32", { pcrs: new Map([[32, new Uint8Array(48)]]) }],
      ["a register with a name", { pcrs: new Map([["0", new Uint8Array(48)]]) }],
      ["a register of 32 bytes", { pcrs: new Map([[0, new Uint8Array(32)]]) }],
      ["a register of text", { pcrs: new Map([[0, "0".repeat(48)]]) }],
      ["no authorities", { cabundle: [] }],
      ["an authority of text", { cabundle: ["root"] }],
      ["a certificate of 1,025 bytes", { certificate: new Uint8Array(1_025) }],
      ["an empty certificate", { certificate: new Uint8Array(0) }],
      ["a nonce of text", { nonce: "nonce" }],
      ["user_data of 1,025 bytes", { user_data: new Uint8Array(1_025) }],
      ["public_key of 1,025 bytes", { public_key: new Uint8Array(1_025) }],
    ] as const
  ).map(([title, changes]): Attack => ({ title, reason: "not-an-attestation", document: () => withFields(changes) })),
  {
    title: "a payload that is no map",
    reason: "not-an-attestation",
    document: () => signDocument(bytesOf("80"), honestChain.key),
  },
  { title: "a timestamp of 2^53", reason: "not-cbor", document: () => withFields({ timestamp: 2n ** 53n }) },
  { title: "eight authorities", reason: "chain-too-long", document: () => withFields({ cabundle: certificates(8) }) },
  {
    title: "an honest chain above the limit",
    reason: "chain-too-long",
    document: () => honest,
    limits: { maxCertificates: 2 },
  },
];
