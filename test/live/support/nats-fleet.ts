import type { RegistrationEpoch } from "../../../scheduler/live/transport.ts";
import type { NatsNode, NatsNodeOptions, NodeHosting } from "../../../scheduler/nats/index.ts";
import { startNatsNode } from "../../../scheduler/nats/index.ts";
import type { Latency } from "../../../scheduler/node/behaviour/latency-profile.ts";
import type { EmulatorRoot } from "../../../scheduler/node/enclave-emulator.ts";
import { InferenceNode } from "../../../scheduler/node/inference-node.ts";
import { loadModels, type LoadedModels } from "../../../scheduler/node/backends/onnx.ts";
import { NodeEnclave } from "../../../scheduler/node/node-enclave.ts";
import { proversOf } from "../../../scheduler/node/provers.ts";
import { readWasmBinary } from "../../../scheduler/node/wasm-binary.ts";
import { type SigningKey, signingKeyFromSeed } from "../../../scheduler/proofs/keys.ts";
import type { NodeTerms } from "../../../scheduler/shared/vocabulary.ts";

export const SHARD = "shard-0";
/** The scheduler's key in these tests. */
export const SCHEDULER = signingKeyFromSeed(new Uint8Array(32).fill(201));

/** A node of these tests: real models, real keys, an emulated enclave. */
export interface TestNode {
  readonly key: SigningKey;
  readonly terms: NodeTerms;
}

/** `index` 0 to 9. Its id holds a dot, which a subject cannot. */
export function testNode(index: number): TestNode {
  const key = signingKeyFromSeed(new Uint8Array(32).fill(210 + index));
  const site = { operator: `operator-${index}`, region: `region-${index}`, hardware: "none" };
  const offers = [
    { model: "risk-small", mode: "vanilla", priceGwei: 10 + index },
    { model: "risk-small", mode: "tee", priceGwei: 20 + index },
  ] as const;
  const terms = { id: `node.${index}`, key: key.publicKeyHex, ...site, slots: 16, queueLimit: 256, offers };
  return { key, terms };
}

let models: Promise<LoadedModels> | undefined;

/** How such a node is hosted; what it computes takes as long as `latency` says. */
export async function hostingOf(
  { key, terms }: TestNode,
  root: EmulatorRoot,
  latency: Latency = { kind: "none" },
): Promise<NodeHosting> {
  models ??= loadModels(["risk-small"], readWasmBinary());
  const { runner, zkProvers } = await models;
  const enclave = new NodeEnclave(terms.id, root);
  const temperament = { speed: 1, fault: { kind: "none" }, luckHex: "11".repeat(32), latency } as const;
  return {
    terms,
    create: (say) =>
      new InferenceNode({ terms, provers: proversOf({ key, enclave, zkProvers }), runner, temperament, say }),
    attest: (epoch: RegistrationEpoch) => enclave.attest(terms, epoch, Date.now()),
  };
}

export interface StartedNode extends TestNode {
  readonly node: NatsNode;
}

export async function startTestNode(
  about: TestNode,
  hosting: NodeHosting,
  options: Pick<NatsNodeOptions, "servers" | "chainId"> & Partial<NatsNodeOptions>,
): Promise<StartedNode> {
  const schedulers = [SCHEDULER.publicKeyHex];
  const node = await startNatsNode({ shard: SHARD, schedulers, key: about.key, node: hosting, ...options });
  return { ...about, node };
}
