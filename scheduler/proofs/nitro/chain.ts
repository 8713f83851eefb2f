import type { KeyObject } from "node:crypto";
import { sha256Hex } from "../digest.ts";
import { isIssuedBy, type KeyPurpose, type OpenedCertificate, openCertificate, readPurpose } from "./certificate.ts";
import { demand } from "./faults.ts";
import type { AttestationLimits } from "./limits.ts";
import { LruMap } from "./lru-map.ts";
import type { PinnedRoot } from "./roots.ts";

/** A time within which every certificate of a chain is valid, both ends included. It may be empty. */
export interface Validity {
  readonly validFromMs: number;
  readonly validToMs: number;
}

/** A certificate that bears the signature of the one above it, up to a root. Whether either was allowed to is not said. */
interface Link extends Validity {
  /** Names the certificate and all above it. */
  readonly id: string;
  readonly certificate: OpenedCertificate;
  readonly purpose: KeyPurpose;
}

/** An enclave's certificate that was checked up to its root. */
export interface CheckedLeaf extends Validity {
  readonly key: KeyObject;
  readonly root: PinnedRoot;
}

/**
 * Checks certificate chains and remembers whose signatures hold, certificate by certificate: enclaves of one host, hosts of one
 * zone share what is above them. What is remembered does not depend on time: a chain carries the time within which it is valid,
 * and whoever asks has to compare. So an entry never outlives its truth, and a remembered chain gives the same verdict as a new
 * one.
 */
export class ChainVerifier {
  readonly #roots: ReadonlyMap<string, PinnedRoot>;
  readonly #links: LruMap<Link>;

  constructor(roots: readonly PinnedRoot[], limits: AttestationLimits) {
    this.#roots = new Map(roots.map((root) => [root.fingerprint, root]));
    this.#links = new LruMap(limits.maxCachedCertificates);
  }

  /** The enclave's certificate, by way of `authorities` from the root on (DER). Throws `Refused`. */
  checkLeaf(authorities: readonly Uint8Array[], leaf: Uint8Array): CheckedLeaf {
    const [first, ...others] = authorities;
    const root = first && this.#roots.get(sha256Hex(first));
    demand(root !== undefined, "unknown-root");
    let above = linkOf(root);
    for (const [index, der] of others.entries()) {
      demand(above.purpose.pathLength >= others.length - index, "path-too-long");
      above = this.#below(above, der);
      demand(above.purpose.isAuthority, "not-an-authority");
      demand(above.purpose.usages.includes("keyCertSign"), "wrong-key-usage");
    }
    const { certificate, purpose, validFromMs, validToMs } = this.#below(above, leaf);
    demand(!purpose.isAuthority, "not-an-authority");
    demand(purpose.usages.includes("digitalSignature"), "wrong-key-usage");
    return { key: certificate.key, root, validFromMs, validToMs };
  }

  /** From the root downwards, so that nothing is taken apart in depth that no known key has signed. */
  #below(above: Link, der: Uint8Array): Link {
    const id = sha256Hex(Buffer.from(`${above.id} ${sha256Hex(der)}`));
    const known = this.#links.get(id);
    if (known !== undefined) return known;
    const certificate = openCertificate(der);
    demand(isIssuedBy(certificate, above.certificate), "broken-chain");
    const link = { id, certificate, purpose: readPurpose(certificate), ...overlap(above, certificate) };
    this.#links.set(id, link);
    return link;
  }
}

function linkOf({ fingerprint: id, certificate, purpose }: PinnedRoot): Link {
  const { validFromMs, validToMs } = certificate;
  return { id, certificate, purpose, validFromMs, validToMs };
}

function overlap(one: Validity, other: Validity): Validity {
  return {
    validFromMs: Math.max(one.validFromMs, other.validFromMs),
    validToMs: Math.min(one.validToMs, other.validToMs),
  };
}
