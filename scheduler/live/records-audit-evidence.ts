import { answerHash } from "../proofs/answer.ts";
import { challengeEpoch, isSampled } from "../proofs/challenge-sample.ts";
import type { ChallengeEvidence, EquivocationEvidence } from "../proofs/evidence.ts";
import type { Receipt } from "../proofs/receipt.ts";
import type { RegistryView } from "../proofs/registry-view.ts";
import { answerOf } from "../proofs/verify-receipt.ts";
import type { Forfeit } from "./records-audit-ledger.ts";
import { LedgerAudit } from "./records-audit-ledger.ts";
import { fileOf } from "./records-lines.ts";
import type { ChainEntry, Findings } from "./records-reader.ts";

const FILE = fileOf("evidence");

/** How a challenge ended, as a line of `evidence.jsonl` tells it. */
export interface AuditedOutcome {
  readonly line: number;
  readonly outcome: ChallengeEvidence;
}

/**
 * Holds evidence against what it claims:
 *
 * 1. an equivocation is two different outputs under two good signatures of one node for one assignment
 * 2. a challenge is of a result that has a receipt, and its answers are good ones, of different operators
 * 3. its verdict is the one that these answers give, and only who lost by it forfeits a bond, to those who showed it
 * 4. the results challenged are those on which the epoch's seed fell, all of them and no others
 */
export class EvidenceAudit {
  readonly #findings: Findings;
  readonly #registry: RegistryView;
  /** By job and height, in the order of the file: a block that was taken back may be sealed at its height again. */
  readonly #outcomes = new Map<string, AuditedOutcome[]>();
  challenges = 0;
  equivocations = 0;

  constructor(findings: Findings, registry: RegistryView) {
    this.#findings = findings;
    this.#registry = registry;
  }

  add({ line, body }: ChainEntry<"evidence">): void {
    if (body.entry === "equivocation") return this.#equivocation(line, body);
    this.challenges++;
    const key = outcomeKey(body);
    const known = this.#outcomes.get(key);
    if (known === undefined) this.#outcomes.set(key, [{ line, outcome: body }]);
    else known.push({ line, outcome: body });
  }

  /**
   * A receipt of a result in mode `optimistic`, and whether its block is on the chain. Gives how the last challenge of it ended,
   * `undefined` for none.
   */
  receipt(receipt: Receipt, isCanonical: boolean): ChallengeEvidence | undefined {
    const key = outcomeKey(receipt);
    const outcomes = this.#outcomes.get(key) ?? [];
    // A block that was taken back and sealed again has two receipts; each takes the challenges that are left for it.
    const own = isCanonical ? outcomes.splice(0) : outcomes.splice(0, 1);
    if (outcomes.length === 0) this.#outcomes.delete(key);
    for (const { line, outcome } of own) this.#checkOutcome(line, outcome, receipt);
    return own.at(-1)?.outcome;
  }

  /** What is wrong with whether the receipt's result was challenged, `undefined` for nothing. Asked once its epoch is known. */
  samplingProblem(receipt: Receipt, wasChallenged: boolean): string | undefined {
    const terms = this.#registry.scheduler?.challenges;
    if (terms === undefined) return undefined;
    const epoch = challengeEpoch(terms, receipt.height);
    const seed = this.#registry.revealed.get(epoch)?.value;
    if (seed === undefined) return undefined;
    const isDrawn = isSampled(terms, { seed, ...receipt });
    if (isDrawn === wasChallenged) return undefined;
    return isDrawn
      ? `the seed of epoch ${epoch} fell on it, but no challenge of it is told`
      : `was challenged, although the seed of epoch ${epoch} did not fall on it`;
  }

  /** After the last receipt. */
  finish(): void {
    for (const outcomes of this.#outcomes.values()) {
      for (const { line } of outcomes) this.#find(line, "is about a result that has no receipt at that height");
    }
  }

