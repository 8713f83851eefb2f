import { placed } from "./chain-index.ts";
import { locate, type RpcFace } from "./face.ts";
import { dataHex, quantity } from "./hex.ts";
import type { IndexedBlock } from "./indexed.ts";
import { method, type MethodResult, type MethodTable, result } from "./method.ts";
import { aBlock, aBlockNumber, aBoolean, aHash, aNumber, type BlockReference, needed, optional } from "./parameters.ts";
import { blockView, pendingBlockView, receiptView, receiptViews, transactionView } from "./views.ts";

/** Blocks, transactions and receipts out of the index. What is not there is `null`. */
export function blockMethods(face: RpcFace): MethodTable {
  const { backend, index } = face;
  const number = needed("block", aBlockNumber);
  const hash = needed("hash", aHash);
  const position = needed("index", aNumber);
  const full = optional("fullTransactions", aBoolean, false);
  const inBlock = (
    reference: BlockReference,
    view: (block: IndexedBlock) => unknown,
    ofPending: () => unknown = () => null,
  ): MethodResult => {
    const located = locate(face, reference);
    if (!located.ok) return located.failure;
    if (located.value === undefined) return result(null);
    return result(located.value === "pending" ? ofPending() : view(located.value));
  };
  const at = (block: IndexedBlock, place: number): unknown => {
    const found = placed(block, place);
    return found === undefined ? null : transactionView(found.transaction, found);
  };
  const byHash = (of: string): BlockReference => ({ by: "hash", hash: of });
  const count = (block: IndexedBlock): string => quantity(block.transactions.length);
  const none = (): string => "0x0";
  return {
    eth_getBlockByNumber: method([number, full], ([of, whole]) =>
      inBlock(
        of,
        (block) => blockView(block, whole),
        () => pendingBlockView(index.head, backend.nextBlock()),
      ),
    ),
    eth_getBlockByHash: method([hash, full], ([of, whole]) => inBlock(byHash(of), (block) => blockView(block, whole))),
    eth_getBlockTransactionCountByNumber: method([number], ([of]) => inBlock(of, count, none)),
    eth_getBlockTransactionCountByHash: method([hash], ([of]) => inBlock(byHash(of), count)),
    eth_getUncleCountByBlockNumber: method([number], ([of]) => inBlock(of, none, none)),
    eth_getUncleCountByBlockHash: method([hash], ([of]) => inBlock(byHash(of), none)),
    eth_getBlockReceipts: method([needed("block", aBlock)], ([of]) => inBlock(of, receiptViews)),
    eth_getTransactionByBlockNumberAndIndex: method([number, position], ([of, place]) =>
      inBlock(of, (block) => at(block, place)),
    ),
    eth_getTransactionByBlockHashAndIndex: method([hash, position], ([of, place]) =>
      inBlock(byHash(of), (block) => at(block, place)),
    ),
    eth_getTransactionByHash: method([hash], ([of]) => {
      const found = index.transaction(of);
      if (found !== undefined) return result(transactionView(found.transaction, found));
      const waiting = backend.pendingTransaction(of);
      return result(waiting === undefined ? null : transactionView(waiting, undefined));
    }),
    eth_getRawTransactionByHash: method([hash], ([of]) => {
      const found = index.transaction(of)?.transaction ?? backend.pendingTransaction(of);
      return result(found === undefined ? null : dataHex(found.raw));
    }),
    eth_getTransactionReceipt: method([hash], ([of]) => {
      const found = index.transaction(of);
      return result(found === undefined ? null : receiptView(found));
    }),
  };
}
