import {
  BaseError,
  ContractFunctionRevertedError,
  createPublicClient,
  createWalletClient,
  defineChain,
  encodeAbiParameters,
  encodeErrorResult,
  encodeEventTopics,
  hexToBytes,
  http,
  InsufficientFundsError,
  keccak256,
  NonceTooLowError,
  parseAbi,
  parseAbiItem,
  webSocket,
} from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { expect, test } from "vitest";
import { ChainIndex } from "../../../scheduler/evm/rpc/chain-index.ts";
import { blockAfter, CHAIN_ID, FakeBackend, served } from "../../support/evm-rpc.ts";

/** An unmodified client of the field reads the chain, follows it, and understands what it is refused for. */

const account = privateKeyToAccount(`0x${"11".repeat(32)}`);
const TOKEN = `0x${"ab".repeat(20)}` as const;
const abi = parseAbi([
  "event Transfer(address indexed from, address indexed to, uint256 amount)",
  "error TooMuch(uint256 asked)",
  "function take(uint256 amount) view returns (uint256)",
]);
const transferEvent = parseAbiItem("event Transfer(address indexed from, address indexed to, uint256 amount)");

const fields = { chainId: CHAIN_ID, gas: 100_000n, maxFeePerGas: 3_000_000_000n, maxPriorityFeePerGas: 5n } as const;

async function signed(nonce: number): Promise<Uint8Array> {
  return hexToBytes(await account.signTransaction({ ...fields, nonce, to: TOKEN, value: 3n, data: "0xabcd" }));
}

function transferLog(amount: bigint) {
  const topics = encodeEventTopics({ abi, eventName: "Transfer", args: { from: account.address, to: TOKEN } });
  return {
    address: TOKEN,
    topics: topics.map((topic) => (topic as string).slice(2)),
    data: hexToBytes(encodeAbiParameters([{ type: "uint256" }], [amount])),
  };
}

async function world() {
  const genesis = blockAfter(undefined);
  const index = new ChainIndex(genesis);
  const backend = new FakeBackend(index);
  const raw = await signed(0);
  const legacy = hexToBytes(
    await account.signTransaction({
      type: "legacy",
      chainId: CHAIN_ID,
      nonce: 1,
      gas: 50_000n,
      gasPrice: 2_000_000_000n,
    }),
  );
  const block = blockAfter(genesis, {
    transactions: [
      { raw, receipt: { logs: [transferLog(1n), transferLog(2n)] } },
      { raw: legacy, receipt: { contractAddress: `0x${"dd".repeat(20)}`, logs: [transferLog(3n)], succeeded: false } },
    ],
  });
  index.append(block);
  const server = await served(index, backend);
  const chain = defineChain({
    id: CHAIN_ID,
    name: "PIPE",
    nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
    rpcUrls: { default: { http: [server.url], webSocket: [server.wsUrl] } },
  });
  const client = createPublicClient({ chain, transport: http(server.url, { retryCount: 0 }) });
  return { index, backend, server, chain, client, block, raw, legacy, [Symbol.asyncDispose]: server.close };
}

test("viem reads blocks, transactions, receipts, logs and state", async () => {
  await using it = await world();
  const { client, block, raw } = it;
  expect(await client.getChainId()).toBe(CHAIN_ID);
  expect(await client.getBlockNumber()).toBe(1n);
  const read = await client.getBlock({ includeTransactions: true });
  expect(read).toMatchObject({ number: 1n, hash: `0x${block.hash}`, parentHash: `0x${block.parentHash}` });
  expect(read.transactions.map(({ hash, nonce, type }) => ({ hash, nonce, type }))).toEqual([
    { hash: keccak256(raw), nonce: 0, type: "eip1559" },
    { hash: keccak256(it.legacy), nonce: 1, type: "legacy" },
  ]);
  expect(await client.getBlock({ blockHash: `0x${block.hash}` })).toMatchObject({ number: 1n });
  expect(await client.getBlock({ blockTag: "pending" })).toMatchObject({
    number: 2n,
    hash: null,
    baseFeePerGas: 900_000_000n,
  });
  const transaction = await client.getTransaction({ hash: keccak256(raw) });
  expect(transaction).toMatchObject({
    from: account.address.toLowerCase(),
    to: TOKEN,
    value: 3n,
    input: "0xabcd",
    chainId: CHAIN_ID,
    gas: 100_000n,
    gasPrice: 1_000_000_005n,
    transactionIndex: 0,
  });
  const receipt = await client.getTransactionReceipt({ hash: keccak256(it.legacy) });
  expect(receipt).toMatchObject({
    status: "reverted",
    type: "legacy",
    cumulativeGasUsed: 42_000n,
    effectiveGasPrice: 2_000_000_000n,
    contractAddress: `0x${"dd".repeat(20)}`,
    transactionIndex: 1,
  });
  expect(receipt.logs.map(({ logIndex }) => logIndex)).toEqual([2]);
  const logs = await client.getLogs({
    event: transferEvent,
    args: { from: account.address },
    fromBlock: 0n,
    toBlock: 1n,
  });
  expect(logs.map(({ args, logIndex }) => [args.amount, logIndex])).toEqual([
    [1n, 0],
    [2n, 1],
    [3n, 2],
  ]);
  expect(await client.getLogs({ address: account.address, fromBlock: 0n })).toEqual([]);
  expect(await client.getBalance({ address: TOKEN })).toBe(10n ** 18n);
  expect(await client.getTransactionCount({ address: TOKEN, blockTag: "pending" })).toBe(7);
  expect(await client.getTransactionCount({ address: TOKEN, blockNumber: 1n })).toBe(1);
  expect(await client.getCode({ address: TOKEN })).toBe("0x6000");
  expect(await client.getStorageAt({ address: TOKEN, slot: "0x05" })).toBe(`0x${"00".repeat(31)}05`);
  expect(await client.getGasPrice()).toBe(1_000_000_000n);
  expect(await client.estimateFeesPerGas()).toMatchObject({ maxPriorityFeePerGas: 100_000_000n });
  const history = await client.getFeeHistory({ blockCount: 4, rewardPercentiles: [10, 50, 90], blockTag: "latest" });
  expect(history).toMatchObject({
    oldestBlock: 0n,
    baseFeePerGas: [1_000_000_000n, 1_000_000_000n, 900_000_000n],
    reward: [
      [0n, 0n, 0n],
      [5n, 5n, 1_000_000_000n],
    ],
  });
});

