import { createHash, createPublicKey, verify, X509Certificate } from "node:crypto";
import { decode, type DecodeOptions } from "cborg";
import { groth16 } from "snarkjs";
import type { ProofParts } from "../../scheduler/proofs/judge.ts";
import type { ModelRules } from "../../scheduler/proofs/model-rules.ts";
import type { Statement } from "../../scheduler/proofs/statement.ts";

/**
 * A second opinion on proofs that shares no code with the judge: the documents' byte tables written out again, node:crypto for
 * signatures and certificates, snarkjs for the pairing. It says only yes or no. It is a checker for tests, which a judge that is
 * wrong must not get past; it bounds nothing, and takes only what its own tests make.
 */
export async function isGenuine(parts: ProofParts, roots: readonly string[]): Promise<boolean> {
  try {
    return await judged(parts, roots);
  } catch {
    return false;
  }
}

async function judged(parts: ProofParts, roots: readonly string[]): Promise<boolean> {
  const { statement, registered, proof, output } = parts;
  const message = statementBytes(statement);
  if (proof.kind !== statement.mode || digest(output).toString("hex") !== statement.outputHash) return false;
  if (proof.kind === "tee") {
    const key = enclaveKey(parts, proof.attestation, roots);
    return key !== undefined && isSignedBy(key, message, proof.signature);
  }
  const nodeKey = createPublicKey({
    key: { kty: "OKP", crv: "Ed25519", x: bytes(registered.key).toString("base64url") },
    format: "jwk",
  });
  if (!isSignedBy(nodeKey, message, proof.signature)) return false;
  return proof.kind !== "zkml" || isProved(parts, digest(message), bytes(proof.proof));
}

function isSignedBy(key: ReturnType<typeof createPublicKey>, message: Uint8Array, signature: string): boolean {
  const raw = bytes(signature);
  if (raw.length !== 64) return false;
  if (key.asymmetricKeyType === "ed25519") return verify(null, message, key, raw);
  return verify("sha256", message, { key, dsaEncoding: "ieee-p1363" }, raw);
}

/** docs/STATEMENT.md. */
function statementBytes(s: Statement): Buffer {
  const texts = (text: string) => Buffer.from(text, "utf8");
  const whole = (value: number) => {
    const bytesOfIt = Buffer.alloc(8);
    bytesOfIt.writeBigUInt64BE(BigInt(value));
    return bytesOfIt;
  };
  return joined([
    texts("pipe/statement/v1"),
    texts(s.chainId),
    bytes(s.txHash),
    whole(s.callIndex),
    texts(s.model),
    bytes(s.inputHash),
    texts(s.mode),
    texts(s.node),
    whole(s.nonce),
    bytes(s.outputHash),
  ]);
}

interface Payload {
  readonly timestamp: number;
  readonly pcrs: ReadonlyMap<number, Uint8Array>;
  readonly certificate: Uint8Array;
  readonly cabundle: readonly Uint8Array[];
  readonly public_key: Uint8Array;
  readonly user_data: Uint8Array;
  readonly nonce: Uint8Array;
}

