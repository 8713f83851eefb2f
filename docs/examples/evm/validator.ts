import { EvmChain } from "../../../mempool/evm/chain.ts";
import { verifyEvmBlock } from "../../../mempool/evm/replay.ts";
import type { BuiltBlock } from "../../../scheduler/evm/block-building.ts";
import type { EvmDevnet } from "../../../scheduler/evm/devnet.ts";
import { readRegistryView } from "../../../scheduler/index.ts";

export interface Checked {
  readonly blocks: number;
  readonly receipts: number;
  readonly ms: number;
  readonly findings: readonly string[];
}

/**
 * Checks the chain from its first block, as a validator that has nothing but the genesis, the blocks with their inference
 * sections, and the scheduler's registry and key: no models.
 */
export async function checkAll(
  { genesis, pipe }: Pick<EvmDevnet, "genesis" | "pipe">,
  { directory, blocks }: { readonly directory: string; readonly blocks: readonly BuiltBlock[] },
): Promise<Checked> {
  const chain = await EvmChain.create(genesis);
  const registry = await readRegistryView(directory);
  const findings: string[] = [];
  let receipts = 0;
  const startedMs = performance.now();
  for (const { raw, inference } of blocks) {
    receipts += inference.receipts.length;
    const block = { raw, inference: { block: inference, receipts: inference.receipts } };
    const verdict = await verifyEvmBlock({ chain, block, registry, schedulerKey: pipe.schedulerKey });
    for (const { fault, message } of verdict.findings)
      findings.push(`block ${inference.header.height}: ${fault}: ${message}`);
    if (verdict.executed === undefined) break;
    await chain.apply(verdict.executed.diff, verdict.executed.head);
  }
  return { blocks: blocks.length, receipts, ms: performance.now() - startedMs, findings };
}
