import { hash } from "node:crypto";
import { isHashHex, sha256Hex } from "../digest.ts";
import { encodeFields } from "../encoding.ts";

/** Whom a document has to be made for. docs/ATTESTATION.md gives the encoding and test vectors. */
export interface AttestationBinding {
  readonly chainId: string;
  /** The node's name. */
  readonly node: string;
  /** The node's Ed25519 key: 64 lower-case hexadecimal digits. */
  readonly nodeKey: string;
  /** What `registrationNonce` gives for the current epoch: 64 lower-case hexadecimal digits. */
  readonly registrationNonce: string;
}

/** Opens what `user_data` is the hash of, so that it can stand for nothing else. */
const USER_DATA_DOMAIN = "pipe/enclave/v1";
const NONCE_DOMAIN = "pipe/enclave-nonce/v1";

/** The `user_data` that an enclave has to ask for: 32 bytes. Throws a RangeError on a malformed field. */
export function enclaveUserData({ chainId, node, nodeKey }: Omit<AttestationBinding, "registrationNonce">): Uint8Array {
  const key = Buffer.from(requireHashHex("nodeKey", nodeKey), "hex");
  return hash("sha256", encodeFields(USER_DATA_DOMAIN, [chainId, node, key]), "buffer");
}

/** A registration epoch: until it ends, one document of a node is good for it. */
export interface RegistrationEpoch {
  readonly chainId: string;
  readonly node: string;
  /** 64 lower-case hexadecimal digits that nobody could foresee before the epoch began, such as a block's hash. */
  readonly epochSeed: string;
}

/** The `nonce` of documents of that epoch: 64 lower-case hexadecimal digits. Throws a RangeError on a malformed field. */
export function registrationNonce({ chainId, node, epochSeed }: RegistrationEpoch): string {
  const seed = Buffer.from(requireHashHex("epochSeed", epochSeed), "hex");
  return sha256Hex(encodeFields(NONCE_DOMAIN, [chainId, node, seed]));
}

/** Gives the value back. Throws a RangeError unless it is 32 bytes in lower-case hexadecimal. */
export function requireHashHex(field: string, value: string): string {
  if (!isHashHex(value)) throw new RangeError(`${field} is not 64 lower-case hexadecimal digits`);
  return value;
}
