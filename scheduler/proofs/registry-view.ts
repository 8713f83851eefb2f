import type { NodeTerms } from "../shared/vocabulary.ts";
import type { ChallengeTerms } from "./challenge-sample.ts";
import { seedCommitment } from "./challenge-sample.ts";
import { sha256Hex } from "./digest.ts";
import type { EquivocationEvidence } from "./evidence.ts";
import { isEquivocation } from "./evidence-check.ts";
import type { ProofFault, ProofParts, Registration } from "./judge.ts";
import { judgeProof } from "./judge.ts";
import type { ModelRules, ZkmlRules } from "./model-rules.ts";
import { registrationNonce } from "./nitro/attestation.ts";
import { RootError } from "./nitro/roots.ts";
import { readRegistryLines } from "./registry-lines.ts";
import type { RegistryEntry } from "./registry-log.ts";
import { modelsDigest } from "./registry-log.ts";
import { StageRunner } from "./stage-runner.ts";
import { setupOf } from "./zkml/setup.ts";

/** A node's terms, and the span of time in which they were in force: up to and at `untilUs`. */
export interface NodeRegistration {
  readonly terms: NodeTerms;
  readonly sinceUs: number;
  untilUs: number;
}

/** Rules that were in force from a time on. */
interface RulesVersion {
  readonly sinceUs: number;
  readonly models: ReadonlyMap<string, ModelRules>;
  readonly runner: StageRunner;
}

/** A seed's hash or a seed, and the number of the line that tells it. */
export interface Told {
  readonly n: number;
  readonly value: string;
}

const NO_RULES: RulesVersion = {
  sinceUs: -1,
  models: new Map(),
  runner: new StageRunner({ roots: [], allowEmulator: false }),
};

/**
 * What a registry log says, for whoever judges proofs by it afterwards: which nodes were registered when, and by which rules
 * their answers count. Feed it the log's entries in order.
 */
export class RegistryView {
  /** `undefined` until the first entry. */
  scheduler: { readonly chainId: string; readonly key: string; readonly challenges: ChallengeTerms } | undefined;
  readonly commitments = new Map<number, Told>();
  readonly revealed = new Map<number, Told>();
  /** Proofs judged under the attestation of an enclave emulator, which protects nothing. */
  emulated = 0;
  /** Zero-knowledge proofs that held, by where their verification keys say that they come from. */
  readonly setups = new Map<string, number>();
  readonly #nodes = new Map<string, NodeRegistration[]>();
  readonly #documents = new Map<string, Uint8Array>();
  readonly #epochs = new Map<number, string>();
  readonly #rules: RulesVersion[] = [NO_RULES];
  #count = 0;

  static of(entries: Iterable<RegistryEntry>): RegistryView {
    const view = new RegistryView();
    for (const entry of entries) view.add(entry);
    return view;
  }

  get nodeCount(): number {
    return this.#nodes.size;
  }

  get documentCount(): number {
    return this.#documents.size;
  }

  /** Takes the next entry; what is wrong with it, as a sentence without its subject, or `undefined`. */
  add(entry: RegistryEntry): string | undefined {
    const n = this.#count++;
    if ((n === 0) !== (entry.entry === "scheduler")) return "the first line, and only it, names the scheduler";
    switch (entry.entry) {
      case "scheduler": {
        const { chainId, key, perMillion, epochBlocks, revealBlocks } = entry;
        this.scheduler = { chainId, key, challenges: { perMillion, epochBlocks, revealBlocks } };
        return undefined;
      }
      case "models":
        return this.#addRules(entry.atUs, entry.digest, entry.lines);
      case "epoch":
        return this.#once(this.#epochs, entry.epoch, entry.seed);
      case "attestation":
        return this.#addDocument(entry.attestation, new Uint8Array(Buffer.from(entry.document, "base64")));
      case "node":
        return this.#addNode(entry);
      case "commitment":
        return this.#once(this.commitments, entry.epoch, { n, value: entry.commitment });
      case "revealed":
        return this.#reveal(entry.epoch, { n, value: entry.seed });
    }
  }

