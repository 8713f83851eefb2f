import type { KeyObject } from "node:crypto";
import { sha256Hex } from "../digest.ts";
import { encodeFields } from "../encoding.ts";
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

/** Authorities that were checked: the last of them, and what they have in common. */
interface CheckedAuthorities extends Validity {
  readonly last: OpenedCertificate;
  readonly root: PinnedRoot;
}

/** An enclave's certificate that was checked up to its root. */
export interface CheckedLeaf extends Validity {
  readonly key: KeyObject;
  readonly root: PinnedRoot;
}

/**
 * Checks certificate chains and remembers those that hold. What is remembered does not depend on time: a chain carries the time
 * within which it is valid, and whoever asks has to compare. So an entry never outlives its truth, and a remembered chain gives
 * the same verdict as a new one.
 */
export class ChainVerifier {
  readonly #roots: ReadonlyMap<string, PinnedRoot>;
  readonly #authorities: LruMap<CheckedAuthorities>;
  readonly #leaves: LruMap<CheckedLeaf>;

  constructor(roots: readonly PinnedRoot[], limits: AttestationLimits) {
    this.#roots = new Map(roots.map((root) => [root.fingerprint, root]));
    this.#authorities = new LruMap(limits.maxCachedChains);
    this.#leaves = new LruMap(limits.maxCachedLeaves);
  }

  /** The enclave's certificate, by way of `authorities` from the root on (DER). Throws `Refused`. */
  checkLeaf(authorities: readonly Uint8Array[], leaf: Uint8Array): CheckedLeaf {
    const chainId = sha256Hex(encodeFields("pipe/nitro-chain", authorities));
    const leafId = `${chainId} ${sha256Hex(leaf)}`;
    const known = this.#leaves.get(leafId);
    if (known !== undefined) return known;
    const above = this.#checkAuthorities(chainId, authorities);
    const certificate = openCertificate(leaf);
    const purpose = readIssued(certificate, above.last);
    demand(!purpose.isAuthority, "not-an-authority");
    demand(purpose.usages.includes("digitalSignature"), "wrong-key-usage");
    const checked = { key: certificate.key, root: above.root, ...overlap(above, certificate) };
    this.#leaves.set(leafId, checked);
    return checked;
  }

  #checkAuthorities(chainId: string, authorities: readonly Uint8Array[]): CheckedAuthorities {
    const known = this.#authorities.get(chainId);
    if (known !== undefined) return known;
    const [first, ...others] = authorities;
    const root = first && this.#roots.get(sha256Hex(first));
    demand(root !== undefined, "unknown-root");
    demand(root.pathLength >= others.length, "path-too-long");
    let last = root.certificate;
    let validity: Validity = last;
    for (const [index, der] of others.entries()) {
      const certificate = openCertificate(der);
      const purpose = readIssued(certificate, last);
      demand(purpose.isAuthority, "not-an-authority");
      demand(purpose.usages.includes("keyCertSign"), "wrong-key-usage");
      demand(purpose.pathLength >= others.length - 1 - index, "path-too-long");
      validity = overlap(validity, certificate);
      last = certificate;
    }
    const { validFromMs, validToMs } = validity;
    const checked = { last, root, validFromMs, validToMs };
    this.#authorities.set(chainId, checked);
    return checked;
  }
}

/** From the root downwards, so that nothing is taken apart in depth that no known key has signed. */
function readIssued(certificate: OpenedCertificate, issuer: OpenedCertificate): KeyPurpose {
  demand(isIssuedBy(certificate, issuer), "broken-chain");
  return readPurpose(certificate);
}

function overlap(one: Validity, other: Validity): Validity {
  return {
    validFromMs: Math.max(one.validFromMs, other.validFromMs),
    validToMs: Math.min(one.validToMs, other.validToMs),
  };
}
