/** Limits of a registry (P11); the reasons stand beside them. */
export const REGISTRY_LIMITS = {
  /** Bytes of a registry file: a thousand models and nodes with all that may be said of them. */
  maxFileBytes: 1024 * 1024,
  /** Bytes of a key or certificate that it names: a line of the registry log holds it, with quotes and line feeds escaped. */
  maxKeyBytes: 96 * 1024,
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
  /** What the chain's deposits can hold in all stays a safe integer with that many for each node. */
  maxBondGwei: 2 ** 40,
} as const;
