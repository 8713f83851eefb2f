import { sha256Hex } from "../proofs/digest.ts";
import type { ModelRules } from "../proofs/model-rules.ts";
import type { RegistryLine } from "../proofs/registry-lines.ts";
import { assert } from "../shared/assert.ts";
import type { Mode, NodeTerms } from "../shared/vocabulary.ts";
import { type Admission, admission } from "./admission.ts";
import { type AskedCall, type CallRefusal, callRefusal } from "./call-check.ts";
import { REGISTRY_LIMITS } from "./registry-limits.ts";

/**
 * Of which nodes the same input makes the same output: `any` two, two with the same `hardware`, or two whose hardware bears
 * the same label. Hardware without a label is not asked for the model.
 */
export type Equivalence = "any" | "hardware" | ReadonlyMap<string, string>;

export interface RegisteredModel {
  readonly id: string;
  readonly modes: readonly Mode[];
  /** What one call may bring and ask for. */
  readonly limits: { readonly inputBytes: number; readonly tokensIn: number; readonly tokensOut: number };
  readonly equivalence: Equivalence;
  readonly rules: ModelRules;
}

/** A node as the registry knows it; what it says of itself beyond that is its offers and how much it takes at once. */
export interface RegisteredNode {
  readonly id: string;
  readonly key: string;
  readonly operator: string;
  readonly region: string;
  readonly hardware: string;
  /** What it has put up, as the chain says. */
  readonly bondGwei: number;
}

/** A certificate that attestations may end in. */
export interface RegisteredRoot {
  readonly pem: string;
  /** SHA-256 of the certificate's DER. */
  readonly fingerprint: string;
  /** It vouches for enclaves that are none. */
  readonly emulator: boolean;
}

export interface RegistryParts {
  /** `listed`: only the nodes that the registry lists may join. `open`: others may too, and are what they say they are. */
  readonly admission: "open" | "listed";
  readonly offersPerNode: number;
  readonly models: readonly RegisteredModel[];
  readonly roots: readonly RegisteredRoot[];
  readonly nodes: readonly RegisteredNode[];
}

/** Which models there are, what makes an answer of them valid, and which nodes may answer. Does not change. */
export class Registry {
  readonly admission: "open" | "listed";
  readonly offersPerNode: number;
  readonly models: ReadonlyMap<string, RegisteredModel>;
  readonly roots: readonly RegisteredRoot[];
  readonly nodes: ReadonlyMap<string, RegisteredNode>;
  /** All of it as canonical JSON, the same for the same registry however it was written; `readRegistryLines` reads it. */
  readonly lines: readonly string[];
  /** SHA-256 of the lines, line feeds included. */
  readonly digest: string;

  constructor(parts: RegistryParts) {
    this.admission = parts.admission;
    this.offersPerNode = parts.offersPerNode;
    this.models = new Map(parts.models.map((model) => [model.id, model]));
    this.roots = parts.roots;
    this.nodes = new Map(parts.nodes.map((node) => [node.id, node]));
    const { maxModels, maxRoots, maxNodes, maxOffersPerNode } = REGISTRY_LIMITS;
    assert(this.models.size === parts.models.length && this.models.size <= maxModels, "models are distinct, and few");
    assert(this.nodes.size === parts.nodes.length && this.nodes.size <= maxNodes, "nodes are distinct, and few");
    assert(this.roots.length <= maxRoots && this.offersPerNode <= maxOffersPerNode, "roots and offers are few");
    this.lines = this.#describe().map((line) => JSON.stringify(line));
    this.digest = sha256Hex(Buffer.from(this.lines.map((line) => `${line}\n`).join("")));
  }

  modelRules(model: string): ModelRules | undefined {
    return this.models.get(model)?.rules;
  }

  /** A node's terms as the scheduler takes them, or why it must not join. */
  admit(terms: NodeTerms): Admission {
    return admission(this, terms);
  }

  /** Why a call must not be raced, or `undefined`. */
  refuse(call: AskedCall): CallRefusal | undefined {
    return callRefusal(this.models.get(call.model), call);
  }

  #describe(): readonly RegistryLine[] {
    return [
      { entry: "rules", admission: this.admission, offersPerNode: this.offersPerNode },
      ...sorted(this.models.values()).map(modelLine),
      ...this.roots.map(({ fingerprint, emulator, pem }) => ({ entry: "root", fingerprint, emulator, pem }) as const),
      ...sorted(this.nodes.values()).map(nodeLine),
    ];
  }
}

function modelLine({ id, modes, limits, equivalence, rules }: RegisteredModel): RegistryLine {
  const { digest, output, tee, zkml } = rules;
  const { inputBytes, tokensIn, tokensOut } = limits;
  return {
    entry: "model",
    model: id,
    modes: modes.toSorted(),
    limits: { inputBytes, tokensIn, tokensOut },
    equivalence: typeof equivalence === "string" ? equivalence : [...equivalence].toSorted(byName),
    digest,
    output: output === "bytes" ? output : { number: output.number, element: output.element },
    ...(tee === undefined ? {} : { tee: teeLine(tee) }),
    ...(zkml === undefined ? {} : { zkml: zkmlLine(zkml) }),
  };
}

function teeLine({ measurements, maxAgeMs }: NonNullable<ModelRules["tee"]>): NonNullable<ModelRules["tee"]> {
  return { measurements: measurements.map(({ pcr0, pcr1, pcr2 }) => ({ pcr0, pcr1, pcr2 })), maxAgeMs };
}

function zkmlLine({
  system,
  verificationKey,
  keyHash,
}: NonNullable<ModelRules["zkml"]>): NonNullable<ModelRules["zkml"]> {
  return { system, verificationKey, keyHash };
}

function nodeLine({ id, key, operator, region, hardware, bondGwei }: RegisteredNode): RegistryLine {
  return { entry: "listed", id, key, operator, region, hardware, bondGwei };
}

function sorted<A extends { readonly id: string }>(items: Iterable<A>): A[] {
  return [...items].sort((a, b) => (a.id < b.id ? -1 : 1));
}

function byName([a]: readonly [string, string], [b]: readonly [string, string]): number {
  return a < b ? -1 : 1;
}
