import { Schema } from "effect";
import type { NodeTerms } from "../shared/vocabulary.ts";
import { MODES } from "../shared/vocabulary.ts";
import type { ChallengeTerms } from "./challenge-sample.ts";
import { sha256Hex } from "./digest.ts";
import { canonicalBase64, Hash, Id, integer, Name, Uint } from "./fields.ts";
import { WIRE_LIMITS } from "./wire-limits.ts";

/** A line of the registry log, without the members of its chain. What a validator needs to judge proofs by. */
export type RegistryEntry =
  /** The first line: who writes, and how results are sampled for challenges. */
  | ({ readonly entry: "scheduler"; readonly chainId: string; readonly key: string } & ChallengeTerms)
  /** The model registry from this time on, as its canonical lines; `digest` is SHA-256 over them, line feeds included. */
  | { readonly entry: "models"; readonly atUs: number; readonly digest: string; readonly lines: readonly string[] }
  /** The seed of a registration epoch, from which the nonces of its attestation documents follow. */
  | { readonly entry: "epoch"; readonly epoch: number; readonly seed: string }
  /** The document that a node's next terms name by its SHA-256; base64. */
  | { readonly entry: "attestation"; readonly attestation: string; readonly document: string }
  | ({ readonly entry: "node"; readonly atUs: number } & NodeTerms)
  /** SHA-256 of the seed of a challenge epoch that has not begun, and that seed when the epoch is final. */
  | { readonly entry: "commitment"; readonly epoch: number; readonly commitment: string }
  | { readonly entry: "revealed"; readonly epoch: number; readonly seed: string };

/** Lines of one model registry: its limits allow far fewer. */
const MAX_MODEL_LINES = 16_384;
/** Characters of one such line: a verification key has a few thousand. */
const MAX_MODEL_LINE = 256 * 1024;

const OfferSchema = Schema.Struct({
  model: Name,
  mode: Schema.Literals(MODES),
  priceGwei: Uint,
  equivalence: Schema.optionalKey(Name),
});

export const REGISTRY_ENTRY_FIELDS = [
  {
    entry: Schema.Literal("scheduler"),
    chainId: Id,
    key: Hash,
    perMillion: integer(0, 1_000_000),
    epochBlocks: integer(1, Number.MAX_SAFE_INTEGER),
    revealBlocks: Uint,
  },
  {
    entry: Schema.Literal("models"),
    atUs: Uint,
    digest: Hash,
    lines: Schema.Array(Schema.String.check(Schema.isMaxLength(MAX_MODEL_LINE))).check(
      Schema.isMaxLength(MAX_MODEL_LINES),
    ),
  },
  { entry: Schema.Literal("epoch"), epoch: Uint, seed: Hash },
  {
    entry: Schema.Literal("attestation"),
    attestation: Hash,
    document: canonicalBase64(WIRE_LIMITS.maxAttestationBytes),
  },
  {
    entry: Schema.Literal("node"),
    atUs: Uint,
    id: Name,
    key: Name,
    operator: Name,
    region: Name,
    hardware: Name,
    slots: Uint,
    queueLimit: Uint,
    offers: Schema.Array(OfferSchema),
    attestation: Schema.optionalKey(Schema.Struct({ hash: Hash, epoch: Uint })),
  },
  { entry: Schema.Literal("commitment"), epoch: Uint, commitment: Hash },
  { entry: Schema.Literal("revealed"), epoch: Uint, seed: Hash },
] as const;

/** The entry with its keys in the canonical order. */
export function orderRegistryKeys(e: RegistryEntry): RegistryEntry {
  switch (e.entry) {
    case "scheduler": {
      const { perMillion, epochBlocks, revealBlocks } = e;
      return { entry: e.entry, chainId: e.chainId, key: e.key, perMillion, epochBlocks, revealBlocks };
    }
    case "models":
      return { entry: e.entry, atUs: e.atUs, digest: e.digest, lines: e.lines };
    case "attestation":
      return { entry: e.entry, attestation: e.attestation, document: e.document };
    case "node":
      return { entry: e.entry, atUs: e.atUs, ...orderNodeKeys(e) };
    case "commitment":
      return { entry: e.entry, epoch: e.epoch, commitment: e.commitment };
    case "epoch":
    case "revealed":
      return { entry: e.entry, epoch: e.epoch, seed: e.seed };
  }
}

/** The terms with their keys in the canonical order; what stands for "no limit" becomes a number that JSON has. */
export function orderNodeKeys(t: NodeTerms): NodeTerms {
  const { attestation } = t;
  return {
    id: t.id,
    key: t.key,
    operator: t.operator,
    region: t.region,
    hardware: t.hardware,
    slots: t.slots,
    queueLimit: Math.min(t.queueLimit, Number.MAX_SAFE_INTEGER),
    offers: t.offers.map(({ model, mode, priceGwei, equivalence }) => {
      return equivalence === undefined ? { model, mode, priceGwei } : { model, mode, priceGwei, equivalence };
    }),
    ...(attestation === undefined ? {} : { attestation: { hash: attestation.hash, epoch: attestation.epoch } }),
  };
}

/** SHA-256 of a model registry's canonical lines, by which it is named. */
export function modelsDigest(lines: readonly string[]): string {
  return sha256Hex(Buffer.from(lines.map((line) => `${line}\n`).join("")));
}
