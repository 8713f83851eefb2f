/** Why an answer's proof is worth nothing. */
export type ZkFault =
  /** The model's digest or the binding is not a digest: a mistake of the caller, not of the prover. */
  | "bad-public-input"
  /** The input's bytes are not what the circuit takes. */
  | "bad-input-encoding"
  /** The output's bytes are not what the circuit gives. */
  | "bad-output-encoding"
  /** Truncated, padded or of any other length. */
  | "bad-proof-length"
  /** A coordinate is not below the field's order, so that the same point could be written twice. */
  | "non-canonical-coordinate"
  | "point-at-infinity"
  | "point-off-curve"
  /** On the curve, but outside the group in which the proof has its meaning. */
  | "point-in-wrong-subgroup"
  /** Well-formed, but it does not prove this: another statement, another model, or nothing at all. */
  | "not-proved";

export type ZkVerdict = { readonly ok: true } | { readonly ok: false; readonly reason: ZkFault };

/** Why a verification key from the registry cannot be used; `message` says where, for the operator who entered it. */
export interface KeyFault {
  readonly fault:
    | "malformed-key"
    | "non-canonical-coordinate"
    | "point-at-infinity"
    | "point-off-curve"
    | "point-in-wrong-subgroup"
    /** The second phase of the setup never ran (delta equals gamma), so that anybody can forge proofs. */
    | "setup-not-finished";
  readonly message: string;
}

/** A verification key after every check that depends on it alone, made by `prepare` of the same proof system. */
export interface PreparedKey {
  readonly system: string;
  /** Where the key comes from. Who shows the key or what it verified shows this too. */
  readonly setup: string;
}

/** What a proof has to prove: that `output` is what the model gives for `input`, said for this one statement. */
export interface ZkClaim {
  /** SHA-256 of the model, 64 lower-case hexadecimal digits, from the registry. */
  readonly modelDigest: string;
  /** SHA-256 of the statement (docs/STATEMENT.md), 64 lower-case hexadecimal digits: it binds everything else (P3). */
  readonly binding: string;
  readonly input: Uint8Array;
  readonly output: Uint8Array;
}

export interface ZkCheck<Key extends PreparedKey = PreparedKey> extends ZkClaim {
  /** Prepared from the registry's key. A proof has no room for a key, so that no prover can bring one. */
  readonly key: Key;
  readonly proof: Uint8Array;
}

/** A way to prove that a model gave an output. Another one is another file that has this. */
export interface ProofSystem<Key extends PreparedKey = PreparedKey> {
  readonly name: string;
  /** Checks a verification key (parsed JSON) and precomputes what depends on it alone: once per model and thread. */
  prepare(verificationKey: unknown): Key | KeyFault;
  /** Runs through what a check runs through, with nothing to find: the first real one then takes no longer than the others. */
  warmUp(key: Key): void;
  /** Public inputs are made from the claim, never taken from the prover. Does not throw, whatever the proof is. */
  verify(check: ZkCheck<Key>): ZkVerdict;
}

export function isKeyFault(result: PreparedKey | KeyFault): result is KeyFault {
  return "fault" in result;
}
