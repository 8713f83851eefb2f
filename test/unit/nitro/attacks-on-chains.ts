import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { AsnConvert, OctetString } from "@peculiar/asn1-schema";
import {
  BasicConstraints,
  Certificate,
  Extension,
  id_ce_basicConstraints,
  id_ce_keyUsage,
  KeyUsage,
  KeyUsageFlags,
  Version,
} from "@peculiar/asn1-x509";
import {
  authorityExtensions,
  extension,
  generateCertificateKey,
  leafExtensions,
} from "../../../scheduler/node/enclave-emulator-certificates.ts";
import { createEmulatorRoot, EnclaveEmulator } from "../../../scheduler/node/enclave-emulator.ts";
import { type Attack, honest } from "./attack.ts";
import {
  type ForgedChain,
  forgeChain,
  forgeDocument,
  honestChain,
  HOUR_MS,
  IMAGE,
  NOW_MS,
  request,
  root,
  type Twist,
} from "./forge.ts";

/** A signature of the usual size, so that nothing but the certificate is wrong. */
const ECDSA_WITH_SHA256 = "1.2.840.10045.4.3.2";
const leafWithKey = (make: () => KeyObject) => () =>
  forgeDocument({ ...forgeChain([{}], { subjectKey: make() }), key: honestChain.key });
const leafTwisted = (twist: Twist) => () => forgeDocument(forgeChain([{}], twist));
const authorityTwisted = (twist: Twist) => () => forgeDocument(forgeChain([twist]));
const noUsage = (isAuthority: boolean) => [
  extension(id_ce_basicConstraints, new BasicConstraints({ cA: isAuthority })),
];
const onCurve = (namedCurve: string) => generateKeyPairSync("ec", { namedCurve }).privateKey;
const rsaKey = () => generateKeyPairSync("rsa", { modulusLength: 2_048 }).privateKey;
const foreignRoot = createEmulatorRoot({ nowMs: NOW_MS });
const foreign = new EnclaveEmulator({ root: foreignRoot, image: IMAGE, name: "node-1" });

/** An extension that no verifier understands, critical or not. */
function oddExtension(critical: boolean): Extension {
  return new Extension({ extnID: "1.3.6.1.4.1.99999.1", critical, extnValue: new OctetString(new Uint8Array([5, 0])) });
}

/** An honest leaf, changed and signed anew by its issuer. */
function withReissuedLeaf(digest: string, change: (certificate: Certificate) => void): Uint8Array {
  const issuerKey = generateCertificateKey();
  const chain = forgeChain([{ subjectKey: issuerKey }]);
  const certificate = AsnConvert.parse(chain.certificate, Certificate);
  change(certificate);
  const signed = new Uint8Array(AsnConvert.serialize(certificate.tbsCertificate));
  certificate.signatureValue = Uint8Array.from(sign(digest, signed, issuerKey)).buffer;
  return forgeDocument({ ...chain, certificate: new Uint8Array(AsnConvert.serialize(certificate)) });
}

function signedWithSha256({ signatureAlgorithm, tbsCertificate }: Certificate): void {
  signatureAlgorithm.algorithm = ECDSA_WITH_SHA256;
  tbsCertificate.signature.algorithm = ECDSA_WITH_SHA256;
}

function ofVersion2({ tbsCertificate }: Certificate): void {
  tbsCertificate.version = Version.v2;
}

function withCertificate(certificate: Uint8Array): Uint8Array {
  return forgeDocument({ ...honestChain, certificate });
}

