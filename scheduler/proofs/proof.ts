import { Schema } from "effect";
import type { Proof } from "../live/transport.ts";
import { isHashHex } from "./digest.ts";
import { WIRE_LIMITS } from "./wire-limits.ts";

const HEX = /^(?:[0-9a-f]{2})+$/;

/** Names of the members of each kind of proof, in the canonical order. */
const MEMBERS: { readonly [K in Proof["kind"]]: readonly string[] } = {
  vanilla: ["kind", "signature"],
  optimistic: ["kind", "signature"],
  tee: ["kind", "signature", "attestation"],
  zkml: ["kind", "signature", "proof"],
};

/** Whether the value has the form of a proof: exactly its kind's members, hexadecimal, within the limits. Never throws. */
export function isProof(value: unknown): value is Proof {
  try {
    return hasForm(value as Partial<Record<string, unknown>>);
  } catch {
    // Nothing where an object should be, or something that throws when it is looked at.
    return false;
  }
}

function hasForm(proof: Partial<Record<string, unknown>>): boolean {
  const { kind, signature } = proof;
  if (typeof kind !== "string" || !Object.hasOwn(MEMBERS, kind)) return false;
  const members = MEMBERS[kind as Proof["kind"]];
  if (Object.keys(proof).length !== members.length) return false;
  if (!isHex(signature, WIRE_LIMITS.maxSignatureBytes)) return false;
  if (kind === "tee") return isHashHex(proof["attestation"]);
  return kind !== "zkml" || isHex(proof["proof"], WIRE_LIMITS.maxZkProofBytes);
}

function isHex(value: unknown, maxBytes: number): boolean {
  return typeof value === "string" && value.length <= 2 * maxBytes && HEX.test(value);
}

/** A proof as receipts hold it. */
export const ProofSchema = Schema.declare(isProof, { expected: "a proof of a known kind, hexadecimal" });

/** The proof with its keys in the canonical order. */
export function orderProofKeys(proof: Proof): Proof {
  const { kind, signature } = proof;
  if (kind === "tee") return { kind, signature, attestation: proof.attestation };
  if (kind === "zkml") return { kind, signature, proof: proof.proof };
  return { kind, signature };
}
