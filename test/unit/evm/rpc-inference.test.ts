import { hexToBytes } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { expect, test } from "vitest";
import type { BlockRecord } from "../../../scheduler/index.ts";
import { ChainIndex } from "../../../scheduler/evm/rpc/chain-index.ts";
import { blockAfter, CHAIN_ID, FakeBackend, rpc, served, waiting } from "../../support/evm-rpc.ts";

const account = privateKeyToAccount(`0x${"33".repeat(32)}`);
const fields = { chainId: CHAIN_ID, gas: 90_000n, to: `0x${"ab".repeat(20)}` } as const;
const fees = { maxFeePerGas: 2_000_000_000n, maxPriorityFeePerGas: 1n } as const;

test("of a transaction, how it is; of a block, what proves its results", async () => {
  const index = new ChainIndex(blockAfter(undefined));
  const backend = new FakeBackend(index);
  await using server = await served(index, backend);
  const raw = hexToBytes(await account.signTransaction({ ...fields, ...fees, nonce: 0 }));
  const other = hexToBytes(await account.signTransaction({ ...fields, ...fees, nonce: 1 }));
  const { hash } = waiting(raw);
  const asked = `0x${hash}`;
  for (const method of ["pipe_status", "pipe_estimate", "pipe_receipt"]) {
    expect(await rpc(server.url, method, asked)).toBeNull();
  }
  await backend.sendRawTransaction(raw);
  expect(await rpc(server.url, "pipe_status", asked)).toEqual({
    hash: asked,
    kind: "inference",
    state: "racing",
    lane: "fast",
    expiryBlock: 40,
    calls: [{ index: 0, model: "risk-small", mode: "vanilla" }],
  });
  expect(await rpc(server.url, "pipe_estimate", asked)).toEqual([
    { blockNumber: 2, sealAtMs: 1_700_000_002_000, probability: 0.75 },
  ]);
  // The face looks at whose receipts they are only.
  const receipts = [{ receipt: { txHash: hash, callIndex: 0 } }, { receipt: { txHash: "other" } }];
  const inference = { block: "b", signature: "s", header: { height: 1 }, receipts } as unknown as BlockRecord;
  const block = blockAfter(index.head, { transactions: [{ raw }, { raw: other }], inference });
  index.append(block);
  const place = { blockNumber: 1, blockHash: `0x${block.hash}`, final: false };
  expect(await rpc(server.url, "pipe_receipt", asked)).toEqual({
    transactionHash: asked,
    ...place,
    receipts: [receipts[0]],
  });
  const ordinary = `0x${waiting(other).hash}`;
  expect(await rpc(server.url, "pipe_receipt", ordinary)).toEqual({
    transactionHash: ordinary,
    ...place,
    receipts: [],
  });
  index.finalize(1);
  expect(await rpc(server.url, "pipe_block", "0x1")).toEqual({ ...place, final: true, inference });
  expect(await rpc(server.url, "pipe_block", "pending")).toBeNull();
});

test("transactions of every type are shown with what their type has", async () => {
  const index = new ChainIndex(blockAfter(undefined));
  const backend = new FakeBackend(index);
  await using server = await served(index, backend);
  const accessList = [{ address: `0x${"0f".repeat(20)}`, storageKeys: [`0x${"01".repeat(32)}`] }] as const;
  const gasPrice = 2_000_000_000n;
  const authorization = await account.signAuthorization({ chainId: CHAIN_ID, contractAddress: fields.to, nonce: 0 });
  const signed = [
    await account.signTransaction({ ...fields, type: "legacy", gasPrice, nonce: 0 }),
    await account.signTransaction({ ...fields, type: "eip2930", gasPrice, accessList, nonce: 1 }),
    await account.signTransaction({ ...fields, ...fees, type: "eip1559", accessList, nonce: 2 }),
    await account.signTransaction({
      ...fields,
      ...fees,
      type: "eip7702",
      authorizationList: [authorization],
      nonce: 3,
    }),
  ];
  index.append(blockAfter(index.head, { transactions: signed.map((raw) => ({ raw: hexToBytes(raw) })) }));
  const shown = (await rpc(server.url, "eth_getBlockByNumber", "latest", true)) as { transactions: unknown[] };
  const chainId = "0x1ca3";
  expect(shown.transactions).toMatchObject([
    { type: "0x0", chainId, gasPrice: "0x77359400", v: expect.stringMatching(/^0x396[9a]$/) },
    { type: "0x1", chainId, gasPrice: "0x77359400", accessList, yParity: expect.stringMatching(/^0x[01]$/) },
    { type: "0x2", chainId, gasPrice: "0x3b9aca01", maxFeePerGas: "0x77359400", accessList },
    {
      type: "0x4",
      authorizationList: [{ chainId, address: fields.to, nonce: "0x0", r: authorization.r, s: authorization.s }],
    },
  ]);
  expect(Object.keys(shown.transactions[0] as object)).not.toContain("accessList");
  expect(await rpc(server.url, "eth_getRawTransactionByHash", `0x${index.head.transactions[3]?.hash}`)).toBe(signed[3]);
  const unbound = await account.signTransaction({ to: fields.to, type: "legacy", gasPrice, gas: 21_000n, nonce: 4 });
  expect(waiting(hexToBytes(unbound)).chainId).toBeUndefined();
});