/** Chains that must not hold. */
export const CHAIN: readonly Attack[] = [
  { title: "another emulator's root", reason: "unknown-root", document: () => foreign.attest(request) },
  {
    title: "the root left out",
    reason: "unknown-root",
    document: () => forgeDocument({ ...honestChain, authorities: honestChain.authorities.slice(1) }),
  },
  {
    title: "another emulator's chain under our root",
    reason: "broken-chain",
    document: () => forgeDocument(underOurRoot()),
  },
  {
    title: "an authority left out",
    reason: "broken-chain",
    document: () => forgeDocument({ ...honestChain, authorities: [root.certificate] }),
  },
  {
    title: "a leaf signed by another key",
    reason: "broken-chain",
    document: leafTwisted({ issuerKey: generateCertificateKey() }),
  },
  { title: "a leaf that names another issuer", reason: "broken-chain", document: leafTwisted({ issuer: "somebody" }) },
  {
    title: "an authority signed by another key",
    reason: "broken-chain",
    document: authorityTwisted({ issuerKey: generateCertificateKey() }),
  },
  {
    title: "a leaf that is no certificate",
    reason: "bad-certificate",
    document: () => withCertificate(new Uint8Array(99)),
  },
  {
    title: "a padded leaf",
    reason: "bad-certificate",
    document: () => withCertificate(Buffer.concat([honestChain.certificate, new Uint8Array(1)])),
  },
  {
    title: "a truncated leaf",
    reason: "bad-certificate",
    document: () => withCertificate(honestChain.certificate.subarray(0, -1)),
  },
  {
    title: "a leaf in PEM",
    reason: "bad-certificate",
    document: () => withCertificate(Buffer.from("-----BEGIN CERTIFICATE-----\n")),
  },
  {
    title: "an extension twice",
    reason: "bad-certificate",
    document: leafTwisted({ extensions: [...leafExtensions(), oddExtension(false), oddExtension(false)] }),
  },
  { title: "a leaf on P-256", reason: "weak-algorithm", document: leafWithKey(() => onCurve("P-256")) },
  {
    title: "a leaf on secp256k1",
    reason: "weak-algorithm",
    document: leafWithKey(() => onCurve("secp256k1")),
  },
  {
    title: "a leaf with an RSA key",
    reason: "weak-algorithm",
    document: leafWithKey(rsaKey),
  },
  {
    title: "an authority on P-256",
    reason: "weak-algorithm",
    document: authorityTwisted({ subjectKey: onCurve("P-256") }),
  },
  {
    title: "a leaf signed with SHA-256",
    reason: "weak-algorithm",
    document: () => withReissuedLeaf("sha256", signedWithSha256),
  },
  { title: "a leaf of version 2", reason: "bad-certificate", document: () => withReissuedLeaf("sha384", ofVersion2) },
  {
    title: "a leaf with a critical extension unknown",
    reason: "unknown-critical-extension",
    document: leafTwisted({ extensions: [...leafExtensions(), oddExtension(true)] }),
  },
  {
    title: "an authority with a critical extension unknown",
    reason: "unknown-critical-extension",
    document: authorityTwisted({ extensions: [...authorityExtensions(0), oddExtension(true)] }),
  },
  { title: "a leaf that issues", reason: "not-an-authority", document: () => forgeDocument(leafAsIssuer()) },
  {
    title: "an authority as leaf",
    reason: "not-an-authority",
    document: leafTwisted({ extensions: authorityExtensions(0) }),
  },
  {
    title: "an authority without basic constraints",
    reason: "not-an-authority",
    document: authorityTwisted({ extensions: [extension(id_ce_keyUsage, new KeyUsage(KeyUsageFlags.keyCertSign))] }),
  },
  {
    title: "an authority without key usage",
    reason: "wrong-key-usage",
    document: authorityTwisted({ extensions: noUsage(true) }),
  },
  {
    title: "an authority that may sign documents only",
    reason: "wrong-key-usage",
    document: () => forgeDocument(authorityWithUsage(KeyUsageFlags.digitalSignature)),
  },
  {
    title: "a leaf without key usage",
    reason: "wrong-key-usage",
    document: leafTwisted({ extensions: noUsage(false) }),
  },
  {
    title: "a leaf that may agree on keys only",
    reason: "wrong-key-usage",
    document: leafTwisted({
      extensions: [...noUsage(false), extension(id_ce_keyUsage, new KeyUsage(KeyUsageFlags.keyAgreement))],
    }),
  },
  {
    title: "one authority too many for the root",
    reason: "path-too-long",
    document: () => forgeDocument(forgeChain([{}, {}, {}, {}])),
  },
  {
    title: "one authority too many for another",
    reason: "path-too-long",
    document: () => forgeDocument(forgeChain([{ extensions: authorityExtensions(0) }, {}])),
  },
  { title: "an expired leaf", reason: "expired", document: leafTwisted({ validToMs: NOW_MS - 1_000 }) },
  { title: "an expired authority", reason: "expired", document: authorityTwisted({ validToMs: NOW_MS - 1_000 }) },
  {
    title: "an expired root",
    reason: "expired",
    document: () => honest,
    check: { atMs: NOW_MS + 20 * 365 * 24 * HOUR_MS },
  },
  {
    title: "a leaf of tomorrow",
    reason: "not-yet-valid",
    document: leafTwisted({ validFromMs: NOW_MS + 24 * HOUR_MS, validToMs: NOW_MS + 27 * HOUR_MS }),
  },
  {
    title: "an authority of tomorrow",
    reason: "not-yet-valid",
    document: authorityTwisted({ validFromMs: NOW_MS + 24 * HOUR_MS, validToMs: NOW_MS + 27 * HOUR_MS }),
  },
  { title: "a time before the root", reason: "not-yet-valid", document: () => honest, check: { atMs: 0 } },
];

/** The chain of an emulator whose root is unknown, with our root put in front. */
function underOurRoot(): ForgedChain {
  const key = generateCertificateKey();
  return forgeChain([{ issuerKey: key, issuer: "foreign" }]);
}

/** A chain whose authority is an honest leaf. */
function leafAsIssuer(): ForgedChain {
  const usage = extension(id_ce_keyUsage, new KeyUsage(KeyUsageFlags.keyCertSign | KeyUsageFlags.digitalSignature));
  return forgeChain([{ extensions: [...noUsage(false), usage] }]);
}

function authorityWithUsage(flags: number): ForgedChain {
  return forgeChain([{ extensions: [...noUsage(true), extension(id_ce_keyUsage, new KeyUsage(flags))] }]);
}
