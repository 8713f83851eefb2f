import type { FailureReason, Mode, NodeTerms } from "../shared/vocabulary.ts";

/**
 * What makes an answer checkable, by mode; hexadecimal throughout. `signature` is over the encoded statement: the registered
 * key's, in mode `tee` the attested enclave key's. `attestation` is the SHA-256 of the document under which the node is
 * registered, `proof` a zero-knowledge proof of the model's proof system.
 */
export type Proof =
  | { readonly kind: "vanilla"; readonly signature: string }
  | { readonly kind: "optimistic"; readonly signature: string }
  | { readonly kind: "tee"; readonly signature: string; readonly attestation: string }
  | { readonly kind: "zkml"; readonly signature: string; readonly proof: string };

/** One copy, as a node receives it. Hexadecimal strings are lower case without prefix. */
export interface Assignment {
  readonly copy: number;
  readonly node: string;
  /** Assignment nonce, a safe integer; part of the statement that the node signs. */
  readonly nonce: number;
  readonly chainId: string;
  readonly txHash: string;
  readonly callIndex: number;
  readonly model: string;
  readonly mode: Mode;
  readonly inputHash: string;
  readonly input: Uint8Array;
  readonly tokensIn: number;
  readonly tokensOut: number;
  /** Under which attestation document (its SHA-256) the node is registered; in mode `tee` the proof has to name it. */
  readonly attestation?: string;
  /** The node stops by itself this long after it received the assignment, whatever it was told (P9). */
  readonly leaseMs: number;
}

/**
 * A span of time in which attestation documents answer nonces derived from this seed (64 hexadecimal digits), each node from
 * its own (`registrationNonce`).
 */
export interface RegistrationEpoch {
  readonly chainId: string;
  readonly epoch: number;
  readonly seed: string;
}

/** What nodes say. Bounded by the transport; a node can only speak in its own name. */
export type NodeMessage =
  /** `attestation`: the document that its terms name, for nodes that have an enclave. */
  | { readonly kind: "joined"; readonly terms: NodeTerms; readonly attestation?: Uint8Array }
  | { readonly kind: "left"; readonly node: string }
  | {
      readonly kind: "reported";
      readonly node: string;
      readonly running: number;
      readonly queued: number;
      readonly warm: readonly string[];
    }
  | { readonly kind: "accepted"; readonly node: string; readonly copy: number }
  | { readonly kind: "progressed"; readonly node: string; readonly copy: number; readonly tokens: number }
  | {
      readonly kind: "answered";
      readonly node: string;
      readonly copy: number;
      readonly output: Uint8Array;
      readonly proof: Proof;
    }
  | { readonly kind: "failed"; readonly node: string; readonly copy: number; readonly reason: FailureReason };

/**
 * Carries assignments to nodes and brings back what they say. At least once, in any order: receivers know copies by their
 * ids. Neither method blocks or throws; what cannot be delivered shows as silence, and leases end it.
 */
export interface Transport {
  dispatch(assignment: Assignment): void;
  cancel(node: string, copy: number): void;
  /** Sets the one receiver. Called before `start`. */
  onMessage(receive: (message: NodeMessage) => void): void;
  /**
   * Told before `start`, and again whenever documents should be renewed: nodes that have an enclave join anew, with a document
   * for this epoch. A transport to nodes without enclaves does not need it.
   */
  announce?(epoch: RegistrationEpoch): void;
  /** Brings the nodes up; they join by messages. */
  start(): Promise<void>;
  /** Ends only what it started. */
  close(): Promise<void>;
}
