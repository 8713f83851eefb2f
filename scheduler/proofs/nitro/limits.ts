/** Limits of a verifier of attestation documents (P11). Nothing that an outsider sends can make it work or remember more. */
export interface AttestationLimits {
  readonly maxDocumentBytes: number;
  /** Arrays, maps and tags inside one another. */
  readonly maxDepth: number;
  /** Data items of one CBOR text, keys and values counted one by one. */
  readonly maxItems: number;
  /** Certificates of one chain, root and leaf included. */
  readonly maxCertificates: number;
  /** A document may be dated so far after the stated time: clocks of enclave and checker differ. */
  readonly maxClockSkewMs: number;
  readonly maxCachedCertificates: number;
  readonly maxCachedDocuments: number;
}

export const DEFAULT_ATTESTATION_LIMITS: AttestationLimits = {
  /** AWS's documents have 4,400 to 4,800 bytes; with all optional fields and 32 registers of 64 bytes they stay below 12,000. */
  maxDocumentBytes: 32 * 1024,
  /** A document needs three: its map, the map of registers, what stands in that. */
  maxDepth: 8,
  /** A document with 32 registers and ten certificates needs about a hundred. */
  maxItems: 512,
  /** AWS uses five: root, region, zone, instance, enclave. */
  maxCertificates: 8,
  maxClockSkewMs: 30_000,
  /** One for each enclave and each host, and a few for zones and regions. */
  maxCachedCertificates: 8_192,
  /** One for each node; about 8 KB each. */
  maxCachedDocuments: 4_096,
};

/** What the format itself bounds: https://github.com/aws/aws-nitro-enclaves-nsm-api, docs/attestation_process.md. */
export const FORMAT_LIMITS = {
  maxCertificateBytes: 1_024,
  /** Registers are numbered from 0 to 31. */
  maxRegisters: 32,
  /** Of `public_key`, `user_data` and `nonce` each. */
  maxAttachmentBytes: 1_024,
  maxModuleIdLength: 256,
} as const;
