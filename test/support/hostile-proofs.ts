import { createEmulatorRoot } from "../../scheduler/node/enclave-emulator.ts";
import { sha256Hex } from "../../scheduler/proofs/digest.ts";
import type { ProofFault, ProofParts } from "../../scheduler/proofs/judge.ts";
import { encodeStatement } from "../../scheduler/proofs/statement.ts";
import { HonestNode, MODEL, NOW_MS } from "./honest-proofs.ts";

/** A proof and what a judge must say of it. */
export interface Case {
  readonly name: string;
  readonly parts: ProofParts;
  readonly verdict: "valid" | ProofFault;
}

const HOUR_MS = 3_600_000;

/** Valid proofs of each mode, and each way of cheating with its own word. */
export async function proofCases(): Promise<readonly Case[]> {
  const node = new HonestNode("node-1", 1);
  const other = new HonestNode("node-2", 2);
  return [
    ...(await signatureCases(node, other, "vanilla")),
    ...(await signatureCases(node, other, "optimistic")),
    ...(await enclaveCases(node, other)),
    ...(await zkCases(node, other)),
  ];
}

async function signatureCases(
  node: HonestNode,
  other: HonestNode,
  mode: "vanilla" | "optimistic",
): Promise<readonly Case[]> {
  const honest = await node.parts(mode);
  const { proof, statement, registered } = honest;
  const stolen = await other.parts(mode);
  const bad = "bad-signature";
  return [
    { name: `${mode}: honest`, parts: honest, verdict: "valid" },
    { name: `${mode}: another node's answer`, parts: { ...honest, proof: stolen.proof }, verdict: bad },
    { name: `${mode}: another nonce`, parts: { ...honest, proof: (await node.parts(mode, 2)).proof }, verdict: bad },
    { name: `${mode}: another key`, parts: { ...honest, registered: stolen.registered }, verdict: bad },
    { name: `${mode}: another chain`, parts: { ...honest, statement: { ...statement, chainId: "x" } }, verdict: bad },
    { name: `${mode}: a bit flipped`, parts: { ...honest, proof: flipped(proof, 17) }, verdict: bad },
    { name: `${mode}: capitals`, parts: { ...honest, proof: { kind: mode, signature: upper(proof) } }, verdict: bad },
    { name: `${mode}: padded`, parts: { ...honest, proof: padded(proof) }, verdict: bad },
    { name: `${mode}: another output`, parts: { ...honest, output: Uint8Array.of(9) }, verdict: "output-mismatch" },
    {
      name: `${mode}: another mode's proof`,
      parts: { ...honest, proof: { kind: mode === "vanilla" ? "optimistic" : "vanilla", signature: proof.signature } },
      verdict: "wrong-proof-kind",
    },
    { name: `${mode}: no rules, which it does not need`, parts: { ...honest, model: undefined }, verdict: "valid" },
    {
      name: `${mode}: registered without enclave`,
      parts: { ...honest, registered: bare(registered) },
      verdict: "valid",
    },
  ];
}

async function enclaveCases(node: HonestNode, other: HonestNode): Promise<readonly Case[]> {
  const honest = await node.parts("tee");
  const { proof, registered, statement } = honest;
  const stolen = await other.parts("tee");
  const outsider = createEmulatorRoot({ nowMs: NOW_MS });
  const withDocument = (document: Uint8Array): ProofParts => ({
    ...honest,
    registered: { ...registered, attestation: { document, nonce: registered.attestation?.nonce ?? "" } },
    proof: { ...proof, attestation: sha256Hex(document) } as ProofParts["proof"],
  });
  const { document: whole } = node;
  const faulty = async (faults: ConstructorParameters<typeof HonestNode>[2]) =>
    new HonestNode("node-1", 1, faults).parts("tee");
  const nodeSigned = { ...proof, signature: node.key.sign(encodeStatement(statement)) };
  const noRules = { digest: MODEL.digest, output: MODEL.output };
  return [
    { name: "tee: honest", parts: honest, verdict: "valid" },
    { name: "tee: the node's own key", parts: { ...honest, proof: nodeSigned }, verdict: "bad-signature" },
    {
      name: "tee: another nonce",
      parts: { ...honest, proof: (await node.parts("tee", 2)).proof },
      verdict: "bad-signature",
    },
    { name: "tee: a bit flipped", parts: { ...honest, proof: flipped(proof, 40) }, verdict: "bad-signature" },
    { name: "tee: padded", parts: { ...honest, proof: padded(proof) }, verdict: "bad-signature" },
    { name: "tee: without enclave", parts: { ...honest, registered: bare(registered) }, verdict: "not-attested" },
    { name: "tee: another attestation named", parts: { ...honest, proof: stolen.proof }, verdict: "other-attestation" },
    {
      name: "tee: another node's document",
      parts: withDocument(other.document),
      verdict: "attestation-wrong-user-data",
    },
    {
      name: "tee: another node's enclave",
      parts: { ...withDocument(other.document), proof: await other.prove(statement) },
      verdict: "attestation-wrong-user-data",
    },
    { name: "tee: another root", parts: await faulty({ root: outsider }), verdict: "attestation-unknown-root" },
    { name: "tee: another image", parts: await faulty({ image: "other" }), verdict: "attestation-wrong-measurements" },
    { name: "tee: a debug enclave", parts: await faulty({ debug: true }), verdict: "attestation-debug-enclave" },
    { name: "tee: an old nonce", parts: await faulty({ nonce: "00".repeat(32) }), verdict: "attestation-wrong-nonce" },
    { name: "tee: too old", parts: { ...honest, atMs: NOW_MS + 2 * HOUR_MS }, verdict: "attestation-too-old" },
    { name: "tee: expired", parts: { ...honest, atMs: NOW_MS + 4 * HOUR_MS }, verdict: "attestation-expired" },
    { name: "tee: cut off", parts: withDocument(whole.slice(0, -1)), verdict: "attestation-not-cbor" },
    {
      name: "tee: a bit of its signature",
      parts: withDocument(bitFlipped(whole, -8)),
      verdict: "attestation-bad-signature",
    },
    { name: "tee: no rules", parts: { ...honest, model: noRules }, verdict: "verifier-no-rules" },
  ];
}

