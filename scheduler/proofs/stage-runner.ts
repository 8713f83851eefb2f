import { unreachable } from "../shared/assert.ts";
import { sha256Hex } from "./digest.ts";
import type { AttestationStage, Stage, StageOutcome, ZkStage } from "./judge.ts";
import type { ZkmlRules } from "./model-rules.ts";
import { AttestationVerifier, DEFAULT_ATTESTATION_LIMITS } from "./nitro/attestation.ts";
import { LruMap } from "./nitro/lru-map.ts";
import { bytesOf, PASSED, runSignature } from "./signature-stage.ts";
import { isKeyFault, type PreparedKey, type ProofSystem } from "./zkml/proof-system.ts";
import { proofSystem } from "./zkml/proof-systems.ts";

/** Whom attestations may come from. Plain data, so that it can be handed to a worker. */
export interface Trust {
  /** Root certificates in PEM; none when no enclave is trusted. */
  readonly roots: readonly string[];
  /** Takes an enclave emulator's root too, which attests nothing; without it such a root is an error. */
  readonly allowEmulator: boolean;
}

/** Trust in the roots of a registry: an emulator's counts when the registry says that it is one. */
export function trustIn(roots: readonly { readonly pem: string; readonly emulator: boolean }[]): Trust {
  return { roots: roots.map(({ pem }) => pem), allowEmulator: roots.some(({ emulator }) => emulator) };
}

/** Prepared keys: some hundred kilobytes each. */
const MAX_PREPARED_KEYS = 64;

/** Runs the stages of judging, and remembers what they have in common: chains, documents, verification keys. No I/O. */
export class StageRunner {
  readonly #attestations: AttestationVerifier | undefined;
  readonly #keys = new LruMap<Prepared>(MAX_PREPARED_KEYS);

  /** Throws a `RootError` on a root that cannot be used. */
  constructor({ roots, allowEmulator }: Trust) {
    if (roots.length === 0) return;
    this.#attestations = new AttestationVerifier({ roots, limits: DEFAULT_ATTESTATION_LIMITS, allowEmulator });
  }

  /** Throws on a bug only, never on a bad proof. */
  run(stage: Stage): StageOutcome {
    switch (stage.kind) {
      case "signature":
        return runSignature(stage);
      case "attestation":
        return this.#attest(stage);
      case "zk":
        return this.#verify(stage);
      default:
        return unreachable(stage);
    }
  }

  /** Has the key ready, and the code that uses it, before the first proof comes. Of a key that cannot be used nothing is said. */
  prepare(rules: ZkmlRules): void {
    const prepared = this.#prepared(rules);
    prepared?.system.warmUp(prepared.key);
  }

  #attest({ document, check }: AttestationStage): StageOutcome {
    const verdict = this.#attestations?.verify(document, check) ?? { ok: false, reason: "unknown-root" };
    if (!verdict.ok) return { ok: false, fault: `attestation-${verdict.reason}` };
    const { key, expiresMs, emulated } = verdict.attestation;
    return { ok: true, enclave: { key, expiresMs, emulated } };
  }

  #verify({ rules, proof, ...claim }: ZkStage): StageOutcome {
    const prepared = this.#prepared(rules);
    if (prepared === undefined) return { ok: false, fault: "verifier-bad-rules" };
    const verdict = prepared.system.verify({ ...claim, key: prepared.key, proof: bytesOf(proof) });
    if (verdict.ok) return PASSED;
    const { reason } = verdict;
    return { ok: false, fault: reason === "bad-public-input" ? "verifier-bad-rules" : `zk-${reason}` };
  }

  #prepared(rules: ZkmlRules): Prepared | undefined {
    const known = this.#keys.get(rules.keyHash);
    if (known !== undefined) return known;
    const made = prepare(rules);
    if (made !== undefined) this.#keys.set(rules.keyHash, made);
    return made;
  }
}

interface Prepared {
  readonly system: ProofSystem;
  readonly key: PreparedKey;
}

/** `undefined` for a key that is not what its hash says, of an unknown system, or not usable. */
function prepare({ system: name, verificationKey, keyHash }: ZkmlRules): Prepared | undefined {
  const system = proofSystem(name);
  if (system === undefined || sha256Hex(Buffer.from(verificationKey)) !== keyHash) return undefined;
  const key = system.prepare(parsed(verificationKey));
  return isKeyFault(key) ? undefined : { system, key };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
