import { readFileSync } from "node:fs";
import { createEmulatorRoot, EnclaveEmulator, emulatorMeasurements } from "../../scheduler/node/enclave-emulator.ts";
import { createEnclaveKey } from "../../scheduler/node/enclave-emulator-key.ts";
import { readZkManifest } from "../../scheduler/node/zkml/catalogue.ts";
import { createProver } from "../../scheduler/node/zkml/prover.ts";
import { sha256Hex } from "../../scheduler/proofs/digest.ts";
import type { ProofParts } from "../../scheduler/proofs/judge.ts";
import { signingKeyFromSeed } from "../../scheduler/proofs/keys.ts";
import type { ModelRules } from "../../scheduler/proofs/model-rules.ts";
import { enclaveUserData } from "../../scheduler/proofs/nitro/attestation.ts";
import type { Trust } from "../../scheduler/proofs/stage-runner.ts";
import { encodeStatement, type Statement, statementHash } from "../../scheduler/proofs/statement.ts";
import type { Proof } from "../../scheduler/live/transport.ts";
import type { Mode } from "../../scheduler/shared/vocabulary.ts";

/** Proofs of all kinds, made by the real signing, enclave emulator and prover, with all that they are judged by. */
export const CHAIN = "proofs";
export const NOW_MS = Date.UTC(2026, 5, 1);
export const NONCE = "5e".repeat(32);
const IMAGE = "proofs-under-test";

const root = createEmulatorRoot({ nowMs: NOW_MS });
export const TRUST: Trust = { roots: [pem(root.certificate)], allowEmulator: true };

const MODELS = new URL("../../scheduler/node/zkml/models/", import.meta.url);
const entry = readZkManifest().models[0] as ReturnType<typeof readZkManifest>["models"][number];
const verificationKey = readFileSync(new URL(entry.files.verificationKey.file, MODELS), "utf8");
const prover = createProver(entry.model);

/** One model in all modes, so that modes differ in nothing else. */
export const MODEL: ModelRules = {
  digest: entry.modelDigest,
  output: "bytes",
  tee: { measurements: [emulatorMeasurements(IMAGE)], maxAgeMs: 3_600_000 },
  zkml: { system: entry.proofSystem, verificationKey, keyHash: sha256Hex(Buffer.from(verificationKey)) },
};

export const INPUT = Uint8Array.from([250, 3, 240, 240, 128, 127, 0, 255]);
export const OUTPUT = prover.infer(INPUT) as Uint8Array;

/** What an enclave may be like other than it should. */
export interface EnclaveFaults {
  readonly root?: typeof root;
  readonly image?: string;
  readonly debug?: boolean;
  readonly nonce?: string;
  readonly nowMs?: number;
}

/** A node with a key, an enclave and a prover. */
export class HonestNode {
  readonly id: string;
  readonly key: ReturnType<typeof signingKeyFromSeed>;
  readonly #enclaveKey = createEnclaveKey("p256");
  readonly document: Uint8Array;

  constructor(id: string, seed: number, faults: EnclaveFaults = {}) {
    this.id = id;
    this.key = signingKeyFromSeed(new Uint8Array(32).fill(seed));
    const { image = IMAGE, nonce = NONCE, nowMs = NOW_MS, debug = false } = faults;
    const emulator = new EnclaveEmulator({ root: faults.root ?? root, image, name: id, debug });
    const userData = enclaveUserData({ chainId: CHAIN, node: id, nodeKey: this.key.publicKeyHex });
    this.document = emulator.attest({
      publicKey: this.#enclaveKey.spki,
      userData,
      nonce: Buffer.from(nonce, "hex"),
      nowMs,
    });
  }

  statement(mode: Mode, nonce: number): Statement {
    return {
      chainId: CHAIN,
      txHash: "ab".repeat(32),
      callIndex: 0,
      model: entry.model,
      inputHash: sha256Hex(INPUT),
      mode,
      node: this.id,
      nonce,
      outputHash: sha256Hex(OUTPUT),
    };
  }

  /** A valid proof with everything that it is judged by; `nonce` is the assignment's. */
  async parts(mode: Mode, nonce = 1): Promise<ProofParts> {
    const statement = this.statement(mode, nonce);
    return {
      statement,
      registered: { key: this.key.publicKeyHex, attestation: { document: this.document, nonce: NONCE } },
      proof: await this.prove(statement),
      output: OUTPUT,
      input: INPUT,
      model: MODEL,
      atMs: NOW_MS + 1_000,
    };
  }

  async prove(statement: Statement): Promise<Proof> {
    const message = encodeStatement(statement);
    const signature = this.key.sign(message);
    switch (statement.mode) {
      case "vanilla":
      case "optimistic":
        return { kind: statement.mode, signature };
      case "tee": {
        const enclaveSignature = Buffer.from(this.#enclaveKey.sign(message)).toString("hex");
        return { kind: "tee", signature: enclaveSignature, attestation: sha256Hex(this.document) };
      }
      case "zkml": {
        const proved = await prover.prove({ input: INPUT, binding: statementHash(statement) });
        if (proved === undefined) throw new Error("the input has the right length");
        return { kind: "zkml", signature, proof: Buffer.from(proved.proof).toString("hex") };
      }
    }
  }
}

function pem(der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}
