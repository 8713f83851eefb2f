import { isHashHex } from "../proofs/digest.ts";
import { signingKeyFromSeed } from "../proofs/keys.ts";
import type { SigningKey } from "../proofs/keys.ts";
import type { NodeTerms, Offer } from "../shared/vocabulary.ts";
import type { Temperament } from "./behaviour/fate.ts";
import { NODE_LIMITS } from "./limits.ts";
import { readZkManifest } from "./zkml/catalogue.ts";

/**
 * An inference node that lives in a worker thread of its host. Plain data, so that a thread can be given it. With latency
 * `none` there is no delay that a `slow` fault could stretch.
 */
export interface EmbeddedNode extends Temperament {
  readonly id: string;
  readonly operator: string;
  readonly region: string;
  readonly hardware: string;
  /** Copies that it runs at once. */
  readonly slots: number;
  /** Further copies that it lets wait. */
  readonly queueLimit: number;
  /** Models of the catalogue; in mode `tee` where the host has an enclave emulator, in `zkml` those that can be proved. */
  readonly offers: readonly Offer[];
  /** What it has put up against wrong answers in mode `optimistic`, of which it can offer none with 0. */
  readonly bondGwei: number;
  /** Seed of its Ed25519 key, 32 bytes in hexadecimal. Secret. */
  readonly seedHex: string;
}

/** What is wrong with the description, or `undefined`. */
export function embeddedNodeProblem(node: EmbeddedNode): string | undefined {
  if (node.id.length === 0) return "an id is empty";
  if (!isHashHex(node.seedHex)) return `${node.id}: seedHex is not 64 lower-case hexadecimal digits`;
  if (!isHashHex(node.luckHex)) return `${node.id}: luckHex is not 64 lower-case hexadecimal digits`;
  if (!isWithin(node.slots, 1, NODE_LIMITS.maxSlots)) return `${node.id}: slots not within 1..${NODE_LIMITS.maxSlots}`;
  if (!isWithin(node.queueLimit, 0, NODE_LIMITS.maxQueue)) {
    return `${node.id}: queueLimit not within 0..${NODE_LIMITS.maxQueue}`;
  }
  if (!(node.speed > 0 && Number.isFinite(node.speed))) return `${node.id}: speed is not a positive number`;
  if (!isWithin(node.bondGwei, 0, NODE_LIMITS.maxBondGwei)) {
    return `${node.id}: bondGwei not within 0..${NODE_LIMITS.maxBondGwei}`;
  }
  const provable = readZkManifest().models.map(({ model }) => model);
  const unproven = node.offers.find(({ mode, model }) => mode === "zkml" && !provable.includes(model));
  if (unproven !== undefined) {
    return `${node.id}: answers of ${unproven.model} cannot be proved in mode zkml; those of ${provable.join(", ")} can`;
  }
  return faultProblem(node);
}

function faultProblem({ id, fault }: EmbeddedNode): string | undefined {
  if (fault.kind === "slow" && !(fault.factor > 0)) return `${id}: factor of fault slow is not positive`;
  if (fault.kind === "erroring" && !(fault.fraction >= 0 && fault.fraction <= 1)) {
    return `${id}: fraction of fault erroring is not within 0..1`;
  }
  return undefined;
}

function isWithin(value: number, least: number, most: number): boolean {
  return Number.isSafeInteger(value) && value >= least && value <= most;
}

export function embeddedSigningKey(node: EmbeddedNode): SigningKey {
  return signingKeyFromSeed(Buffer.from(node.seedHex, "hex"));
}

/** The terms under which it registers. */
export function embeddedNodeTerms(node: EmbeddedNode): NodeTerms {
  const { id, operator, region, hardware, slots, queueLimit, offers } = node;
  return { id, key: embeddedSigningKey(node).publicKeyHex, operator, region, hardware, slots, queueLimit, offers };
}
