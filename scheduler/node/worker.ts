/** Entry point of a node's thread: one inference node, its messages carried by the parent port. */
import { parentPort, workerData } from "node:worker_threads";
import { assert } from "../shared/assert.ts";
import { embeddedNodeTerms, embeddedSigningKey } from "./embedded-node.ts";
import { InferenceNode } from "./inference-node.ts";
import { loadModelRunner } from "./model-runner.ts";
import type { HostMessage, WorkerData } from "./worker-messages.ts";

assert(parentPort !== null, "worker.ts runs in a worker thread");
const port = parentPort;
const { node, wasmBinary } = workerData as WorkerData;

const runner = await loadModelRunner(
  node.offers.map((offer) => offer.model),
  wasmBinary,
);
const inferenceNode = new InferenceNode({
  terms: embeddedNodeTerms(node),
  signingKey: embeddedSigningKey(node),
  runner,
  temperament: node,
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
