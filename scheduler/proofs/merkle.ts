import { createHash } from "node:crypto";
import { LeafNode, subtreeFillToContents, toGindex, Tree } from "@chainsafe/persistent-merkle-tree";
import { assert } from "../shared/assert.ts";
import { ZERO_HASH } from "./digest.ts";

/**
 * The tree over a block's receipts: SSZ's `merkleize` over the receipts' hashes in block order, as Ethereum's consensus
 * specification defines it. Leaves are padded with zeros to a power of two; inner nodes are SHA-256 over both children; a
 * branch is checked as `is_valid_merkle_branch` there checks it. A leaf cannot pass for an inner node: an inner node hashes
 * exactly 64 bytes, a leaf a longer text with a domain in front. The header says how many leaves there are.
 */
export interface ReceiptTree {
  readonly root: string;
  /** The branch of each leaf, in the order given: sibling hashes from the leaf's level up. */
  readonly proofs: readonly (readonly string[])[];
}

/** Longest branch that is looked at: a tree of 2^32 leaves. */
export const MAX_PROOF_LENGTH = 32;

/** The root of a block without receipts: no receipt can be proved against it. */
export const EMPTY_ROOT = ZERO_HASH;

/** Builds the tree. Leaves are 64 hexadecimal digits each, all different. */
export function receiptTree(leaves: readonly string[]): ReceiptTree {
  if (leaves.length === 0) return { root: EMPTY_ROOT, proofs: [] };
  assert(new Set(leaves).size === leaves.length, "two receipts of a block are equal");
  const depth = Math.ceil(Math.log2(leaves.length));
  const nodes = leaves.map((leaf) => LeafNode.fromRoot(Buffer.from(leaf, "hex")));
  const tree = new Tree(subtreeFillToContents(nodes, depth));
  return {
    root: hexOf(tree.root),
    proofs: leaves.map((_, index) => tree.getSingleProof(toGindex(depth, BigInt(index))).map(hexOf)),
  };
}

/** Whether the branch leads from the leaf at this place to the root. Hashes are 64 hexadecimal digits each. */
export function provesInclusion(claim: {
  readonly root: string;
  readonly leaf: string;
  readonly index: number;
  readonly proof: readonly string[];
}): boolean {
  const { root, leaf, index, proof } = claim;
  if (proof.length > MAX_PROOF_LENGTH || !(index >= 0 && index < 2 ** proof.length)) return false;
  let hash = Buffer.from(leaf, "hex");
  let place = index;
  for (const sibling of proof) {
    const other = Buffer.from(sibling, "hex");
    const pair = place % 2 === 0 ? [hash, other] : [other, hash];
    hash = createHash("sha256").update(Buffer.concat(pair)).digest();
    place = Math.floor(place / 2);
  }
  return hash.toString("hex") === root;
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
