import { type Bonds, bondFor } from "../../mempool/bonds.ts";
import type { Mode } from "../shared/vocabulary.ts";
import type { RedundancyState } from "./commands.ts";
import type { FleetClass } from "./fleet.ts";
import type { FleetNode } from "./fleet-node.ts";

/** What a call in one mode would meet now. */
export interface ModeOutlook {
  readonly mode: Mode;
  /** Nodes that can be given a copy: here, not resting, and with a bond where the mode asks one. */
  readonly nodes: number;
  /** Distinct operators among them. */
  readonly operators: number;
  /** The most distinct operators whose answers can be compared with each other. */
  readonly comparableOperators: number;
  readonly redundancy: RedundancyState;
  /** Jobs that wait for a node. */
  readonly waiting: number;
  /** What max fee lets the cheapest nodes that are enough, half of the nodes, or all of them take it; `undefined` without enough. */
  readonly maxFeeGwei: { readonly least: number; readonly median: number; readonly most: number } | undefined;
  /** From dispatch to answer, of one copy; `undefined` as long as nothing is known, and then it is taken for fast enough. */
  readonly copyTimes: CopyTimes | undefined;
  /** Blocks after its own in which a result can still be overturned. */
  readonly trustGapBlocks: number;
}

export interface CopyTimes {
  /** Observations that weigh in, those of copies included that were cancelled. */
  readonly weight: number;
  readonly p50Us: number | undefined;
  /** `undefined` when too many copies were cancelled to say. */
  readonly p95Us: number | undefined;
}

export interface Outlooking {
  readonly bonds: Bonds;
  /** Answers that the conflict rule needs. */
  readonly quorum: number;
  readonly bondPerFee: number;
  readonly challengeBlocks: number;
}

interface Seller {
  readonly operator: string;
  readonly label: string;
  readonly priceGwei: number;
}

/** What nodes of this class ask and how they have done. */
export function outlookOf(served: FleetClass, { bonds, quorum, bondPerFee, challengeBlocks }: Outlooking): ModeOutlook {
  const bonded = served.mode === "optimistic";
  const isAble = (node: FleetNode, priceGwei: number) =>
    !bonded || bonds.freeGwei(node.id) >= bondFor(priceGwei, bondPerFee);
  const sellers = served.nodes.flatMap((node, index): Seller[] => {
    const priceGwei = served.prices[index] as number;
    const { operator } = node;
    return isAble(node, priceGwei) ? [{ operator, label: served.labelOf(node), priceGwei }] : [];
  });
  const groups = [...Map.groupBy(sellers, ({ label }) => label).values()];
  return {
    mode: served.mode,
    nodes: sellers.length,
    operators: operatorsOf(sellers),
    comparableOperators: Math.max(0, ...groups.map(operatorsOf)),
    redundancy: served.redundancy,
    waiting: served.waitingCount,
    maxFeeGwei: maxFee(sellers, groups, quorum),
    copyTimes: copyTimes(served),
    trustGapBlocks: bonded ? challengeBlocks : 0,
  };
}

function operatorsOf(sellers: readonly Seller[]): number {
  return new Set(sellers.map(({ operator }) => operator)).size;
}

/** A copy may cost at most the quorum's share of the max fee. */
function maxFee(
  sellers: readonly Seller[],
  groups: readonly (readonly Seller[])[],
  quorum: number,
): ModeOutlook["maxFeeGwei"] {
  // Of each group the price at which as many operators take part as the quorum needs.
  const enough = groups.flatMap((group) => {
    const cheapest = new Map<string, number>();
    for (const { operator, priceGwei } of group) {
      cheapest.set(operator, Math.min(priceGwei, cheapest.get(operator) ?? priceGwei));
    }
    return ascending([...cheapest.values()])[quorum - 1] ?? [];
  });
  if (enough.length === 0) return undefined;
  const least = Math.min(...enough);
  const prices = ascending(sellers.map(({ priceGwei }) => priceGwei));
  const median = Math.max(least, prices[Math.ceil(prices.length / 2) - 1] as number);
  return { least: quorum * least, median: quorum * median, most: quorum * Math.max(...prices) };
}

function ascending(values: readonly number[]): number[] {
  return values.toSorted((a, b) => a - b);
}

function copyTimes({ times }: FleetClass): CopyTimes | undefined {
  if (!times.known) return undefined;
  return { weight: Math.round(times.weight), p50Us: times.quantileUs(0.5), p95Us: times.quantileUs(0.95) };
}
