import type { Proof } from "../live/transport.ts";
import { unreachable } from "../shared/assert.ts";
import { sha256Hex } from "./digest.ts";
import type { ModelRules, ZkmlRules } from "./model-rules.ts";
import type { AttestationCheck, AttestationFault, EnclaveKey } from "./nitro/attestation.ts";
import type { ZkFault } from "./zkml/proof-system.ts";
import { encodeStatement, type Statement } from "./statement.ts";

/** How a node was registered when it got the assignment. */
export interface Registration {
  /** Its Ed25519 key: 64 lower-case hexadecimal digits. */
  readonly key: string;
  /** The document of its enclave, and the nonce of the registration epoch that it has to answer. */
  readonly attestation: { readonly document: Uint8Array; readonly nonce: string } | undefined;
}

/** A proof, and everything that it is judged by. All of it but `proof`, `output` and the document is the scheduler's own word. */
export interface ProofParts {
  /** The assignment as it was given out, with the hash of the output that came back. */
  readonly statement: Statement;
  readonly registered: Registration;
  readonly proof: Proof;
  readonly output: Uint8Array;
  /** The bytes that `inputHash` is the hash of; needed in mode `zkml` only, where they are public inputs of the proof. */
  readonly input: Uint8Array | undefined;
  /** What the model registry says; `undefined` for a model that it does not know, which can only be answered by signature. */
  readonly model: ModelRules | undefined;
  /** When the answer arrived, in Unix milliseconds: the time at which attestations must hold. */
  readonly atMs: number;
  /** Asks only who signed, which is enough to hold the node to what it said; in the other modes that is all there is anyway. */
  readonly signatureOnly?: true;
}

/**
 * Why a proof is worth nothing. Words that begin with `verifier-` say that it could not be judged for a reason that is not the
 * node's; every other word is the node's fault.
 */
export type ProofFault =
  | "wrong-proof-kind"
  | "output-mismatch"
  | "bad-signature"
  /** The node was registered without an enclave. */
  | "not-attested"
  /** The proof names another attestation than the node was registered with. */
  | "other-attestation"
  | `attestation-${AttestationFault}`
  | `zk-${Exclude<ZkFault, "bad-public-input">}`
  /** The registry has no rules for the model in this mode, or has some that cannot be used. */
  | "verifier-no-rules"
  | "verifier-bad-rules"
  /** The input is not at hand, or other bytes are. */
  | "verifier-no-input";

/** A costly step of judging: what a worker does for a judge. */
export type Stage = SignatureStage | AttestationStage | ZkStage;

export interface SignatureStage {
  readonly kind: "signature";
  /** A node's Ed25519 key in hexadecimal, or an enclave's. */
  readonly key: string | EnclaveKey;
  readonly message: Uint8Array;
  /** Hexadecimal. */
  readonly signature: string;
}

export interface AttestationStage {
  readonly kind: "attestation";
  readonly document: Uint8Array;
  readonly check: AttestationCheck;
}

export interface ZkStage {
  readonly kind: "zk";
  readonly rules: ZkmlRules;
  readonly modelDigest: string;
  readonly binding: string;
  readonly input: Uint8Array;
  readonly output: Uint8Array;
  /** Hexadecimal. */
  readonly proof: string;
}

/** What came out of a stage. `enclave`: whom an attestation stage found. */
export type StageOutcome =
  | { readonly ok: true; readonly enclave: Enclave | undefined }
  | { readonly ok: false; readonly fault: ProofFault };

/** An enclave that an attestation vouches for, up to and at `expiresMs`. */
export interface Enclave {
  readonly key: EnclaveKey;
  readonly expiresMs: number;
  /** Made by an emulator: it protects nothing. */
  readonly emulated: boolean;
}

/**
 * Judges one proof: yields each costly stage, takes what came of it, and returns `valid` or what is wrong. This is the one
 * place that says what makes an answer valid; who drives it says only where stages run. Cheap stages come first, except that
 * an enclave's signature means nothing before its key is attested.
 */
export function* judging(parts: ProofParts): Generator<Stage, "valid" | ProofFault, StageOutcome> {
  const { statement, registered, proof, output } = parts;
  if (proof.kind !== statement.mode) return "wrong-proof-kind";
  if (sha256Hex(output) !== statement.outputHash) return "output-mismatch";
  const message = encodeStatement(statement);
  const { signature } = proof;
  switch (proof.kind) {
    case "vanilla":
    case "optimistic":
      return faultOf(yield { kind: "signature", key: registered.key, message, signature });
    case "tee": {
      const attested = yield* attesting(parts, proof.attestation);
      if (typeof attested === "string") return attested;
      return faultOf(yield { kind: "signature", key: attested.key, message, signature });
    }
    case "zkml": {
      if (parts.signatureOnly) return faultOf(yield { kind: "signature", key: registered.key, message, signature });
      const stage = zkStage(parts, sha256Hex(message), proof.proof);
      if (typeof stage === "string") return stage;
      const signed = yield { kind: "signature", key: registered.key, message, signature };
      return signed.ok ? faultOf(yield stage) : signed.fault;
    }
    default:
      return unreachable(proof);
  }
}

function* attesting(parts: ProofParts, named: string): Generator<Stage, Enclave | ProofFault, StageOutcome> {
  const { attestation } = parts.registered;
  if (attestation === undefined) return "not-attested";
  if (parts.model?.tee === undefined) return "verifier-no-rules";
  if (sha256Hex(attestation.document) !== named) return "other-attestation";
  const outcome = yield attestationStage({ ...parts, ...parts.statement, rules: parts.model.tee, attestation });
  if (!outcome.ok) return outcome.fault;
  return outcome.enclave ?? "verifier-bad-rules";
}

/** A node's attestation, to be held against a model's rules at a time. */
export interface AttestationParts {
  readonly chainId: string;
  readonly node: string;
  readonly registered: Registration;
  readonly attestation: NonNullable<Registration["attestation"]>;
  readonly rules: NonNullable<ModelRules["tee"]>;
  readonly atMs: number;
}

/** The stage that finds out which enclave a node has, if any. */
export function attestationStage(parts: AttestationParts): AttestationStage {
  const { chainId, node, registered, attestation, rules, atMs } = parts;
  const binding = { chainId, node, nodeKey: registered.key, registrationNonce: attestation.nonce };
  return { kind: "attestation", document: attestation.document, check: { atMs, rules, binding } };
}

function zkStage(
  { statement, model, input, output }: ProofParts,
  binding: string,
  proof: string,
): ZkStage | ProofFault {
  if (model?.zkml === undefined) return "verifier-no-rules";
  if (input === undefined || sha256Hex(input) !== statement.inputHash) return "verifier-no-input";
  return { kind: "zk", rules: model.zkml, modelDigest: model.digest, binding, input, output, proof };
}

function faultOf(outcome: StageOutcome): "valid" | ProofFault {
  return outcome.ok ? "valid" : outcome.fault;
}

/** Judges a proof here and now, each stage run by `run`. */
export function judgeProof(parts: ProofParts, run: (stage: Stage) => StageOutcome): "valid" | ProofFault {
  const judge = judging(parts);
  let step = judge.next();
  while (step.done !== true) step = judge.next(run(step.value));
  return step.value;
}
