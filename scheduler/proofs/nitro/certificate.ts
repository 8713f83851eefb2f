import { type KeyObject, X509Certificate } from "node:crypto";
import { AsnConvert } from "@peculiar/asn1-schema";
import {
  BasicConstraints,
  Certificate,
  type Extension,
  id_ce_basicConstraints,
  id_ce_keyUsage,
  KeyUsage,
  type KeyUsageType,
  Version,
} from "@peculiar/asn1-x509";
import { demand, Refused } from "./faults.ts";

/** A certificate whose signature nobody has checked. */
export interface OpenedCertificate {
  readonly x509: X509Certificate;
  /** On P-384. */
  readonly key: KeyObject;
  readonly validFromMs: number;
  /** Still valid at this time. */
  readonly validToMs: number;
}

/** What a certificate allows its key to do. */
export interface KeyPurpose {
  readonly isAuthority: boolean;
  /** How many authorities may stand between this one and an enclave; infinite when it does not say. */
  readonly pathLength: number;
  readonly usages: readonly KeyUsageType[];
}

const ECDSA_WITH_SHA384 = "1.2.840.10045.4.3.3";
const UNDERSTOOD: readonly string[] = [id_ce_basicConstraints, id_ce_keyUsage];

/** Throws `Refused` unless the bytes are one X.509 certificate, to the last byte, with a key on P-384. */
export function openCertificate(der: Uint8Array): OpenedCertificate {
  const opened = orRefused(() => {
    const x509 = new X509Certificate(der);
    return { x509, key: x509.publicKey };
  });
  demand(opened.x509.raw.equals(der), "bad-certificate");
  demand(opened.key.asymmetricKeyType === "ec", "weak-algorithm");
  demand(opened.key.asymmetricKeyDetails?.namedCurve === "secp384r1", "weak-algorithm");
  const validFromMs = opened.x509.validFromDate.getTime();
  const validToMs = opened.x509.validToDate.getTime();
  demand(Number.isSafeInteger(validFromMs) && Number.isSafeInteger(validToMs), "bad-certificate");
  return { ...opened, validFromMs, validToMs };
}

/** Whether the certificate names the issuer as such and bears its signature. */
export function isIssuedBy(certificate: OpenedCertificate, issuer: OpenedCertificate): boolean {
  try {
    return certificate.x509.checkIssued(issuer.x509) && certificate.x509.verify(issuer.key);
  } catch {
    return false;
  }
}

/**
 * Reads what Node's own class does not tell: signature algorithm, path length, key usage. Throws `Refused` for algorithms and
 * critical extensions that are not among those expected. For certificates whose signature has been checked.
 */
export function readPurpose(certificate: OpenedCertificate): KeyPurpose {
  const { tbsCertificate, signatureAlgorithm } = orRefused(() => AsnConvert.parse(certificate.x509.raw, Certificate));
  demand(tbsCertificate.version === Version.v3, "bad-certificate");
  demand(signatureAlgorithm.algorithm === ECDSA_WITH_SHA384, "weak-algorithm");
  const extensions = [...(tbsCertificate.extensions ?? [])];
  demand(new Set(extensions.map(({ extnID }) => extnID)).size === extensions.length, "bad-certificate");
  for (const { critical, extnID } of extensions) {
    demand(!critical || UNDERSTOOD.includes(extnID), "unknown-critical-extension");
  }
  const constraints = readExtension(extensions, id_ce_basicConstraints, BasicConstraints);
  return {
    isAuthority: constraints?.cA ?? false,
    pathLength: constraints?.pathLenConstraint ?? Number.POSITIVE_INFINITY,
    usages: readExtension(extensions, id_ce_keyUsage, KeyUsage)?.toJSON() ?? [],
  };
}

function readExtension<T>(extensions: readonly Extension[], id: string, type: new () => T): T | undefined {
  const extension = extensions.find(({ extnID }) => extnID === id);
  return extension && orRefused(() => AsnConvert.parse(extension.extnValue.buffer, type));
}

function orRefused<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new Refused("bad-certificate", { cause });
  }
}