async function zkCases(node: HonestNode, other: HonestNode): Promise<readonly Case[]> {
  const honest = await node.parts("zkml");
  const { proof, statement } = honest;
  const stolen = await other.parts("zkml");
  const resigned = (parts: ProofParts): ProofParts => {
    const signature = node.key.sign(encodeStatement(parts.statement));
    return { ...parts, proof: { ...parts.proof, signature } };
  };
  const lie = Uint8Array.of((honest.output[0] ?? 0) ^ 1);
  const lied = { ...honest, output: lie, statement: { ...statement, outputHash: sha256Hex(lie) } };
  const text = proof.kind === "zkml" ? proof.proof : "";
  const withProof = (changed: string): ProofParts => ({
    ...honest,
    proof: { ...proof, proof: changed } as typeof proof,
  });
  const zkml = MODEL.zkml as NonNullable<typeof MODEL.zkml>;
  const withRules = (rules: Partial<typeof zkml>): ProofParts => ({
    ...honest,
    model: { ...MODEL, zkml: { ...zkml, ...rules } },
  });
  const infinity = "00".repeat(64) + text.slice(128);
  return [
    { name: "zkml: honest", parts: honest, verdict: "valid" },
    {
      name: "zkml: not signed",
      parts: { ...honest, proof: { ...proof, signature: "00".repeat(64) } },
      verdict: "bad-signature",
    },
    {
      name: "zkml: another node's proof",
      parts: resigned({ ...honest, proof: stolen.proof }),
      verdict: "zk-not-proved",
    },
    {
      name: "zkml: another assignment's proof",
      parts: resigned({ ...honest, statement: { ...statement, nonce: 2 } }),
      verdict: "zk-not-proved",
    },
    { name: "zkml: another output", parts: resigned(lied), verdict: "zk-not-proved" },
    {
      name: "zkml: another model",
      parts: { ...honest, model: { ...MODEL, digest: "00".repeat(32) } },
      verdict: "zk-not-proved",
    },
    { name: "zkml: cut off", parts: withProof(text.slice(2)), verdict: "zk-bad-proof-length" },
    { name: "zkml: padded", parts: withProof(`${text}00`), verdict: "zk-bad-proof-length" },
    { name: "zkml: padded with what is no hexadecimal", parts: withProof(`${text}zz`), verdict: "zk-bad-proof-length" },
    {
      name: "zkml: a bit flipped",
      parts: withProof(text.slice(0, -1) + (text.endsWith("0") ? "1" : "0")),
      verdict: "zk-point-off-curve",
    },
    { name: "zkml: at infinity", parts: withProof(infinity), verdict: "zk-point-at-infinity" },
    { name: "zkml: beyond the field", parts: withProof(`ff${text.slice(2)}`), verdict: "zk-non-canonical-coordinate" },
    { name: "zkml: no input at hand", parts: { ...honest, input: undefined }, verdict: "verifier-no-input" },
    {
      name: "zkml: another input at hand",
      parts: { ...honest, input: new Uint8Array(8) },
      verdict: "verifier-no-input",
    },
    { name: "zkml: no rules", parts: { ...honest, model: undefined }, verdict: "verifier-no-rules" },
    {
      name: "zkml: a key that is not what its hash says",
      parts: withRules({ keyHash: "00".repeat(32) }),
      verdict: "verifier-bad-rules",
    },
    {
      name: "zkml: an unknown system",
      parts: withRules({ system: "stark", keyHash: "11".repeat(32) }),
      verdict: "verifier-bad-rules",
    },
  ];
}

function bare({ key }: ProofParts["registered"]): ProofParts["registered"] {
  return { key, attestation: undefined };
}

function upper({ signature }: ProofParts["proof"]): string {
  return signature.toUpperCase();
}

function padded<P extends ProofParts["proof"]>(proof: P): P {
  return { ...proof, signature: `${proof.signature}zz` };
}

/** One bit of the signature flipped. */
function flipped<P extends ProofParts["proof"]>(proof: P, at: number): P {
  return { ...proof, signature: Buffer.from(bitFlipped(Buffer.from(proof.signature, "hex"), at)).toString("hex") };
}

function bitFlipped(bytes: Uint8Array, at: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  const index = at < 0 ? copy.length + at : at;
  copy[index] = (copy[index] ?? 0) ^ 4;
  return copy;
}
