import { assert } from "../scheduler/shared/assert.ts";

/** What a node puts up for one answer at this price. Never nothing: also an answer for nothing can be a lie. */
export function bondFor(priceGwei: number, bondPerFee: number): number {
  return Math.max(1, priceGwei) * bondPerFee;
}

/** What one node has put up, and how much of it copies and results hold. */
interface Bond {
  bondGwei: number;
  lockedGwei: number;
}

/**
 * Bonds of nodes (P5). A copy in mode `optimistic` locks a part of its node's bond until nobody can challenge its answer any
 * more. What is locked beyond the bond, since the chain lowered that in the meantime, cannot be forfeited. Nothing can be locked,
 * released and forfeited at any time, also of a node that has put up nothing.
 */
export class Bonds {
  readonly #maxNodes: number;
  readonly #byNode = new Map<string, Bond>();

  constructor(maxNodes: number) {
    this.#maxNodes = maxNodes;
  }

  bondGwei(node: string): number {
    return this.#byNode.get(node)?.bondGwei ?? 0;
  }

  freeGwei(node: string): number {
    const bond = this.#byNode.get(node);
    return bond === undefined ? 0 : Math.max(0, bond.bondGwei - bond.lockedGwei);
  }

  get totalGwei(): number {
    let totalGwei = 0;
    for (const { bondGwei } of this.#byNode.values()) totalGwei += bondGwei;
    return totalGwei;
  }

  /** Takes over what the chain says; by how much it changed, `undefined` when there are too many nodes. */
  set(node: string, bondGwei: number): number | undefined {
    const bond = this.#byNode.get(node);
    if (bond === undefined) {
      if (bondGwei === 0) return 0;
      if (this.#byNode.size >= this.#maxNodes) return undefined;
      this.#byNode.set(node, { bondGwei, lockedGwei: 0 });
      return bondGwei;
    }
    const changeGwei = bondGwei - bond.bondGwei;
    bond.bondGwei = bondGwei;
    this.#forgetEmpty(node, bond);
    return changeGwei;
  }

  /** False, and nothing is locked, when that much is not free. */
  lock(node: string, amountGwei: number): boolean {
    if (amountGwei === 0) return true;
    const bond = this.#byNode.get(node);
    if (bond === undefined || bond.bondGwei - bond.lockedGwei < amountGwei) return false;
    bond.lockedGwei += amountGwei;
    return true;
  }

  release(node: string, amountGwei: number): void {
    if (amountGwei === 0) return;
    const bond = this.#byNode.get(node);
    assert(bond !== undefined && bond.lockedGwei >= amountGwei, "a bond is released that was not locked");
    bond.lockedGwei -= amountGwei;
    this.#forgetEmpty(node, bond);
  }

  /** Takes what was locked out of the bond; how much of it was still there. */
  forfeit(node: string, amountGwei: number): number {
    if (amountGwei === 0) return 0;
    const bond = this.#byNode.get(node);
    assert(bond !== undefined && bond.lockedGwei >= amountGwei, "a bond is forfeited that was not locked");
    const forfeitedGwei = Math.min(amountGwei, bond.bondGwei);
    bond.bondGwei -= forfeitedGwei;
    bond.lockedGwei -= amountGwei;
    this.#forgetEmpty(node, bond);
    return forfeitedGwei;
  }

  #forgetEmpty(node: string, bond: Bond): void {
    if (bond.bondGwei === 0 && bond.lockedGwei === 0) this.#byNode.delete(node);
  }

  snapshot(): BondsSnapshot {
    return [...this.#byNode].map(([node, { bondGwei, lockedGwei }]) => ({ node, bondGwei, lockedGwei }));
  }

  restore(snapshot: BondsSnapshot): void {
    for (const { node, ...bond } of snapshot) this.#byNode.set(node, bond);
  }
}

export type BondsSnapshot = readonly {
  readonly node: string;
  readonly bondGwei: number;
  readonly lockedGwei: number;
}[];
