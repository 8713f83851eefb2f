import { HEADER_NOT_FOUND, locate, type RpcFace } from "./face.ts";
import { quantity } from "./hex.ts";
import type { IndexedBlock } from "./indexed.ts";
import { failed, type MethodResult, result } from "./method.ts";
import type { BlockReference } from "./parameters.ts";
import { effectiveGasPrice } from "./views.ts";

/**
 * Base fees, how full blocks were, and what was paid above the base fee, as EIP-1559 wallets ask. A count beyond the limit, or
 * beyond what is kept, gives fewer blocks, as elsewhere. With `pending` the newest block is the latest one.
 */
export function feeHistory(
  face: RpcFace,
  asked: {
    readonly count: number;
    readonly newest: BlockReference;
    readonly percentiles: readonly number[] | undefined;
  },
): MethodResult {
  const { index, limits, backend } = face;
  const located = locate(face, asked.newest);
  if (!located.ok) return located.failure;
  if (located.value === undefined) return failed(HEADER_NOT_FOUND);
  const newest = located.value === "pending" ? index.head : located.value;
  const count = Math.min(asked.count, limits.maxFeeHistoryBlocks, newest.number - index.first + 1);
  const blocks: IndexedBlock[] = [];
  for (let number = newest.number - count + 1; number <= newest.number; number++) {
    const block = index.blockAt(number);
    if (block !== undefined) blocks.push(block);
  }
  const after = index.blockAt(newest.number + 1)?.baseFeePerGas ?? backend.nextBlock().baseFeePerGas;
  const { percentiles } = asked;
  return result({
    oldestBlock: quantity(blocks[0]?.number ?? 0),
    baseFeePerGas: blocks.length === 0 ? [] : [...blocks.map((block) => block.baseFeePerGas), after].map(quantity),
    gasUsedRatio: blocks.map(({ gasUsed, gasLimit }) => (gasLimit === 0n ? 0 : Number(gasUsed) / Number(gasLimit))),
    ...(percentiles === undefined ? {} : { reward: blocks.map((block) => rewards(block, percentiles)) }),
  });
}

interface Tip {
  readonly tip: bigint;
  readonly gasUsed: bigint;
}

/** Tips of a block in rising order. Blocks do not change, and the same ones are asked for over and over. */
const sortedTips = new WeakMap<IndexedBlock, readonly Tip[]>();

function tipsOf(block: IndexedBlock): readonly Tip[] {
  const known = sortedTips.get(block);
  if (known !== undefined) return known;
  const tips = block.transactions
    .map((transaction, position) => ({
      tip: effectiveGasPrice(transaction, block.baseFeePerGas) - block.baseFeePerGas,
      gasUsed: block.receipts[position]?.gasUsed ?? 0n,
    }))
    .sort((a, b) => (a.tip < b.tip ? -1 : a.tip > b.tip ? 1 : 0));
  sortedTips.set(block, tips);
  return tips;
}

/** The tip below which that part of the block's gas was bought; zero in an empty block. */
function rewards(block: IndexedBlock, percentiles: readonly number[]): string[] {
  const tips = tipsOf(block);
  const total = tips.reduce((sum, { gasUsed }) => sum + gasUsed, 0n);
  let place = 0;
  let bought = tips[0]?.gasUsed ?? 0n;
  return percentiles.map((percentile) => {
    const threshold = (Number(total) * percentile) / 100;
    while (Number(bought) < threshold && place < tips.length - 1) {
      place++;
      bought += tips[place]?.gasUsed ?? 0n;
    }
    return quantity(tips[place]?.tip ?? 0n);
  });
}
