import { X509Certificate } from "node:crypto";
import { sha256Hex } from "../digest.ts";
import { isIssuedBy, type KeyPurpose, type OpenedCertificate, openCertificate, readPurpose } from "./certificate.ts";
import { Refused } from "./faults.ts";

/** SHA-256 of the DER of AWS's root, `aws.nitro-enclaves`, valid from 2019 to 2049. AWS publishes it, and the certificate. */
export const AWS_NITRO_ROOT_SHA256 = "641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b";

/** A root certificate as configured: PEM text or DER. It is named by the SHA-256 of its DER, nothing else. */
export type TrustedRoot = string | Uint8Array;

/** A root as the verifier uses it. */
export interface PinnedRoot {
  readonly certificate: OpenedCertificate;
  readonly purpose: KeyPurpose;
  /** SHA-256 of the DER, hexadecimal. */
  readonly fingerprint: string;
  /** Whether it says of itself that it stands for an emulator, and so for no protection at all. */
  readonly emulated: boolean;
}

/** A configured root that cannot be one. The message says what to do. */
export class RootError extends Error {
  override readonly name = "RootError";
}

/** Every emulator's root says so in its subject; AWS's cannot. */
const EMULATOR = /emulator/i;

/** Reads a configured root. Throws a `RootError`; for an emulator's root, unless `allowEmulator` is set. */
export function readRoot(root: TrustedRoot, allowEmulator: boolean): PinnedRoot {
  const certificate = openRoot(root);
  const { raw, subject } = certificate.x509;
  const fingerprint = sha256Hex(raw);
  const emulated = EMULATOR.test(subject);
  if (emulated && !allowEmulator) {
    throw new RootError(
      `The root ${fingerprint} is an enclave emulator's: it attests nothing. Configure AWS's root (SHA-256 ${AWS_NITRO_ROOT_SHA256}), or allow the emulator explicitly, for development only.`,
    );
  }
  return { certificate, purpose: requireAuthority(certificate, fingerprint), fingerprint, emulated };
}

function openRoot(root: TrustedRoot): OpenedCertificate {
  try {
    return openCertificate(new X509Certificate(root).raw);
  } catch (cause) {
    const why = cause instanceof Refused ? cause.message : "These bytes are not a certificate in PEM or DER.";
    throw new RootError(`The configured root cannot be used. ${why} Configure the root as AWS publishes it.`, {
      cause,
    });
  }
}

function requireAuthority(certificate: OpenedCertificate, fingerprint: string): KeyPurpose {
  try {
    const purpose = readPurpose(certificate);
    const mayIssue = purpose.isAuthority && purpose.usages.includes("keyCertSign");
    if (mayIssue && isIssuedBy(certificate, certificate)) return purpose;
  } catch (cause) {
    throw new RootError(`The root ${fingerprint} cannot be used. ${cause instanceof Error ? cause.message : ""}`, {
      cause,
    });
  }
  throw new RootError(`The certificate ${fingerprint} is not a self-signed certificate authority, and so no root.`);
}
