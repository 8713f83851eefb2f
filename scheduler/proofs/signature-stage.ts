import type { SignatureStage, StageOutcome } from "./judge.ts";
import { verifySignature } from "./keys.ts";
import { verifyEnclaveSignature } from "./nitro/enclave-key.ts";

/** The outcome of a stage that found nothing wrong, and nobody. */
export const PASSED: StageOutcome = { ok: true, enclave: undefined };

/** The one stage that is cheap, apart from the others so that it can be had without what they need. Never throws. */
export function runSignature(stage: SignatureStage): StageOutcome {
  return isSigned(stage) ? PASSED : { ok: false, fault: "bad-signature" };
}

function isSigned({ key, message, signature }: SignatureStage): boolean {
  if (typeof key === "string") return verifySignature(key, message, signature);
  return verifyEnclaveSignature(key, message, bytesOf(signature));
}

const HEX = /^(?:[0-9a-f]{2})*$/;

/** Bytes have one way to be written; whatever is written in another way is no bytes, which no signature and no proof is. */
export function bytesOf(hex: string): Uint8Array {
  return HEX.test(hex) ? Buffer.from(hex, "hex") : new Uint8Array(0);
}
