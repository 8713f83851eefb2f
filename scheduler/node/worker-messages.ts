import type { Assignment, NodeMessage } from "../live/transport.ts";
import type { EmbeddedNode } from "./embedded-node.ts";

/** What a node's thread is started with. */
export interface WorkerData {
  readonly node: EmbeddedNode;
  /** ONNX Runtime's WebAssembly file in shared memory, so that each thread does not read its own 14 MB. */
  readonly wasmBinary: Uint8Array;
}

export type HostMessage =
  | { readonly kind: "assign"; readonly assignment: Assignment }
  | { readonly kind: "cancel"; readonly copy: number }
  /** End every copy and go; the thread exits by itself. */
  | { readonly kind: "drain" };

export type WorkerMessage = NodeMessage;
