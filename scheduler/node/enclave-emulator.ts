import { createPrivateKey, hash, type KeyObject } from "node:crypto";
import { FORMAT_LIMITS } from "../proofs/nitro/limits.ts";
import type { Measurements } from "../proofs/nitro/rules.ts";
import {
  authorityExtensions,
  EMULATOR_ORGANISATION,
  generateCertificateKey,
  issueCertificate,
  leafExtensions,
} from "./enclave-emulator-certificates.ts";
import { encodePayload, signDocument } from "./enclave-emulator-document.ts";

/**
 * The root that emulators' documents begin with. Plain data, so that it can be handed to threads; whoever has it can forge what
 * it attests, which is why a verifier takes such a root only where it is allowed explicitly. There is no seed: ECDSA signatures
 * are random, and a root made twice would have two fingerprints.
 */
export interface EmulatorRoot {
  /** DER. Its subject says that this is no enclave. */
  readonly certificate: Uint8Array;
  /** PKCS #8, DER. */
  readonly privateKey: Uint8Array;
}

export interface EnclaveEmulatorOptions {
  readonly root: EmulatorRoot;
  /** The image that pretends to run; its measurements follow from its name. */
  readonly image: string;
  /** Names the enclave in its documents, after `emulator-`. */
  readonly name: string;
  /** Attests zero measurements, as an enclave in debug mode does. */
  readonly debug?: boolean;
}

/** What an enclave asks its security module for. */
export interface AttestationRequest {
  readonly publicKey?: Uint8Array;
  readonly userData?: Uint8Array;
  readonly nonce?: Uint8Array;
  /** Milliseconds since 1970: the document's date. */
  readonly nowMs: number;
}

interface Issued {
  readonly authorities: readonly Uint8Array[];
  readonly certificate: Uint8Array;
  readonly key: KeyObject;
  readonly validFromMs: number;
  readonly validToMs: number;
}

const HOUR_MS = 3_600_000;
const ROOT_LIFE_MS = 10 * 365 * 24 * HOUR_MS;
/** Longer than an enclave's own certificate, as with AWS. */
const AUTHORITY_LIFE_MS = 24 * HOUR_MS;
/** What AWS gives an enclave. */
const LEAF_LIFE_MS = 3 * HOUR_MS;
/** A certificate is renewed when less than this is left of it, and is valid this long before it is made: clocks differ. */
const MARGIN_MS = 60_000;
const REGISTERS = 16;
const IMAGE_REGISTERS = 3;
const PCR_BYTES = 48;
const ROOT_NAME = EMULATOR_ORGANISATION;
const AUTHORITY_NAME = "emulated host";
const ENCLAVE_NAME = "emulated enclave";

/** A fresh root, valid for ten years from now on. */
export function createEmulatorRoot({ nowMs }: { readonly nowMs: number }): EmulatorRoot {
  const key = generateCertificateKey();
  const certificate = issueCertificate({
    subject: ROOT_NAME,
    issuer: ROOT_NAME,
    subjectKey: key,
    issuerKey: key,
    validFromMs: nowMs - MARGIN_MS,
    validToMs: nowMs + ROOT_LIFE_MS,
    extensions: authorityExtensions(1),
  });
  return { certificate, privateKey: new Uint8Array(key.export({ format: "der", type: "pkcs8" })) };
}

/** What an emulated image measures: what a model registry lists to accept it. Never zero, and no real image's. */
export function emulatorMeasurements(image: string): Measurements {
  const [pcr0, pcr1, pcr2] = [0, 1, 2].map((index) => imageRegister(image, index).toString("hex"));
  return { pcr0: pcr0 as string, pcr1: pcr1 as string, pcr2: pcr2 as string };
}

/**
 * Stands for an enclave's security module where there is none: development, tests, demonstrations. Its documents are real in
 * form and signature, and worthless as evidence: they come from a root that says so.
 */
export class EnclaveEmulator {
  readonly #root: EmulatorRoot;
  readonly #rootKey: KeyObject;
  readonly #moduleId: string;
  readonly #pcrs: ReadonlyMap<number, Uint8Array>;
  #issued: Issued | undefined;

  constructor({ root, image, name, debug = false }: EnclaveEmulatorOptions) {
    this.#root = root;
    this.#rootKey = createPrivateKey({ key: Buffer.from(root.privateKey), format: "der", type: "pkcs8" });
    this.#moduleId = `emulator-${name}`;
    this.#pcrs = new Map(
      Array.from({ length: REGISTERS }, (_, index) => {
        const measures = index < IMAGE_REGISTERS && !debug;
        return [index, measures ? new Uint8Array(imageRegister(image, index)) : new Uint8Array(PCR_BYTES)];
      }),
    );
  }

  /**
   * A document: COSE_Sign1 with ES384, and a chain of three certificates on P-384. Throws a RangeError when an attachment has more
   * bytes than the format allows.
   */
  attest({ publicKey, userData, nonce, nowMs }: AttestationRequest): Uint8Array {
    for (const [name, bytes] of Object.entries({ publicKey, userData, nonce })) {
      const length = bytes?.length ?? 0;
      if (length > FORMAT_LIMITS.maxAttachmentBytes) {
        throw new RangeError(
          `${name} has ${length} bytes; a document carries at most ${FORMAT_LIMITS.maxAttachmentBytes}`,
        );
      }
    }
    const { authorities, certificate, key } = this.#certificatesAt(nowMs);
    const moduleId = this.#moduleId;
    const fields = { moduleId, timestampMs: nowMs, pcrs: this.#pcrs, authorities, certificate };
    return signDocument(encodePayload({ ...fields, publicKey, userData, nonce }), key);
  }

  #certificatesAt(nowMs: number): Issued {
    const known = this.#issued;
    if (known !== undefined && nowMs >= known.validFromMs && nowMs <= known.validToMs - MARGIN_MS) return known;
    this.#issued = this.#issue(nowMs);
    return this.#issued;
  }

  #issue(nowMs: number): Issued {
    const [authorityKey, key] = [generateCertificateKey(), generateCertificateKey()];
    const validFromMs = nowMs - MARGIN_MS;
    const validToMs = nowMs + LEAF_LIFE_MS;
    const authority = issueCertificate({
      subject: AUTHORITY_NAME,
      issuer: ROOT_NAME,
      subjectKey: authorityKey,
      issuerKey: this.#rootKey,
      validFromMs,
      validToMs: nowMs + AUTHORITY_LIFE_MS,
      extensions: authorityExtensions(0),
    });
    const certificate = issueCertificate({
      subject: ENCLAVE_NAME,
      issuer: AUTHORITY_NAME,
      subjectKey: key,
      issuerKey: authorityKey,
      validFromMs,
      validToMs,
      extensions: leafExtensions(),
    });
    return { authorities: [this.#root.certificate, authority], certificate, key, validFromMs, validToMs };
  }
}

function imageRegister(image: string, index: number): Buffer {
  return hash("sha384", `pipe/emulated-image/v1 ${index} ${image}`, "buffer");
}