  /** The registration of a node under this key, and with this attestation where one is named, that was in force within the span. */
  registration(claim: {
    readonly node: string;
    readonly key: string;
    readonly attestation: string | undefined;
    readonly fromUs: number;
    readonly toUs: number;
  }): NodeRegistration | undefined {
    const { node, key, attestation, fromUs, toUs } = claim;
    return this.#nodes.get(node)?.findLast(({ terms, sinceUs, untilUs }) => {
      if (terms.key !== key || sinceUs > toUs || untilUs < fromUs) return false;
      return attestation === undefined || terms.attestation?.hash === attestation;
    });
  }

  /** The registration as proofs are judged by it. */
  registered({ terms }: NodeRegistration): Registration {
    const { id: node, key, attestation } = terms;
    const document = attestation && this.#documents.get(attestation.hash);
    const epochSeed = attestation && this.#epochs.get(attestation.epoch);
    const chainId = this.scheduler?.chainId ?? "";
    if (document === undefined || epochSeed === undefined) return { key, attestation: undefined };
    return { key, attestation: { document, nonce: registrationNonce({ chainId, node, epochSeed }) } };
  }

  /** What the registry said of a model at that time. */
  modelRules(model: string, atUs: number): ModelRules | undefined {
    return this.#rulesAt(atUs).models.get(model);
  }

  /** Judges a proof by the rules in force when it arrived. */
  judge(parts: Omit<ProofParts, "model" | "atMs">, atUs: number): "valid" | ProofFault {
    const { models, runner } = this.#rulesAt(atUs);
    const model = models.get(parts.statement.model);
    return judgeProof({ ...parts, model, atMs: Math.floor(atUs / 1000) }, (stage) => {
      const outcome = runner.run(stage);
      if (outcome.ok && outcome.enclave?.emulated === true) this.emulated++;
      if (outcome.ok && stage.kind === "zk") this.#countSetup(stage.rules);
      return outcome;
    });
  }

  /** Whether these two answers prove that the node, registered like this, gave both. */
  provesEquivocation(evidence: EquivocationEvidence, registration: NodeRegistration): boolean {
    const { models, runner } = this.#rulesAt(evidence.atUs);
    return isEquivocation(evidence, {
      chainId: this.scheduler?.chainId ?? "",
      registered: this.registered(registration),
      model: models.get(evidence.model),
      run: (stage) => runner.run(stage),
    });
  }

  #countSetup(rules: ZkmlRules): void {
    const setup = setupOf(rules);
    this.setups.set(setup, (this.setups.get(setup) ?? 0) + 1);
  }

  #rulesAt(atUs: number): RulesVersion {
    return this.#rules.findLast(({ sinceUs }) => sinceUs <= atUs) ?? NO_RULES;
  }

  #addRules(sinceUs: number, digest: string, lines: readonly string[]): string | undefined {
    const read = readRegistryLines(lines);
    const last = this.#rules.at(-1) ?? NO_RULES;
    const runner = read === undefined ? undefined : runnerOf(read.roots);
    this.#rules.push({ sinceUs, models: read?.models ?? new Map(), runner: runner ?? NO_RULES.runner });
    if (read === undefined || runner === undefined) return "holds lines that are none of a model registry";
    if (modelsDigest(lines) !== digest) return "its digest is not that of its lines";
    return sinceUs < last.sinceUs ? "its time is before that of the rules before" : undefined;
  }

  #addDocument(attestation: string, document: Uint8Array): string | undefined {
    this.#documents.set(attestation, document);
    return sha256Hex(document) === attestation ? undefined : "the document is not the one that the hash names";
  }

  #addNode({ entry: _, atUs, ...terms }: Extract<RegistryEntry, { entry: "node" }>): string | undefined {
    const registrations = this.#nodes.get(terms.id) ?? [];
    const last = registrations.at(-1);
    this.#nodes.set(terms.id, registrations);
    registrations.push({ terms, sinceUs: atUs, untilUs: Number.MAX_SAFE_INTEGER });
    if (last !== undefined) last.untilUs = atUs;
    const { attestation } = terms;
    if (attestation !== undefined && !this.#documents.has(attestation.hash))
      return "names an attestation that is not in the log before it";
    if (attestation !== undefined && !this.#epochs.has(attestation.epoch))
      return "names a registration epoch that is not in the log before it";
    return last !== undefined && last.sinceUs > atUs ? "its time is before that of the node's terms before" : undefined;
  }

  #reveal(epoch: number, told: Told): string | undefined {
    const commitment = this.commitments.get(epoch);
    const repeated = this.#once(this.revealed, epoch, told);
    if (commitment === undefined) return "reveals a seed that was not committed to";
    return seedCommitment(told.value) === commitment.value
      ? repeated
      : "reveals another seed than the one committed to";
  }

  #once<V>(known: Map<number, V>, epoch: number, value: V): string | undefined {
    if (known.has(epoch)) return `tells of epoch ${epoch} for a second time`;
    known.set(epoch, value);
    return undefined;
  }
}

/** `undefined` for roots that are none: an outsider's log may say anything. */
function runnerOf(roots: readonly { readonly pem: string; readonly emulator: boolean }[]): StageRunner | undefined {
  try {
    return new StageRunner({
      roots: roots.map(({ pem }) => pem),
      allowEmulator: roots.some(({ emulator }) => emulator),
    });
  } catch (error) {
    if (error instanceof RootError) return undefined;
    throw error;
  }
}
