import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { AsnConvert, OctetString } from "@peculiar/asn1-schema";
import {
  AlgorithmIdentifier,
  AttributeTypeAndValue,
  AttributeValue,
  BasicConstraints,
  Certificate,
  Extension,
  Extensions,
  id_ce_basicConstraints,
  id_ce_keyUsage,
  KeyUsage,
  KeyUsageFlags,
  Name,
  RelativeDistinguishedName,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Validity,
  Version,
} from "@peculiar/asn1-x509";

/** What a certificate says, and who says it. */
export interface CertificateTerms {
  /** Common names: the organisation is the emulator's in every certificate. */
  readonly subject: string;
  readonly issuer: string;
  /** Private keys. An issuer's is on P-384. */
  readonly subjectKey: KeyObject;
  readonly issuerKey: KeyObject;
  /** Certificates know whole seconds: the first is rounded down, the last up. */
  readonly validFromMs: number;
  readonly validToMs: number;
  readonly extensions: readonly Extension[];
}

/** The organisation in every name, so that no certificate of an emulator can be taken for another's. */
export const EMULATOR_ORGANISATION = "PIPE ENCLAVE EMULATOR – NOT AN ENCLAVE";

const ORGANISATION_NAME = "2.5.4.10";
const COMMON_NAME = "2.5.4.3";
const ECDSA_WITH_SHA384 = new AlgorithmIdentifier({ algorithm: "1.2.840.10045.4.3.3" });
const SERIAL_BYTES = 16;

/** A fresh private key for certificates. */
export function generateCertificateKey(): KeyObject {
  return generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey;
}

/** The certificate in DER. Its signature is ECDSA, and so another one each time. */
export function issueCertificate(terms: CertificateTerms): Uint8Array {
  const spki = createPublicKey(terms.subjectKey).export({ format: "der", type: "spki" });
  const tbsCertificate = new TBSCertificate({
    version: Version.v3,
    serialNumber: serialNumber(),
    signature: ECDSA_WITH_SHA384,
    issuer: nameOf(terms.issuer),
    validity: new Validity({
      notBefore: new Date(Math.floor(terms.validFromMs / 1_000) * 1_000),
      notAfter: new Date(Math.ceil(terms.validToMs / 1_000) * 1_000),
    }),
    subject: nameOf(terms.subject),
    subjectPublicKeyInfo: AsnConvert.parse(spki, SubjectPublicKeyInfo),
    extensions: new Extensions([...terms.extensions]),
  });
  const signatureValue = sign("sha384", new Uint8Array(AsnConvert.serialize(tbsCertificate)), terms.issuerKey);
  const certificate = new Certificate({
    tbsCertificate,
    signatureAlgorithm: ECDSA_WITH_SHA384,
    signatureValue: Uint8Array.from(signatureValue).buffer,
  });
  return new Uint8Array(AsnConvert.serialize(certificate));
}

/** What makes a certificate an authority with so many authorities below it. */
export function authorityExtensions(pathLenConstraint: number): readonly Extension[] {
  return [
    extension(id_ce_basicConstraints, new BasicConstraints({ cA: true, pathLenConstraint })),
    extension(id_ce_keyUsage, new KeyUsage(KeyUsageFlags.keyCertSign)),
  ];
}

/** What makes a certificate an enclave's. */
export function leafExtensions(): readonly Extension[] {
  return [
    extension(id_ce_basicConstraints, new BasicConstraints({ cA: false })),
    extension(id_ce_keyUsage, new KeyUsage(KeyUsageFlags.digitalSignature)),
  ];
}

/** A critical extension. */
export function extension(extnID: string, value: object): Extension {
  return new Extension({ extnID, critical: true, extnValue: new OctetString(AsnConvert.serialize(value)) });
}

function nameOf(commonName: string): Name {
  const attribute = (type: string, utf8String: string) =>
    new RelativeDistinguishedName([new AttributeTypeAndValue({ type, value: new AttributeValue({ utf8String }) })]);
  return new Name([attribute(ORGANISATION_NAME, EMULATOR_ORGANISATION), attribute(COMMON_NAME, commonName)]);
}

/** A random positive integer without leading zeros, as DER wants it. */
function serialNumber(): ArrayBuffer {
  const serial = new Uint8Array(randomBytes(SERIAL_BYTES));
  serial[0] = ((serial[0] as number) & 0x7f) | 0x40;
  return serial.buffer;
}