  /** Each bond forfeited belongs to a challenge that was lost, and the other way round. */
  checkForfeits(outcomes: readonly AuditedOutcome[], forfeits: readonly Forfeit[]): void {
    const left = [...forfeits];
    for (const { line, outcome } of outcomes) {
      const loser = loserOf(outcome);
      if (loser === "") continue;
      const index = left.findIndex((forfeit) => isForfeitOf(forfeit, outcome, loser));
      const [forfeit] = index < 0 ? [] : left.splice(index, 1);
      if (forfeit === undefined) this.#find(line, `the ledger does not say that ${loser} forfeits as much`);
      else if (!forfeit.rewarded.every((node) => outcome.answers.some((answer) => answer.node === node)))
        this.#find(line, "a node is rewarded that showed nothing");
    }
    for (const { line, node } of left) {
      this.#findings.add(fileOf("ledger"), line, `${node} forfeits a bond, but no challenge says why`);
    }
  }

  /** All challenges told so far. */
  get outcomes(): AuditedOutcome[] {
    return [...this.#outcomes.values()].flat();
  }

  #equivocation(line: number, evidence: EquivocationEvidence): void {
    this.equivocations++;
    const { node, nodeKey: key, atUs, first, second } = evidence;
    for (const { output, proof, answerHash: claimed } of [first, second]) {
      if (answerHash({ output: new Uint8Array(Buffer.from(output, "base64")), proof }) !== claimed)
        this.#find(line, "an answer is not the one that its hash names");
    }
    const attestation = first.proof.kind === "tee" ? first.proof.attestation : undefined;
    const registration = this.#registry.registration({ node, key, attestation, fromUs: 0, toUs: atUs });
    if (registration === undefined) {
      return this.#find(line, `the key is none under which the node ${node} is in the registry`);
    }
    if (!this.#registry.provesEquivocation(evidence, registration)) {
      this.#find(line, "is no evidence: these are not two different outputs under two signatures of the node");
    }
  }

  #checkOutcome(line: number, outcome: ChallengeEvidence, receipt: Receipt): void {
    const registry = this.#registry;
    if (outcome.node !== receipt.node || outcome.outputHash !== receipt.outputHash)
      this.#find(line, "is about another node or output than the receipt");
    const winner = answerOf(receipt, receipt, registry).registration;
    const operators = [winner?.terms.operator];
    for (const answer of outcome.answers) {
      const { findings, registration } = answerOf(receipt, answer, registry);
      for (const { message } of findings) this.#find(line, `the answer of ${answer.node}: ${message}`);
      operators.push(registration?.terms.operator);
    }
    if (new Set(operators).size !== operators.length) this.#find(line, "two of the answers are of one operator");
    const { verdict, dissenter } = verdictOf(outcome);
    if (outcome.verdict !== verdict || outcome.dissenter !== dissenter)
      this.#find(line, `the answers give another verdict: ${verdict}`);
    if (outcome.forfeitedGwei > 0 && loserOf(outcome) === "")
      this.#find(line, "nobody lost, and yet a bond is forfeited");
  }

  #find(line: number, message: string): void {
    this.#findings.add(FILE, line, message);
  }
}

/** The verdict that a challenge's answers give. */
function verdictOf({ outputHash, answers }: ChallengeEvidence): Pick<ChallengeEvidence, "verdict" | "dissenter"> {
  const [first, second] = answers;
  if (first?.outputHash === outputHash) return { verdict: "upheld", dissenter: "" };
  if (first === undefined || second === undefined) return { verdict: "open", dissenter: "" };
  if (second.outputHash === outputHash) return { verdict: "upheld", dissenter: first.node };
  return { verdict: second.outputHash === first.outputHash ? "overturned" : "open", dissenter: "" };
}

/** Whether the sender got the fee back: the result did not hold, or nobody could say who was right. */
export function isForgone({ verdict, answers }: ChallengeEvidence): boolean {
  return verdict === "overturned" || (verdict === "open" && answers.length > 0);
}

/** Who forfeits a bond; "" for nobody. */
function loserOf({ verdict, node, dissenter }: ChallengeEvidence): string {
  return verdict === "overturned" ? node : dissenter;
}

function isForfeitOf(forfeit: Forfeit, outcome: ChallengeEvidence, loser: string): boolean {
  return (
    forfeit.node === loser &&
    forfeit.height === outcome.height &&
    forfeit.job === LedgerAudit.jobKey(outcome.txHash, outcome.callIndex) &&
    forfeit.amountGwei === BigInt(outcome.forfeitedGwei)
  );
}

function outcomeKey({ txHash, callIndex, height }: Pick<Receipt, "txHash" | "callIndex" | "height">): string {
  return `${LedgerAudit.jobKey(txHash, callIndex)}@${height}`;
}
