import { sha256Hex } from "../proofs/digest.ts";
import type { AttestationStage, Enclave } from "../proofs/judge.ts";
import { LruMap } from "../proofs/nitro/lru-map.ts";

/** One for each node. */
const MAX_ENCLAVES = 4_096;

interface Found {
  readonly enclave: Enclave;
  /** The earliest time at which it was found to hold. */
  readonly fromMs: number;
}

/**
 * Enclaves that workers found behind attestations, so that a document is verified once and not once per answer. One is good for
 * the very document, rules and binding that it was found with, and for times from the one that it was found at to its end:
 * all that limits an attestation in time is a span.
 */
export class KnownEnclaves {
  readonly #found = new LruMap<Found>(MAX_ENCLAVES);
  /** Rules are the registry's objects: few, and written out once each. */
  readonly #rules = new WeakMap<object, string>();

  find(stage: AttestationStage): Enclave | undefined {
    const found = this.#found.get(this.#nameOf(stage));
    if (found === undefined) return undefined;
    const { atMs } = stage.check;
    return found.fromMs <= atMs && atMs <= found.enclave.expiresMs ? found.enclave : undefined;
  }

  note(stage: AttestationStage, enclave: Enclave): void {
    this.#found.set(this.#nameOf(stage), { enclave, fromMs: stage.check.atMs });
  }

  #nameOf({ document, check: { rules, binding } }: AttestationStage): string {
    let written = this.#rules.get(rules);
    if (written === undefined) {
      written = JSON.stringify(rules);
      this.#rules.set(rules, written);
    }
    const { chainId, node, nodeKey, registrationNonce } = binding;
    const asked = JSON.stringify([chainId, node, nodeKey, registrationNonce, written]);
    return sha256Hex(document) + sha256Hex(Buffer.from(asked));
  }
}