test("viem sends a transaction, waits for its receipt, and sees it pending in between", async () => {
  await using it = await world();
  const { index, backend, client, chain, server } = it;
  const wallet = createWalletClient({ account, chain, transport: http(server.url, { retryCount: 0 }) });
  const hash = await wallet.sendTransaction({ to: TOKEN, value: 1n });
  expect(await client.getTransaction({ hash })).toMatchObject({
    blockNumber: null,
    nonce: 7,
    from: account.address.toLowerCase(),
  });
  const awaited = client.waitForTransactionReceipt({ hash, pollingInterval: 20 });
  const [raw] = backend.sent;
  backend.waits.clear();
  index.append(blockAfter(index.head, { transactions: [{ raw: raw ?? new Uint8Array() }] }));
  expect(await awaited).toMatchObject({ status: "success", blockNumber: 2n });
});

test("viem follows heads, logs and pending transactions over a WebSocket", async () => {
  await using it = await world();
  const { index, backend, chain, server } = it;
  const client = createPublicClient({ chain, transport: webSocket(server.wsUrl, { retryCount: 0 }) });
  const numbers: bigint[] = [];
  const amounts: (bigint | undefined)[] = [];
  const hashes: string[] = [];
  const stops = [
    client.watchBlocks({ onBlock: ({ number }) => numbers.push(number) }),
    client.watchEvent({ event: transferEvent, onLogs: (logs) => amounts.push(...logs.map(({ args }) => args.amount)) }),
    client.watchPendingTransactions({ onTransactions: (found) => hashes.push(...found) }),
  ];
  await expect.poll(() => backend.followers).toBeGreaterThan(0);
  expect(await client.getBlockNumber()).toBe(1n);
  await new Promise((resolve) => setTimeout(resolve, 50));
  const raw = await signed(2);
  await backend.sendRawTransaction(raw);
  index.append(blockAfter(index.head, { transactions: [{ raw, receipt: { logs: [transferLog(9n)] } }] }));
  index.append(blockAfter(index.head));
  await expect.poll(() => [numbers, amounts, hashes]).toEqual([[2n, 3n], [9n], [keccak256(raw)]]);
  for (const stop of stops) stop();
  const socket = await client.transport.getRpcClient();
  socket.close();
});

test("viem's own error classes come of what is refused", async () => {
  await using it = await world();
  const { backend, client, chain, server } = it;
  const wallet = createWalletClient({ account, chain, transport: http(server.url, { retryCount: 0 }) });
  const refusedWith = async (problem: NonNullable<FakeBackend["problem"]>): Promise<BaseError> => {
    backend.problem = problem;
    const request = { ...fields, nonce: 3, to: TOKEN, type: "eip1559" as const };
    const error = await wallet.sendTransaction(request).catch((reason: unknown) => reason);
    backend.problem = undefined;
    expect(error).toBeInstanceOf(BaseError);
    return error as BaseError;
  };
  const low = await refusedWith({ kind: "nonce-too-low", next: 5, nonce: 3 });
  expect(low.walk((each) => each instanceof NonceTooLowError)).not.toBeNull();
  const poor = await refusedWith({ kind: "insufficient-funds", balance: 1n, cost: 5n });
  expect(poor.walk((each) => each instanceof InsufficientFundsError)).not.toBeNull();
  expect(poor.details).toContain("overshot 4");

  const reading = async (data: `0x${string}`): Promise<ContractFunctionRevertedError> => {
    backend.problem = { kind: "reverted", data: hexToBytes(data) };
    const error = await client
      .readContract({ address: TOKEN, abi, functionName: "take", args: [1n] })
      .catch((reason: unknown) => reason);
    const reverted = (error as BaseError).walk((each) => each instanceof ContractFunctionRevertedError);
    expect(reverted).toBeInstanceOf(ContractFunctionRevertedError);
    return reverted as ContractFunctionRevertedError;
  };
  const custom = await reading(encodeErrorResult({ abi, errorName: "TooMuch", args: [12n] }));
  expect(custom.data).toMatchObject({ errorName: "TooMuch", args: [12n] });
  const reason = encodeErrorResult({ abi: parseAbi(["error Error(string)"]), errorName: "Error", args: ["not today"] });
  expect((await reading(reason)).reason).toBe("not today");
  await expect(client.estimateGas({ account, to: TOKEN })).rejects.toThrow(/not today/);
});
