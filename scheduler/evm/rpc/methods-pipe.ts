import { locate, type RpcFace } from "./face.ts";
import { hashHex } from "./hex.ts";
import type { IndexedBlock } from "./indexed.ts";
import { answered, method, type MethodTable, result } from "./method.ts";
import { aBlock, aHash, LATEST, needed, optional } from "./parameters.ts";

/**
 * What this chain has beside Ethereum's own: how inference is going, and what proves its results. Transactions' hashes have their
 * prefix here; receipts and signed headers are exactly as the scheduler's records have them, so that they can be verified.
 */
export function pipeMethods(face: RpcFace): MethodTable {
  const { backend, index } = face;
  const hash = needed("hash", aHash);
  return {
    pipe_status: method([hash], async ([of]) =>
      answered(await face.ask(async () => ({ ok: true, value: await backend.pipeStatus(of) })), (status) =>
        status === undefined ? null : { ...status, hash: hashHex(status.hash) },
      ),
    ),
    pipe_estimate: method([hash], async ([of]) =>
      answered(await face.ask(async () => ({ ok: true, value: await backend.pipeEstimate(of) })), (estimates) =>
        estimates === undefined
          ? null
          : estimates.map(({ height, sealAtUs, probability }) => ({
              blockNumber: height,
              sealAtMs: Math.round(sealAtUs / 1000),
              probability,
            })),
      ),
    ),
    pipe_receipt: method([hash], ([of]) => {
      const found = index.transaction(of);
      if (found === undefined) return result(null);
      const { block } = found;
      const receipts = block.inference?.receipts.filter(({ receipt }) => receipt.txHash === of) ?? [];
      return result({ transactionHash: hashHex(of), ...placeOf(block), final: isFinal(block), receipts });
    }),
    pipe_block: method([optional("block", aBlock, LATEST)], ([reference]) => {
      const located = locate(face, reference);
      if (!located.ok) return located.failure;
      const block = located.value;
      if (block === undefined || block === "pending") return result(null);
      return result({ ...placeOf(block), final: isFinal(block), inference: block.inference ?? null });
    }),
  };

  function isFinal(block: IndexedBlock): boolean {
    return block.number <= index.finalBlock.number;
  }
}

function placeOf(block: IndexedBlock): { readonly blockNumber: number; readonly blockHash: string } {
  return { blockNumber: block.number, blockHash: hashHex(block.hash) };
}
