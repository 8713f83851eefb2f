import { WIRE_LIMITS } from "../proofs/wire-limits.ts";

/** Limits of a registry (P11); the reasons stand beside them. */
export const REGISTRY_LIMITS = {
  /** Bytes of a registry file: a thousand models and nodes with all that may be said of them. */
  maxFileBytes: 1024 * 1024,
  /** Bytes of a key or certificate that it names: the key of a circuit with a thousand public inputs takes 200 KB. */
  maxKeyBytes: 1024 * 1024,
  /** Bytes of a model's file whose digest is checked: what can be read at a start without anybody waiting. */
  maxModelBytes: 1024 * 1024 * 1024,
  /** Models by modes are the engine's classes, of which it knows 4,096. */
  maxModels: 1_024,
  /** As many nodes as the engine knows. */
  maxNodes: 4_096,
  maxRoots: 16,
  /** Builds of one model's enclave that are accepted at a time: a new one, an old one, and some for other hardware. */
  maxMeasurements: 64,
  /** Offers of one node: every mode of more models than one machine has memory for. */
  maxOffersPerNode: 256,
  /** Kinds of hardware that one model tells apart. */
  maxHardware: 256,
  maxInputBytes: WIRE_LIMITS.maxInputBytes,
  maxTokens: WIRE_LIMITS.maxTokens,
  /** What the chain's deposits can hold in all stays a safe integer with that many for each node. */
  maxBondGwei: 2 ** 40,
} as const;
