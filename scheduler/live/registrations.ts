import type { Registration } from "../proofs/judge.ts";
import { registrationNonce } from "../proofs/nitro/attestation.ts";
import { orderNodeKeys } from "../proofs/registry-log.ts";
import { sha256Hex } from "../proofs/digest.ts";
import type { Registry } from "../registry/registry.ts";
import type { NodeTerms, Offer } from "../shared/vocabulary.ts";
import type { EngineEvent } from "../engine/events.ts";
import type { Blob } from "./inbox.ts";
import type { RegistrationEpochs } from "./registration-epochs.ts";
import type { NodeMessage } from "./transport.ts";
import type { VerdictReason, Verifier } from "./verification.ts";

export interface RegistrationsOptions {
  readonly chainId: string;
  readonly nowMs: () => number;
  readonly registry: Registry;
  readonly epochs: RegistrationEpochs;
  readonly verifier: Verifier;
  /** A node may join; under which terms follows, maybe later. */
  readonly admitted: (node: string) => void;
  /** A node joins or leaves. */
  readonly say: (node: string, event: EngineEvent, blobs: readonly Blob[]) => void;
  /** A node was refused, or not all that it offers was taken. */
  readonly warn: (message: string, fields: Readonly<Record<string, unknown>>) => void;
}

type Joining = Extract<NodeMessage, { kind: "joined" }>;

/** What a node said last while its attestation is being verified. */
interface Pending {
  next: Joining | "left" | undefined;
  readonly settled: PromiseWithResolvers<void>;
}

/** Nodes whose attestations are verified at a time; beyond it those that come offer nothing in mode `tee`. */
const MAX_PENDING = 4_096;

/** Faults that are those of one model's rules. */
const DEPENDS_ON_RULES: ReadonlySet<string> = new Set([
  "attestation-wrong-measurements",
  "attestation-too-old",
] satisfies VerdictReason[]);

/**
 * Makes of what a node says of itself the terms under which it joins: what the model registry allows, under the operator and
 * with the labels that the registry knows, and in mode `tee` what its attestation holds for. Each node's words take effect in
 * the order in which it said them; of those that come while an attestation is verified only the last counts.
 */
export class Registrations {
  readonly #options: RegistrationsOptions;
  readonly #pending = new Map<string, Pending>();

  constructor(options: RegistrationsOptions) {
    this.#options = options;
  }

  join(said: Joining): void {
    const { registry, warn } = this.#options;
    const { id } = said.terms;
    const admission = registry.admit(said.terms);
    if (!admission.ok) {
      warn("a node was not admitted", { node: id, reason: admission.reason, advice: admission.advice });
      return;
    }
    this.#options.admitted(id);
    this.#expectProofs(admission.terms.offers);
    if (admission.stripped.length > 0) {
      warn("not all that a node offers was taken", { node: id, stripped: admission.stripped.slice(0, 8) });
    }
    const pending = this.#pending.get(id);
    if (pending !== undefined) pending.next = said;
    else this.#begin({ ...said, terms: admission.terms });
  }

  leave(node: string): void {
    const pending = this.#pending.get(node);
    if (pending !== undefined) pending.next = "left";
    else this.#leave(node);
  }

  /** Resolves when the nodes whose attestations are being verified now have joined. */
  async settled(): Promise<void> {
    await Promise.all([...this.#pending.values()].map(({ settled }) => settled.promise));
  }

  #begin({ terms, attestation: document }: Joining): void {
    const attested = terms.offers.filter(({ mode }) => mode === "tee");
    if (attested.length === 0) return this.#join(terms, [], undefined);
    const registered = this.#registrationOf(terms, document);
    if (typeof registered === "string") return this.#strip(terms, registered);
    this.#pending.set(terms.id, { next: undefined, settled: Promise.withResolvers() });
    this.#attest({ terms, registered, waiting: attested, kept: [] });
  }

  #expectProofs(offers: readonly Offer[]): void {
    const { registry, verifier } = this.#options;
    for (const { model, mode } of offers) {
      const rules = mode === "zkml" ? registry.modelRules(model)?.zkml : undefined;
      if (rules !== undefined) verifier.expect(rules);
    }
  }

  /** How the node would be registered, or why it cannot be. */
  #registrationOf({ id, key, attestation }: NodeTerms, document: Uint8Array | undefined): Registration | string {
    const { chainId, epochs, nowMs } = this.#options;
    if (attestation === undefined || document === undefined) return "attestation-missing";
    if (sha256Hex(document) !== attestation.hash) return "attestation-other-document";
    if (!epochs.accepts(attestation.epoch, nowMs())) return "attestation-wrong-epoch";
    if (this.#pending.size >= MAX_PENDING) return "verifier-overloaded";
    const nonce = registrationNonce({ chainId, node: id, epochSeed: epochs.seed(attestation.epoch) });
    return { key, attestation: { document, nonce } };
  }

  /** Holds the document against the rules of one model after the other. */
  #attest(state: Attesting): void {
    const { chainId, nowMs, registry, verifier, warn } = this.#options;
    const { terms, registered, waiting, kept } = state;
    const [offer, ...rest] = waiting;
    if (offer === undefined) return this.#finish(state);
    const rules = registry.modelRules(offer.model)?.tee;
    const { attestation } = registered;
    if (rules === undefined || attestation === undefined) return this.#attest({ ...state, waiting: rest });
    verifier.attest({ chainId, node: terms.id, registered, attestation, rules, atMs: nowMs() }, (outcome) => {
      if (outcome.ok) return this.#attest({ ...state, waiting: rest, kept: [...kept, offer] });
      warn("a node's attestation does not hold for a model", { node: terms.id, ...offer, reason: outcome.reason });
      // Only what a model's rules say differs from model to model; any other fault is the document's.
      const otherModels = DEPENDS_ON_RULES.has(outcome.reason) ? rest : [];
      this.#attest({ ...state, waiting: otherModels });
    });
  }

  #finish({ terms, registered, kept }: Attesting): void {
    const offers = terms.offers.filter((offer) => offer.mode !== "tee" || kept.includes(offer));
    const pending = this.#pending.get(terms.id);
    this.#pending.delete(terms.id);
    const next = pending?.next;
    if (next === undefined) this.#join({ ...terms, offers }, kept, registered);
    else if (next === "left") this.#leave(terms.id);
    else this.join(next);
    pending?.settled.resolve();
  }

  #strip(terms: NodeTerms, reason: string): void {
    this.#options.warn("a node's offers in mode tee were not taken", { node: terms.id, reason });
    this.#join({ ...terms, offers: terms.offers.filter(({ mode }) => mode !== "tee") }, [], undefined);
  }

  #join(terms: NodeTerms, attested: readonly Offer[], registered: Registration | undefined): void {
    const { attestation, ...bare } = terms;
    const document = registered?.attestation?.document;
    if (attested.length === 0 || document === undefined || attestation === undefined) {
      return this.#options.say(terms.id, { kind: "node-joined", node: orderNodeKeys(bare) }, []);
    }
    const blobs = [{ hash: attestation.hash, bytes: document }];
    this.#options.say(terms.id, { kind: "node-joined", node: orderNodeKeys(terms) }, blobs);
  }

  #leave(node: string): void {
    this.#options.say(node, { kind: "node-left", node }, []);
  }
}

interface Attesting {
  readonly terms: NodeTerms;
  readonly registered: Registration;
  /** Offers in mode `tee` that are to be looked at, and those that the document holds for. */
  readonly waiting: readonly Offer[];
  readonly kept: readonly Offer[];
}
