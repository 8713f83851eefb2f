import type { AttestationCheck, AttestationLimits } from "../../../scheduler/proofs/nitro/attestation.ts";
import type { AttestationFault } from "../../../scheduler/proofs/nitro/faults.ts";
import { emulator, request } from "./forge.ts";

/** A document that must be refused, and for what. */
export interface Attack {
  readonly title: string;
  readonly reason: AttestationFault;
  readonly document: () => Uint8Array;
  readonly limits?: Partial<AttestationLimits>;
  readonly check?: Partial<AttestationCheck>;
}

export const honest = emulator.attest(request);

export const bytesOf = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, "hex"));
