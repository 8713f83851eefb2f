import type { RegistrationEpoch } from "../live/transport.ts";
import { sha256Hex } from "../proofs/digest.ts";
import { enclaveUserData, registrationNonce } from "../proofs/nitro/binding.ts";
import type { AttestationRef } from "../shared/vocabulary.ts";
import { EMBEDDED_IMAGE } from "./embedded-image.ts";
import type { EmulatorRoot } from "./enclave-emulator.ts";
import { createEmulatorRoot, EnclaveEmulator } from "./enclave-emulator.ts";
import { createEnclaveKey, type EnclaveSigningKey } from "./enclave-emulator-key.ts";

/** A document as a node registers with it. */
export interface AttestedBy {
  readonly ref: AttestationRef;
  readonly document: Uint8Array;
}

/** Documents whose hashes are remembered: assignments that were given under the one before may still be under way. */
const MAX_REMEMBERED = 16;

/** A node's (emulated) enclave: a key that never leaves it, and documents that vouch for the key, one per epoch or more. */
export class NodeEnclave {
  readonly #emulator: EnclaveEmulator;
  readonly #key: EnclaveSigningKey = createEnclaveKey("ed25519");
  readonly #attested: string[] = [];

  /** Documents begin with this root; with `undefined`, as a node does that forges them, with one of its own. */
  constructor(node: string, root: EmulatorRoot | undefined) {
    const first = root ?? createEmulatorRoot({ nowMs: Date.now() });
    this.#emulator = new EnclaveEmulator({ root: first, image: EMBEDDED_IMAGE, name: node });
  }

  /** A document for the node in this epoch. */
  attest(
    { id, key }: { readonly id: string; readonly key: string },
    { chainId, epoch, seed }: RegistrationEpoch,
    nowMs: number,
  ): AttestedBy {
    const nonce = registrationNonce({ chainId, node: id, epochSeed: seed });
    const document = this.#emulator.attest({
      publicKey: this.#key.spki,
      userData: enclaveUserData({ chainId, node: id, nodeKey: key }),
      nonce: Buffer.from(nonce, "hex"),
      nowMs,
    });
    const hash = sha256Hex(document);
    this.#attested.push(hash);
    if (this.#attested.length > MAX_REMEMBERED) this.#attested.shift();
    return { ref: { hash, epoch }, document };
  }

  hasAttested(hash: string): boolean {
    return this.#attested.includes(hash);
  }

  /** The signature over the message, hexadecimal. */
  sign(message: Uint8Array): string {
    return Buffer.from(this.#key.sign(message)).toString("hex");
  }
}
