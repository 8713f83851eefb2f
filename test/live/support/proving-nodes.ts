import type { Assignment, NodeMessage, Proof, RegistrationEpoch } from "../../../scheduler/live/transport.ts";
import type { EmulatorRoot } from "../../../scheduler/node/enclave-emulator.ts";
import { NodeEnclave } from "../../../scheduler/node/node-enclave.ts";
import { proversOf } from "../../../scheduler/node/provers.ts";
import { createProver, type ZkProver } from "../../../scheduler/node/zkml/prover.ts";
import { sha256Hex } from "../../../scheduler/proofs/digest.ts";
import { type SigningKey, signingKeyFromSeed } from "../../../scheduler/proofs/keys.ts";
import type { NodeTerms, Offer } from "../../../scheduler/shared/vocabulary.ts";
import type { Script, ScriptedNode } from "./scripted-nodes.ts";

/** Loaded once: it is the same for every node. */
let prover: ZkProver | undefined;
export function riskTiny(): ZkProver {
  prover ??= createProver("risk-tiny");
  return prover;
}

/** A scripted node with the real means of proof: keys, an emulated enclave, and a prover. */
export class ProvingNode implements ScriptedNode {
  readonly terms: NodeTerms;
  readonly key: SigningKey;
  readonly enclave: NodeEnclave;
  readonly script: Script;

  constructor(index: number, offers: readonly Offer[], root: EmulatorRoot, script: Script) {
    this.key = signingKeyFromSeed(new Uint8Array(32).fill(50 + index));
    const id = `prover-${index}`;
    this.enclave = new NodeEnclave(id, root);
    this.script = script;
    const site = { operator: `operator-${index}`, region: `region-${index}`, hardware: "none" };
    this.terms = { id, key: this.key.publicKeyHex, ...site, slots: 64, queueLimit: 1024, offers };
  }

  /** Its registration in this epoch, as an honest node says it. */
  joined(epoch: RegistrationEpoch): Extract<NodeMessage, { kind: "joined" }> {
    const { ref, document } = this.enclave.attest(this.terms, epoch, Date.now());
    return { kind: "joined", terms: { ...this.terms, attestation: ref }, attestation: document };
  }

  /** The proof for an assignment, with what a case changes of what is proved. */
  async proof(assignment: Assignment, output: Uint8Array, changes: Partial<Assignment> = {}): Promise<Proof> {
    const asked = { ...assignment, ...changes };
    const { chainId, txHash, callIndex, model, inputHash, mode, node, nonce, input, attestation } = asked;
    const statement = {
      chainId,
      txHash,
      callIndex,
      model,
      inputHash,
      mode,
      node,
      nonce,
      outputHash: sha256Hex(output),
    };
    const zkProvers = new Map([["risk-tiny", riskTiny()]]);
    const provers = proversOf({ key: this.key, enclave: this.enclave, zkProvers });
    return provers[mode]({ statement, input, attestation, signal: new AbortController().signal });
  }
}

/** What an honest node computes. */
export function outputFor({ model, input }: Assignment): Uint8Array {
  return (model === "risk-tiny" ? riskTiny().infer(input) : undefined) ?? Buffer.from(`answer to ${sha256Hex(input)}`);
}
