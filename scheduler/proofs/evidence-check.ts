import { sha256Hex } from "./digest.ts";
import type { EquivocationEvidence } from "./evidence.ts";
import type { Registration, Stage, StageOutcome } from "./judge.ts";
import { judgeProof } from "./judge.ts";
import type { ModelRules } from "./model-rules.ts";
import { registrationNonce } from "./nitro/attestation.ts";
import { statementOf } from "./receipt.ts";
import { readRegistryLines } from "./registry-lines.ts";
import { StageRunner } from "./stage-runner.ts";

/** What a piece of evidence is judged by beyond itself. */
export interface EvidenceCheck {
  readonly chainId: string;
  readonly registered: Registration;
  readonly model: ModelRules | undefined;
  readonly run: (stage: Stage) => StageOutcome;
}

/**
 * Whether the node gave two answers with different outputs to one assignment: both are signed, by its key or by its enclave's.
 * More is not asked for; in mode `zkml` the signature alone gives the node away.
 */
export function isEquivocation(evidence: EquivocationEvidence, check: EvidenceCheck): boolean {
  const { first, second } = evidence;
  if (first.output === second.output) return false;
  return [first, second].every((answer) => isSigned(evidence, answer, check));
}

/** What the one who writes evidence down has at hand to judge it by. */
export interface EvidenceContext {
  readonly chainId: string;
  /** Canonical lines of the model registry in force. */
  readonly models: readonly string[];
  /** The node's attestation, when the copy is in mode `tee`. */
  readonly attestation: { readonly document: Uint8Array; readonly epochSeed: string } | undefined;
}

/** `isEquivocation` for one piece, by what is at hand. */
export function provesEquivocation(evidence: EquivocationEvidence, context: EvidenceContext): boolean {
  const { chainId, models, attestation: at } = context;
  const { node, nodeKey, model } = evidence;
  const rules = readRegistryLines(models);
  const roots = rules?.roots ?? [];
  const trust = { roots: roots.map(({ pem }) => pem), allowEmulator: roots.some(({ emulator }) => emulator) };
  const runner = new StageRunner(trust);
  const nonce = (epochSeed: string) => registrationNonce({ chainId, node, epochSeed });
  const attestation = at === undefined ? undefined : { document: at.document, nonce: nonce(at.epochSeed) };
  const registered = { key: nodeKey, attestation };
  return isEquivocation(evidence, {
    chainId,
    registered,
    model: rules?.models.get(model),
    run: (stage) => runner.run(stage),
  });
}

function isSigned(
  evidence: EquivocationEvidence,
  { output, proof }: EquivocationEvidence["first"],
  { chainId, registered, model, run }: EvidenceCheck,
): boolean {
  const bytes = new Uint8Array(Buffer.from(output, "base64"));
  const statement = statementOf({ chainId, ...evidence }, { ...evidence, outputHash: sha256Hex(bytes) });
  const atMs = Math.floor(evidence.atUs / 1000);
  const asked = { statement, registered, proof, model, atMs, signatureOnly: true } as const;
  return judgeProof({ ...asked, output: bytes, input: undefined }, run) === "valid";
}
