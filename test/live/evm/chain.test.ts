import {
  createPublicClient,
  encodeFunctionData,
  getContract,
  type Hash,
  type Hex,
  parseEther,
  parseEventLogs,
  toHex,
  webSocket,
} from "viem";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type CompiledContract, exampleContract } from "../../support/solidity.ts";
import { DEPOSIT, LiveChain } from "../support/evm-devnet.ts";

/** One chain for all of this file, used as any chain is: by an unmodified viem, over HTTP and WebSocket. */
let chain: LiveChain;
const contracts = new Map<string, { readonly compiled: CompiledContract; readonly address: Hex }>();

function contract(name: string) {
  const found = contracts.get(name);
  if (found === undefined) throw new Error(`${name} is not deployed`);
  return found;
}

function call(name: string, functionName: string, args: readonly unknown[]) {
  const { compiled, address } = contract(name);
  return { to: address, data: encodeFunctionData({ abi: compiled.abi, functionName, args } as never) };
}

function floats(count: number, seed: number): Hex {
  return toHex(new Uint8Array(Float32Array.from({ length: count }, (_, index) => Math.sin(seed + index)).buffer));
}

function logsOf(name: string, receipt: { readonly logs: readonly unknown[] }) {
  return parseEventLogs({ abi: contract(name).compiled.abi as never, logs: receipt.logs as never }) as unknown as {
    readonly eventName: string;
    readonly args: Readonly<Record<string, unknown>>;
  }[];
}

beforeAll(async () => {
  chain = await LiveChain.start();
  const deployed = ["TwoStep", "BatchOfTen", "RiskRebalancer"].map(async (name, index) => {
    const compiled = exampleContract(name);
    const value = name === "RiskRebalancer" ? parseEther("10") : 0n;
    contracts.set(name, { compiled, address: await chain.deploy(chain.user(index), compiled, value) });
  });
  await Promise.all([...deployed, ...[3, 4].map((index) => chain.deposit(chain.user(index), parseEther("2")))]);
  await Promise.all([0, 1, 2].map((index) => chain.deposit(chain.user(index), parseEther("2"))));
}, 120_000);

afterAll(() => chain?.close());

test("a question about an answer resolves within one transaction", async () => {
  const user = chain.user(0);
  const hash = await chain.send(user, call("TwoStep", "run", [floats(64, 1)]));
  const receipt = await chain.receipt(hash);
  expect(receipt).toMatchObject({ status: "success", from: user.address, to: contract("TwoStep").address });
  const [answered] = logsOf("TwoStep", receipt);
  const { address, compiled } = contract("TwoStep");
  const twoStep = getContract({ address, abi: compiled.abi as never, client: chain.reader }) as unknown as {
    read: Record<string, () => Promise<Hex>>;
  };
  expect(answered?.args).toEqual({ first: await twoStep.read["first"]?.(), second: await twoStep.read["second"]?.() });
  const proof = await chain.known("pipe_receipt", hash);
  expect(proof.blockNumber).toBe(Number(receipt.blockNumber));
  expect(proof.receipts.map(({ receipt: { txHash, callIndex, mode } }) => [txHash, callIndex, mode])).toEqual([
    [hash.slice(2), 0, "vanilla"],
    [hash.slice(2), 1, "vanilla"],
  ]);
  const outputs = proof.receipts.map(({ receipt: { output } }) => toHex(Buffer.from(output, "base64")));
  expect(outputs).toEqual([answered?.args["first"], answered?.args["second"]]);
  await chain.until("it is final", async () => (await chain.known("pipe_receipt", hash)).final === true);
  expect(await chain.rpc("pipe_status", hash)).toMatchObject({
    kind: "inference",
    state: "committed",
    blockNumber: Number(receipt.blockNumber),
  });
});

test("money moves only on a proved score, in the transaction that the enclave's score began", async () => {
  const user = chain.user(2);
  const market = (seed: number) =>
    Array.from({ length: 16 }, (_, i) => BigInt(Math.round(Math.sin(seed * 7 + i) * 1e6)));
  const position = (seed: number) => toHex(Uint8Array.from({ length: 8 }, (_, i) => (seed * 53 + i * 31) % 256));
  const hashes: Hash[] = [];
  for (let seed = 0; seed < 10; seed++)
    hashes.push(await chain.send(user, call("RiskRebalancer", "rebalance", [market(seed), position(seed)])));
  let moved = 0;
  for (const hash of hashes) {
    const receipt = await chain.receipt(hash);
    expect(receipt.status).toBe("success");
    const names = logsOf("RiskRebalancer", receipt).map(({ eventName }) => eventName);
    const proof = await chain.known("pipe_receipt", hash);
    const modes = proof.receipts.map(({ receipt: { mode } }) => mode);
    expect(modes[0]).toBe("tee");
    if (!names.includes("Moved")) continue;
    expect(modes).toEqual(["tee", "zkml"]);
    moved++;
  }
  expect(moved).toBeGreaterThan(0);
});

