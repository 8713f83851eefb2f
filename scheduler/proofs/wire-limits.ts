import { assert } from "../shared/assert.ts";
import { MAX_ENCODED_BYTES } from "./encoding.ts";

/**
 * Limits of what comes over the wire, before the engine's own (P11). They bound the work that an unsigned message can cause
 * and the size of every line that an outsider's audit has to read.
 */
export const WIRE_LIMITS = {
  /** Calls of one transaction; the mempool's limit is the same, so that nothing well formed is refused there for its size. */
  maxCalls: 16,
  /** Bytes of one input: about 16,000 tokens of text, or a float32 tensor of 16,384 elements. */
  maxInputBytes: 64 * 1024,
  /** Bytes of one answer's output, for the same reason. */
  maxOutputBytes: 64 * 1024,
  /** Bytes of a whole transaction as JSON: what one message of the usual brokers and proxies carries by default. */
  maxTransactionBytes: 1024 * 1024,
  /** Room that everything but the inputs may take: 16 calls of a few hundred bytes each, with a wide margin. */
  maxEnvelopeBytes: 32 * 1024,
  /** Eight and a half minutes of 500 ms blocks; the mempool's limit is the same. */
  maxTtlBlocks: 1024,
  maxValidityBlocks: 1024,
  /** 1,099 ether: no honest fee or gas price is higher, and the sum over all calls stays far below 2^53. */
  maxFeeGwei: 2 ** 40,
  maxGasPriceGwei: 2 ** 40,
  /** Tokens of one call; larger than any context window in use. */
  maxTokens: 2 ** 24,
  /** Length of model names, node names and chain ids. */
  maxIdLength: 64,
  /** Bytes of a signature: Ed25519 has 64, ECDSA over P-256 as DER at most 72; room for larger curves. */
  maxSignatureBytes: 128,
  /** Bytes of a zero-knowledge proof: Groth16 has 256, the succinct systems in use below 4 KiB. */
  maxZkProofBytes: 4 * 1024,
  /** Bytes of an attestation document: those of AWS have 4 to 6 KB. */
  maxAttestationBytes: 32 * 1024,
  /** Answers that a conflict rule may ask for: each is paid, and five operators who collude are no worse than six. */
  maxQuorum: 5,
  /** Nodes that one race names as rivals. The engine launches far fewer copies per race. */
  maxRivals: 1024,
} as const;

/** Names of models, nodes and chains: no separators, quotes or spaces, so that they fit into logs, keys and file names. */
export const ID_PATTERN = /^[A-Za-z0-9._-]{1,64}$/u;

assert(WIRE_LIMITS.maxTransactionBytes <= MAX_ENCODED_BYTES, "a transaction must fit into one encoding");
assert(
  WIRE_LIMITS.maxCalls * WIRE_LIMITS.maxFeeGwei <= Number.MAX_SAFE_INTEGER,
  "the escrow of one transaction must stay a safe integer",
);