/** docs/ATTESTATION.md. */
function enclaveKey({ registered, statement, model, atMs }: ProofParts, named: string, roots: readonly string[]) {
  const { attestation } = registered;
  if (attestation === undefined || model?.tee === undefined) return undefined;
  if (digest(attestation.document).toString("hex") !== named) return undefined;
  const cbor: DecodeOptions = { useMaps: true };
  const tagged = { ...cbor, tags: Object.assign([], { 18: (value: () => unknown) => value() }) } as DecodeOptions;
  const [protectedHeader, , payload, signature] = decode(attestation.document, tagged) as readonly Uint8Array[];
  if (protectedHeader === undefined || payload === undefined || signature === undefined) return undefined;
  const said = Object.fromEntries(decode(payload, cbor) as Map<string, unknown>) as unknown as Payload;
  const chain = [...said.cabundle, said.certificate].map((der) => new X509Certificate(der));
  const rooted = roots.some((root) => new X509Certificate(root).raw.equals(said.cabundle[0] as Uint8Array));
  const linked = chain.every((certificate, i) => certificate.verify((chain[i - 1] ?? certificate).publicKey));
  const current = chain.every(({ validFrom, validTo }) => Date.parse(validFrom) <= atMs && atMs <= Date.parse(validTo));
  const leaf = chain.at(-1)?.publicKey;
  if (!rooted || !linked || !current || leaf === undefined) return undefined;
  const signed = Buffer.concat([
    Buffer.from([0x84, 0x6a]),
    Buffer.from("Signature1"),
    Buffer.from([0x40 + protectedHeader.length]),
    protectedHeader,
    Buffer.from([0x40, 0x59, payload.length >> 8, payload.length & 0xff]),
    payload,
  ]);
  if (!verify("sha384", signed, { key: leaf, dsaEncoding: "ieee-p1363" }, signature)) return undefined;
  const node = [Buffer.from(statement.chainId), Buffer.from(statement.node), bytes(registered.key)];
  const expected = digest(joined([Buffer.from("pipe/enclave/v1"), ...node]));
  const fits =
    isMeasured(said.pcrs, model.tee) &&
    atMs - said.timestamp <= model.tee.maxAgeMs &&
    Buffer.from(said.nonce).toString("hex") === attestation.nonce &&
    expected.equals(said.user_data);
  return fits ? createPublicKey({ key: Buffer.from(said.public_key), format: "der", type: "spki" }) : undefined;
}

function isMeasured(pcrs: Payload["pcrs"], { measurements }: NonNullable<ModelRules["tee"]>): boolean {
  const [zero, one, two] = [0, 1, 2].map((index) => Buffer.from(pcrs.get(index) as Uint8Array).toString("hex"));
  return measurements.some(({ pcr0, pcr1, pcr2 }) => pcr0 === zero && pcr1 === one && pcr2 === two);
}

/** docs/ZKML.md, for a circuit of single bytes. */
async function isProved(
  { model, input, output, statement }: ProofParts,
  binding: Buffer,
  proof: Buffer,
): Promise<boolean> {
  if (model?.zkml === undefined || input === undefined || proof.length !== 256) return false;
  const halves = (whole: Buffer) =>
    [whole.subarray(0, 16), whole.subarray(16)].map((half) => BigInt(`0x${half.toString("hex")}`));
  const digests = [...halves(bytes(model.digest)), ...halves(binding)];
  const publics = [...digests, ...output, ...input].map(String);
  const at = (i: number) => BigInt(`0x${proof.subarray(32 * i, 32 * (i + 1)).toString("hex")}`).toString();
  const points = {
    pi_a: [at(0), at(1), "1"],
    pi_b: [
      [at(3), at(2)],
      [at(5), at(4)],
      ["1", "0"],
    ],
    pi_c: [at(6), at(7), "1"],
    protocol: "groth16",
    curve: "bn128",
  };
  const known = digest(Buffer.from(model.zkml.verificationKey)).toString("hex") === model.zkml.keyHash;
  return (
    known &&
    digest(input).equals(bytes(statement.inputHash)) &&
    groth16.verify(JSON.parse(model.zkml.verificationKey), publics, points)
  );
}

function joined(fields: readonly Buffer[]): Buffer {
  return Buffer.concat(fields.flatMap((field) => [lengthOf(field), field]));
}

function lengthOf(field: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(field.length);
  return length;
}

function bytes(hex: string): Buffer {
  if (!/^(?:[0-9a-f]{2})*$/.test(hex)) throw new Error("not hexadecimal");
  return Buffer.from(hex, "hex");
}

function digest(content: Uint8Array): Buffer {
  return createHash("sha256").update(content).digest();
}
