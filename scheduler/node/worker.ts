/** Entry point of a node's thread: one inference node, its messages carried by the parent port. */
import { parentPort, workerData } from "node:worker_threads";
import { sha256Hex } from "../proofs/digest.ts";
import { assert } from "../shared/assert.ts";
import type { EmbeddedNode } from "./embedded-node.ts";
import { embeddedNodeTerms, embeddedSigningKey } from "./embedded-node.ts";
import { behaviourOf } from "./behaviour/faults.ts";
import { InferenceNode } from "./inference-node.ts";
import { loadModelRunner } from "./model-runner.ts";
import { seededUniform } from "./behaviour/random.ts";
import type { HostMessage, WorkerData } from "./worker-messages.ts";

assert(parentPort !== null, "worker.ts runs in a worker thread");
const port = parentPort;
const { node, wasmBinary } = workerData as WorkerData;

/** A stream of its own for each purpose, so that drawing more of one does not shift the other. */
function streamSeed(embedded: EmbeddedNode, purpose: string): number {
  return Number.parseInt(sha256Hex(Buffer.from(`${embedded.seedHex}/${purpose}`)).slice(0, 8), 16);
}

const runner = await loadModelRunner(
  node.offers.map((offer) => offer.model),
  wasmBinary,
);
const inferenceNode = new InferenceNode({
  terms: embeddedNodeTerms(node),
  signingKey: embeddedSigningKey(node),
  runner,
  latency: node.latency,
  speed: node.speed,
  behaviour: behaviourOf(node.fault, seededUniform(streamSeed(node, "faults"))),
  uniform: seededUniform(streamSeed(node, "delays")),
  say: (message) => port.postMessage(message),
});

port.on("message", (message: HostMessage) => {
  if (message.kind === "assign") inferenceNode.assign(message.assignment);
  else if (message.kind === "cancel") inferenceNode.cancel(message.copy);
  else {
    inferenceNode.drain();
    port.close();
  }
});
inferenceNode.join();
