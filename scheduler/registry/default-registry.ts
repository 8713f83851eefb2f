import { X509Certificate } from "node:crypto";
import { EMBEDDED_IMAGE } from "../node/embedded-image.ts";
import type { EmulatorRoot } from "../node/enclave-emulator.ts";
import { emulatorMeasurements } from "../node/enclave-emulator.ts";
import { elementCount, type ManifestEntry, readManifest } from "../node/models/catalogue.ts";
import { readVerificationKey, readZkManifest, type ZkManifestEntry } from "../node/zkml/catalogue.ts";
import { sha256Hex } from "../proofs/digest.ts";
import type { OutputForm } from "../proofs/output-number.ts";
import type { RegisteredModel, RegisteredNode, RegisteredRoot } from "./registry.ts";
import { Registry } from "./registry.ts";
import { REGISTRY_LIMITS } from "./registry-limits.ts";

const FLOAT32_BYTES = 4;
/** What an emulated enclave's certificates last; a document cannot count for longer anyway. */
const MAX_AGE_MS = 3 * 3_600_000;

/** Tokens are what a call is said to have, for planning: as much as the largest models in use take, and may answer. */
const MAX_TOKENS_IN = 131_072;
const MAX_TOKENS_OUT = 16_384;

/** Of a model that answers with one number, which; of any other nothing is known but its bytes. */
function outputOf({ output }: ManifestEntry): OutputForm {
  return elementCount(output) === 1 ? { number: "float32-le", element: 0 } : "bytes";
}

const TOKENS = { tokensIn: MAX_TOKENS_IN, tokensOut: MAX_TOKENS_OUT } as const;

/** A model of the package's catalogue. Its computation gives the same bytes on every machine. */
function catalogueModel(entry: ManifestEntry, attested: boolean): RegisteredModel {
  const tee = { measurements: [emulatorMeasurements(EMBEDDED_IMAGE)], maxAgeMs: MAX_AGE_MS };
  return {
    id: entry.model,
    modes: attested ? ["vanilla", "optimistic", "tee"] : ["vanilla", "optimistic"],
    limits: { inputBytes: elementCount(entry.input) * FLOAT32_BYTES, ...TOKENS },
    equivalence: "any",
    rules: { digest: entry.sha256, output: outputOf(entry), ...(attested ? { tee } : {}) },
  };
}

function provableModel(entry: ZkManifestEntry): RegisteredModel {
  const verificationKey = JSON.stringify(readVerificationKey(entry));
  const { input, output } = entry.circuit;
  const isNumber = output.count === 1 && output.bytes === 1;
  return {
    id: entry.model,
    modes: ["vanilla", "zkml"],
    limits: { inputBytes: input.count * input.bytes, ...TOKENS },
    equivalence: "any",
    rules: {
      digest: entry.modelDigest,
      output: isNumber ? { number: "uint8", element: 0 } : "bytes",
      zkml: { system: entry.proofSystem, verificationKey, keyHash: sha256Hex(Buffer.from(verificationKey)) },
    },
  };
}

function models(attested: boolean): RegisteredModel[] {
  const known = readManifest().models.map((entry) => catalogueModel(entry, attested));
  return [...known, ...readZkManifest().models.map(provableModel)];
}

/**
 * What holds when nobody gives a registry and the nodes live in this process: the package's models, the host's own nodes and no
 * others, and enclaves of the host's own emulator, which is plainly marked as one.
 */
export function embeddedRegistry(nodes: readonly RegisteredNode[], emulator: EmulatorRoot): Registry {
  const certificate = new X509Certificate(emulator.certificate);
  const root: RegisteredRoot = {
    pem: certificate.toString(),
    fingerprint: sha256Hex(certificate.raw),
    emulator: true,
  };
  const { maxOffersPerNode: offersPerNode } = REGISTRY_LIMITS;
  return new Registry({ admission: "listed", offersPerNode, models: models(true), roots: [root], nodes });
}

/**
 * What holds when nobody gives a registry and nodes are elsewhere: the package's models, and any node in its own words. Without
 * a root there is no mode `tee`; without bonds that somebody tells of, none `optimistic`.
 */
export function openRegistry(): Registry {
  const { maxOffersPerNode: offersPerNode } = REGISTRY_LIMITS;
  return new Registry({ admission: "open", offersPerNode, models: models(false), roots: [], nodes: [] });
}
