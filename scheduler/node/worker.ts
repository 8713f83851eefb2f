/** Entry point of a node's thread: one inference node, its messages carried by the parent port. */
import { parentPort, workerData } from "node:worker_threads";
import type { RegistrationEpoch } from "../live/transport.ts";
import { assert } from "../shared/assert.ts";
import { behaviourOf } from "./behaviour/faults.ts";
import { embeddedNodeTerms, embeddedSigningKey } from "./embedded-node.ts";
import { loadModels } from "./backends/onnx.ts";
import { InferenceNode } from "./inference-node.ts";
import type { AttestedBy, NodeEnclave } from "./node-enclave.ts";
import { proversOf } from "./provers.ts";
import type { HostMessage, WorkerData } from "./worker-messages.ts";

assert(parentPort !== null, "worker.ts runs in a worker thread");
const port = parentPort;
const { node, wasmBinary, emulator, epoch } = workerData as WorkerData;

const { runner, zkProvers } = await loadModels(
  node.offers.map((offer) => offer.model),
  wasmBinary,
);
const terms = embeddedNodeTerms(node);
const enclave = await enclaveOf();
const inferenceNode = new InferenceNode({
  terms,
  provers: proversOf({ key: embeddedSigningKey(node), enclave, zkProvers }),
  runner,
  temperament: node,
  say: (message) => port.postMessage(message),
});

/** Only a node that offers something in mode `tee` has an enclave, and loads what belongs to it. */
async function enclaveOf(): Promise<NodeEnclave | undefined> {
  if (emulator === undefined || !node.offers.some(({ mode }) => mode === "tee")) return undefined;
  const { NodeEnclave } = await import("./node-enclave.ts");
  return new NodeEnclave(node.id, behaviourOf(node.fault).forgesRoot ? undefined : emulator);
}

function attestedIn(current: RegistrationEpoch | undefined): AttestedBy | undefined {
  return current === undefined ? undefined : enclave?.attest(terms, current, Date.now());
}

port.on("message", (message: HostMessage) => {
  if (message.kind === "assign") inferenceNode.assign(message.assignment);
  else if (message.kind === "cancel") inferenceNode.cancel(message.copy);
  else if (message.kind === "epoch") {
    if (enclave !== undefined) inferenceNode.rejoin(attestedIn(message.epoch));
  } else {
    inferenceNode.drain();
    port.close();
  }
});
inferenceNode.join(attestedIn(epoch));
