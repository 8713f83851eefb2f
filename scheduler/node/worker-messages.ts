import type { Assignment, NodeMessage, RegistrationEpoch } from "../live/transport.ts";
import type { EmbeddedNode } from "./embedded-node.ts";
import type { EmulatorRoot } from "./enclave-emulator.ts";

/** What a node's thread is started with. */
export interface WorkerData {
  readonly node: EmbeddedNode;
  /** ONNX Runtime's WebAssembly file in shared memory, so that each thread does not read its own 14 MB. */
  readonly wasmBinary: Uint8Array;
  /** Root of its enclave's documents; `undefined` for a host without enclaves. */
  readonly emulator: EmulatorRoot | undefined;
  /** The registration epoch at the start; `undefined` where nobody announces any. */
  readonly epoch: RegistrationEpoch | undefined;
}

export type HostMessage =
  | { readonly kind: "assign"; readonly assignment: Assignment }
  | { readonly kind: "cancel"; readonly copy: number }
  /** Join anew with a document for this epoch, if there is an enclave. */
  | { readonly kind: "epoch"; readonly epoch: RegistrationEpoch }
  /** End every copy and go; the thread exits by itself. */
  | { readonly kind: "drain" };

export type WorkerMessage = NodeMessage;
