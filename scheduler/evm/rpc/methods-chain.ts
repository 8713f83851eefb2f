import { feeHistory } from "./fee-history.ts";
import type { RpcFace } from "./face.ts";
import { hashHex, quantity } from "./hex.ts";
import { answered, method, type MethodTable, result } from "./method.ts";
import { aBlockNumber, aCount, needed, optional, somePercentiles, someBytes } from "./parameters.ts";

/** What is asked of the node, of prices, and what sends transactions. */
export function chainMethods(face: RpcFace): MethodTable {
  const { backend, index, limits } = face;
  const constant = (value: unknown) => method([], () => result(value));
  return {
    web3_clientVersion: constant(backend.clientVersion),
    net_version: constant(backend.chainId.toString()),
    net_listening: constant(true),
    net_peerCount: constant("0x0"),
    rpc_modules: constant({ eth: "1.0", net: "1.0", pipe: "1.0", rpc: "1.0", web3: "1.0" }),
    eth_chainId: constant(quantity(backend.chainId)),
    eth_accounts: constant([]),
    eth_syncing: constant(false),
    eth_blockNumber: method([], () => result(quantity(index.head.number))),
    eth_gasPrice: method([], () => result(quantity(backend.nextBlock().baseFeePerGas + backend.suggestedTip()))),
    eth_maxPriorityFeePerGas: method([], () => result(quantity(backend.suggestedTip()))),
    eth_feeHistory: method(
      [
        needed("blockCount", aCount),
        needed("newestBlock", aBlockNumber),
        optional("rewardPercentiles", somePercentiles(limits.maxPercentiles), undefined),
      ],
      ([count, newest, percentiles]) => feeHistory(face, { count, newest, percentiles }),
    ),
    eth_sendRawTransaction: method([needed("transaction", someBytes)], async ([raw]) =>
      answered(await face.send(() => backend.sendRawTransaction(raw)), hashHex),
    ),
  };
}