test("ten questions are in one block, and transfers beside", async () => {
  const cases = Array.from({ length: 10 }, (_, index) => floats(16, index));
  const [hash, ...transfers] = await Promise.all([
    chain.send(chain.user(1), call("BatchOfTen", "run", [cases])),
    ...[3, 4, 5].map((index) => chain.send(chain.user(index), { to: chain.user(0).address, value: 5n, gas: 21_000n })),
  ]);
  const receipts = await Promise.all(transfers.map((transfer) => chain.receipt(transfer)));
  expect(receipts.map(({ status, gasUsed }) => [status, gasUsed])).toEqual(Array(3).fill(["success", 21_000n]));
  const receipt = await chain.receipt(hash);
  expect(receipt.status).toBe("success");
  const block = await chain.known("pipe_block", toHex(receipt.blockNumber));
  const own = block.inference.receipts.filter(({ receipt: { txHash } }) => txHash === hash.slice(2));
  expect(own).toHaveLength(10);
  expect(block.inference.header.transactions).toContain(hash.slice(2));
  const header = await chain.reader.getBlock({ blockNumber: receipt.blockNumber });
  expect(header.extraData).toBe(`0x${block.inference.header.receiptsRoot}`);
  expect(header.transactions).toContain(hash);
});

test("calls and estimates go on without a model, and say which questions are open", async () => {
  const { to, data } = call("TwoStep", "run", [floats(64, 9)]);
  const { address } = chain.user(0);
  expect((await chain.reader.call({ account: address, to, data })).data).toBeUndefined();
  const gas = await chain.reader.estimateGas({ account: address, to, data });
  const tried = await chain.known("pipe_call", { from: address, to, data });
  expect(tried.pendingCalls).toHaveLength(2);
  const hash = await chain.send(chain.user(0), { to, data, gas });
  expect(await chain.rpc("pipe_status", hash)).toMatchObject({ hash, kind: "inference" });
  const estimate = await chain.known("pipe_estimate", hash);
  for (const { probability } of estimate) expect(probability).toBeGreaterThanOrEqual(0);
  expect((await chain.receipt(hash)).status).toBe("success");
});

test("logs, blocks and subscriptions tell the same", async () => {
  const client = createPublicClient({
    transport: webSocket(chain.server.wsUrl, { keepAlive: false, reconnect: false, timeout: 60_000 }),
  });
  const seen: { readonly number: bigint; readonly hash: Hash; readonly parentHash: Hash }[] = [];
  const events: unknown[] = [];
  const errors: unknown[] = [];
  const unwatch = client.watchBlocks({
    onBlock: (block) => void seen.push(block),
    onError: (error) => void errors.push(error),
    emitOnBegin: false,
  });
  const { address } = contract("TwoStep");
  const unwatchLogs = client.watchEvent({ address, onLogs: (logs) => void events.push(...logs) });
  await chain.until("blocks are told", () => seen.length > 1);
  const hash = await chain.send(chain.user(0), call("TwoStep", "run", [floats(64, 3)]));
  const receipt = await chain.receipt(hash);
  await chain.until("the log is told", () => events.length > 0);
  await chain.until("its block is told", () => (seen.at(-1)?.number ?? 0n) >= receipt.blockNumber);
  unwatch();
  unwatchLogs();
  expect(errors).toEqual([]);
  for (const [place, { parentHash }] of seen.entries()) if (place > 0) expect(parentHash).toBe(seen[place - 1]?.hash);
  const logs = await chain.reader.getLogs({ address, fromBlock: 1n, toBlock: "latest" });
  expect(logs.at(-1)).toMatchObject({ transactionHash: hash, blockHash: receipt.blockHash });
  expect(logs.length).toBeGreaterThanOrEqual(3);
  const deposits = await chain.reader.getLogs({ address: DEPOSIT, fromBlock: 1n });
  expect(deposits).toHaveLength(5);
  (await client.transport.getRpcClient()).close();
});

test("a validator agrees with every block, and finds an output that was changed", async () => {
  await chain.devnet.producer.stop();
  const { blocks } = chain;
  expect(await chain.check()).toMatchObject({ blocks: blocks.length, findings: [] });
  const { balanced, paidGwei, heldGwei } = await chain.ledger();
  expect(balanced).toBe(true);
  expect(paidGwei).toBeGreaterThan(0);
  expect(heldGwei).toBeGreaterThanOrEqual(0);
  const place = blocks.findIndex(({ inference }) => inference.receipts.length > 0);
  const [block] = blocks.slice(place);
  if (block === undefined) throw new Error("no block has a result");
  const [first, ...others] = block.inference.receipts;
  if (first === undefined) throw new Error("no receipt");
  const output = Buffer.from(first.receipt.output, "base64");
  output[0] = (output[0] ?? 0) ^ 1;
  const receipts = [{ ...first, receipt: { ...first.receipt, output: output.toString("base64") } }, ...others];
  const changed = { ...block, inference: { ...block.inference, receipts } };
  const { findings } = await chain.check([...blocks.slice(0, place), changed]);
  const faults = findings.map((finding) => finding.split(": ")[1]);
  // The proof is of another output; and what follows from it is another state, or another question.
  expect(faults).toContain("content");
  expect(faults.some((fault) => fault === "state-root" || fault === "call-without-result")).toBe(true);
});
