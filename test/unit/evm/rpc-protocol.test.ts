import fc from "fast-check";
import { expect, test } from "vitest";
import { ChainIndex } from "../../../scheduler/evm/rpc/chain-index.ts";
import { revertReason } from "../../../scheduler/evm/rpc/revert-reason.ts";
import { type EvmProblem, rpcErrorOf } from "../../../scheduler/evm/rpc/problems.ts";
import type { RpcServerOptions } from "../../../scheduler/evm/rpc/server.ts";
import { ask, blockAfter, FakeBackend, rpc, served } from "../../support/evm-rpc.ts";

async function world(options: Partial<RpcServerOptions> = {}, keptBlocks = 100) {
  const index = new ChainIndex(blockAfter(undefined), { keptBlocks });
  const backend = new FakeBackend(index);
  const faults: unknown[] = [];
  const server = await served(index, backend, { onFault: (error) => faults.push(error), ...options });
  return { index, backend, faults, ...server };
}

const ADDRESS = `0x${"ab".repeat(20)}`;
const HASH = `0x${"cd".repeat(32)}`;
const chainId = (id: unknown) => ({ jsonrpc: "2.0", id, method: "eth_chainId" });

test("requests, notifications and batches are answered as JSON-RPC 2.0 has it", async () => {
  await using it = await world();
  expect(await ask(it.url, chainId("a"))).toEqual({ jsonrpc: "2.0", id: "a", result: "0x1ca3" });
  expect(await ask(it.url, chainId(null))).toEqual({ jsonrpc: "2.0", id: null, result: "0x1ca3" });
  expect(await ask(it.url, chainId(undefined))).toBeUndefined();
  expect(await ask(it.url, [chainId(undefined)])).toBeUndefined();
  expect(await ask(it.url, [chainId(1), chainId(undefined), 5, chainId(2)])).toEqual([
    { jsonrpc: "2.0", id: 1, result: "0x1ca3" },
    { jsonrpc: "2.0", id: null, error: expect.objectContaining({ code: -32600 }) },
    { jsonrpc: "2.0", id: 2, result: "0x1ca3" },
  ]);
  const error = (code: number) => ({ jsonrpc: "2.0", id: null, error: expect.objectContaining({ code }) });
  expect(await ask(it.url, "{nonsense")).toEqual(error(-32700));
  expect(await ask(it.url, "[".repeat(100_000))).toEqual(error(-32700));
  expect(await ask(it.url, "")).toEqual(error(-32700));
  expect(await ask(it.url, [])).toEqual(error(-32600));
  expect(
    await ask(
      it.url,
      Array.from({ length: 101 }, () => chainId(1)),
    ),
  ).toEqual(error(-32600));
  expect(await ask(it.url, { ...chainId({}) })).toEqual(error(-32600));
  expect(await ask(it.url, { jsonrpc: "1.0", id: 3, method: "eth_chainId" })).toEqual({ ...error(-32600), id: 3 });
  expect(await ask(it.url, { ...chainId(3), params: { a: 1 } })).toEqual({ ...error(-32602), id: 3 });
  expect(await rpc(it.url, "eth_nothing")).toMatchObject({
    code: -32601,
    message: "the method eth_nothing does not exist/is not available",
  });
  for (const name of ["__proto__", "constructor", "toString"])
    expect(await rpc(it.url, name)).toMatchObject({ code: -32601 });
  expect(await rpc(it.url, "eth_sendTransaction", {})).toMatchObject({
    code: -32601,
    data: { advice: expect.stringContaining("eth_sendRawTransaction") },
  });
});

test("a parameter that cannot be read is named, with what was expected of it", async () => {
  await using it = await world();
  const cases: readonly (readonly [method: string, params: readonly unknown[], message: string])[] = [
    ["eth_getBalance", [], "missing value for required argument 0 (address)"],
    [
      "eth_getBalance",
      ["0x12"],
      'invalid argument 0 (address): expected an address: 0x and 40 hexadecimal digits, got "0x12"',
    ],
    [
      "eth_getBalance",
      [ADDRESS, "newest"],
      'invalid argument 1 (block): expected a block number (0x…) or latest, earliest, pending, safe or finalized, got "newest"',
    ],
    ["eth_getBalance", [ADDRESS, "0x01"], "invalid argument 1 (block)"],
    ["eth_getBalance", [ADDRESS, 5], "got 5"],
    ["eth_getBalance", [ADDRESS, { blockNumber: "0x0", blockHash: HASH }], "either blockNumber or blockHash"],
    ["eth_getBalance", [ADDRESS, "latest", 1], "too many arguments, want at most 2"],
    ["eth_getStorageAt", [ADDRESS, "0x", "latest"], "invalid argument 1 (slot)"],
    ["eth_getTransactionByHash", ["0x1"], "expected a hash: 0x and 64 hexadecimal digits"],
    ["eth_sendRawTransaction", ["0xabc"], "expected bytes: 0x and an even number of hexadecimal digits"],
    ["eth_sendRawTransaction", ["0xab"], "invalid argument 0 (transaction): expected RLP"],
    ["eth_call", [{ to: "x" }], "expected to to be an address"],
    ["eth_call", [{ data: "0x00", input: "0x01" }], "data and input to be the same"],
    ["eth_call", [{ gasPrice: "0x1", maxFeePerGas: "0x1" }], "either gasPrice, or maxFeePerGas"],
    [
      "eth_call",
      [{ maxFeePerGas: "0x1", maxPriorityFeePerGas: "0x2" }],
      "maxPriorityFeePerGas to be at most maxFeePerGas",
    ],
    ["eth_call", [{ chainId: "0x1" }], "chainId to be 0x1ca3"],
    ["eth_call", [{ blobVersionedHashes: [] }], "without blobVersionedHashes"],
    ["eth_call", [{}, "latest", { [ADDRESS]: {} }], "overrides are not supported"],
    ["eth_getLogs", [{ address: [ADDRESS, 1] }], "address to be an address"],
    ["eth_getLogs", [{ topics: [1, 2, 3, 4, 5] }], "topics to be at most 4"],
    ["eth_getLogs", [{ blockHash: HASH, fromBlock: "0x0" }], "either blockHash, or fromBlock and toBlock"],
    ["eth_getLogs", [{ fromBlock: "0x5", toBlock: "0x4" }], "fromBlock is after toBlock"],
    ["eth_newFilter", [{ blockHash: HASH }], "expected a range"],
    ["eth_feeHistory", ["0x1", "latest", [50, 10]], "in rising order"],
    ["eth_feeHistory", [-1, "latest"], "invalid argument 0 (blockCount)"],
    ["eth_getBlockByNumber", ["latest", "yes"], 'expected true or false, got "yes"'],
  ];
  for (const [method, params, message] of cases) {
    const answer = await rpc(it.url, method, ...params);
    expect(answer, `${method} ${JSON.stringify(params)}`).toMatchObject({
      code: -32602,
      message: expect.stringContaining(message),
    });
  }
});

test("tags and numbers lead to the blocks that they mean, and blocks that are no more kept are told from those that never were", async () => {
  await using it = await world({}, 4);
  const { index, url } = it;
  for (let i = 0; i < 9; i++) index.append(blockAfter(index.head));
  index.finalize(7);
  const numberOf = async (tag: string): Promise<unknown> => {
    const block = await rpc(url, "eth_getBlockByNumber", tag);
    return block === null ? null : ((block as { number?: string }).number ?? block);
  };
  expect(await numberOf("latest")).toBe("0x9");
  expect(await numberOf("earliest")).toBe("0x6");
  expect(await numberOf("safe")).toBe("0x7");
  expect(await numberOf("finalized")).toBe("0x7");
  expect(await numberOf("pending")).toBe("0xa");
  expect(await numberOf("0x8")).toBe("0x8");
  expect(await numberOf("0xa")).toBeNull();
  expect(await numberOf("0x5")).toMatchObject({ code: 4444, message: "pruned history unavailable" });
  expect(await rpc(url, "eth_getBalance", ADDRESS, "0x5")).toMatchObject({ code: 4444 });
  expect(await rpc(url, "eth_getBalance", ADDRESS, "0xa")).toMatchObject({ code: -32000, message: "header not found" });
  expect(await rpc(url, "eth_getTransactionCount", ADDRESS, { blockHash: `0x${index.head.hash}` })).toBe("0x9");
  expect(await rpc(url, "eth_getBlockReceipts", "latest")).toEqual([]);
  expect(await rpc(url, "eth_getLogs", { fromBlock: "earliest", toBlock: "0xffff" })).toEqual([]);
  expect(await rpc(url, "eth_getLogs", { fromBlock: "0x0" })).toMatchObject({ code: 4444 });
  expect(await rpc(url, "eth_feeHistory", "0x400", "latest")).toMatchObject({
    oldestBlock: "0x6",
    gasUsedRatio: [0, 0, 0, 0],
  });
  expect(await rpc(url, "eth_feeHistory", 0, "latest")).toEqual({
    oldestBlock: "0x0",
    baseFeePerGas: [],
    gasUsedRatio: [],
  });
  expect(await rpc(url, "pipe_block", "latest")).toEqual({
    blockNumber: 9,
    blockHash: `0x${index.head.hash}`,
    final: false,
    inference: null,
  });
});

test("a fault of our own is an internal error that says nothing of it, and is told to the operator", async () => {
  await using it = await world();
  it.backend.fault = new Error("secret of the house");
  for (const [method, ...params] of [
    ["eth_getBalance", ADDRESS],
    ["eth_sendRawTransaction", "0x00"],
    ["pipe_status", HASH],
  ] as const) {
    const answer = await rpc(it.url, method, ...params);
    expect(answer).toMatchObject({ code: -32603, message: "internal error" });
    expect(JSON.stringify(answer)).not.toContain("secret");
  }
  expect(it.faults).toEqual(Array(3).fill(it.backend.fault));
});

test("calls have a time, and no more of them at a time than a number", async () => {
  const limits = { callTimeoutMs: 50, maxChainRequests: 2 };
  await using it = await world({ limits });
  const stuck = Promise.withResolvers<void>();
  it.backend.delay = stuck.promise;
  const three = await Promise.all([1, 2, 3].map(() => rpc(it.url, "eth_call", { to: ADDRESS })));
  expect(three).toContainEqual(expect.objectContaining({ code: -32005 }));
  expect(three).toContainEqual(expect.objectContaining({ message: "execution aborted (timeout = 0.05s)" }));
  // What goes on behind an answer that came too late still counts.
  expect(await rpc(it.url, "eth_call", { to: ADDRESS })).toMatchObject({ code: -32005 });
  expect(await rpc(it.url, "eth_blockNumber")).toBe("0x0");
  stuck.resolve();
  await expect.poll(() => rpc(it.url, "eth_call", { to: ADDRESS })).toBe("0x");
});

test("an answer that is too large is refused, and in a batch only what has no room", async () => {
  await using it = await world({ limits: { maxResponseCharacters: 2_000 } });
  it.backend.output = new Uint8Array(900);
  const call = (id: number) => ({ jsonrpc: "2.0", id, method: "eth_call", params: [{ to: ADDRESS }] });
  expect(await ask(it.url, call(1))).toMatchObject({ result: expect.stringMatching(/^0x0+$/) });
  expect(await ask(it.url, [call(1), call(2)])).toMatchObject([
    { id: 1, result: expect.anything() },
    { id: 2, error: { code: -32003, message: "response too large" } },
  ]);
});

test("pipe_call names the questions that were not answered", async () => {
  await using it = await world();
  expect(await rpc(it.url, "pipe_call", { to: ADDRESS })).toEqual({
    output: "0x",
    gasUsed: "0x7530",
    pendingCalls: [{ model: "risk-small", mode: "vanilla", inputBytes: 64, maxOutputBytes: 4, maxFeeGwei: 100 }],
  });
  expect(it.backend.calls).toMatchObject([{ at: { kind: "block", number: 0, stateRoot: it.index.head.stateRoot } }]);
});

test("every problem has a code, go-ethereum's words where it has some, and advice", () => {
  const problems: readonly (readonly [EvmProblem, number, RegExp])[] = [
    [{ kind: "malformed", message: "expected RLP" }, -32602, /^invalid argument 0/],
    [{ kind: "oversized", size: 2, limit: 1 }, -32000, /^oversized data/],
    [{ kind: "type-not-supported", type: 3 }, -32000, /^transaction type not valid/],
    [{ kind: "wrong-chain", have: 1n, want: 2n }, -32000, /invalid chain id for signer: have 1 want 2$/],
    [{ kind: "unprotected" }, -32000, /^only replay-protected/],
    [{ kind: "bad-signature" }, -32000, /^invalid sender/],
    [{ kind: "already-known" }, -32000, /^already known$/],
    [{ kind: "nonce-too-low", next: 2, nonce: 1 }, -32000, /^nonce too low: next nonce 2, tx nonce 1$/],
    [{ kind: "nonce-too-high", next: 2, nonce: 9 }, -32000, /^nonce too high/],
    [{ kind: "replacement-underpriced" }, -32000, /^replacement transaction underpriced$/],
    [{ kind: "underpriced", offered: 1n, minimum: 2n }, -32000, /^transaction underpriced/],
    [
      { kind: "fee-below-base-fee", maxFeePerGas: 1n, baseFeePerGas: 2n },
      -32000,
      /^max fee per gas less than block base fee/,
    ],
    [{ kind: "tip-above-fee-cap" }, -32000, /^max priority fee per gas higher than max fee per gas$/],
    [
      { kind: "insufficient-funds", balance: 1n, cost: 3n },
      -32000,
      /^insufficient funds for gas \* price \+ value: .*overshot 2$/,
    ],
    [{ kind: "intrinsic-gas-too-low", gas: 1n, minimum: 2n }, -32000, /^intrinsic gas too low/],
    [{ kind: "beyond-block-gas", gas: 2n, limit: 1n }, -32000, /^exceeds block gas limit/],
    [{ kind: "init-code-too-large", size: 2, limit: 1 }, -32000, /^max initcode size exceeded/],
    [{ kind: "pool-full" }, -32000, /^txpool is full$/],
    [{ kind: "sender-limit", limit: 1 }, -32000, /^account limit exceeded/],
    [{ kind: "refused", reason: "infeasible", message: "too slow", advice: "wait" }, -32003, /^too slow$/],
    [{ kind: "failed", message: "out of gas" }, -32000, /^out of gas$/],
    [{ kind: "gas-exceeds-allowance", allowance: 5n }, -32000, /^gas required exceeds allowance \(5\)$/],
    [{ kind: "state-unavailable" }, -32000, /^historical state/],
    [{ kind: "timeout", limitMs: 5000 }, -32000, /timeout = 5s/],
    [{ kind: "overloaded" }, -32005, /^limit exceeded/],
    [{ kind: "closed" }, -32002, /closing/],
  ];
  for (const [problem, code, message] of problems) {
    const error = rpcErrorOf(problem);
    expect(error).toMatchObject({ code, data: { kind: problem.kind } });
    expect(error.message).toMatch(message);
    expect((error.data as { advice: string }).advice).toMatch(/\w/);
  }
  expect(rpcErrorOf({ kind: "reverted", data: new Uint8Array([1, 2]) })).toEqual({
    code: 3,
    message: "execution reverted",
    data: "0x0102",
  });
  const panic = Buffer.from(`4e487b71${"11".padStart(64, "0")}`, "hex");
  expect(rpcErrorOf({ kind: "reverted", data: panic }).message).toBe(
    "execution reverted: arithmetic underflow or overflow",
  );
});

test("the reason of a revert is read from any bytes without harm", () => {
  fc.assert(
    fc.property(fc.constantFrom("08c379a0", "4e487b71"), fc.uint8Array({ maxLength: 200 }), (selector, rest) => {
      const reason = revertReason(Buffer.concat([Buffer.from(selector, "hex"), rest]));
      expect(reason === undefined || reason.length <= 1_025).toBe(true);
    }),
  );
  const long = Buffer.alloc(4 + 64 + 100_000);
  long.write("08c379a0", "hex");
  long[35] = 32;
  long.writeUInt32BE(100_000, 64);
  expect(revertReason(long)).toHaveLength(1_025);
});

const METHODS =
  "web3_clientVersion net_version eth_chainId eth_blockNumber eth_syncing eth_gasPrice eth_feeHistory eth_getBalance eth_getTransactionCount " +
  "eth_getCode eth_getStorageAt eth_call eth_estimateGas eth_sendRawTransaction eth_getTransactionByHash eth_getBlockByNumber " +
  "eth_getTransactionByBlockNumberAndIndex eth_getTransactionReceipt eth_getBlockReceipts eth_getLogs eth_newFilter eth_getFilterChanges " +
  "eth_getFilterLogs eth_subscribe eth_unsubscribe pipe_status pipe_estimate pipe_receipt pipe_block pipe_call";

test("whatever JSON comes, an answer or an error of JSON-RPC goes out", { timeout: 60_000 }, async () => {
  await using it = await world();
  const likely = fc.oneof(
    fc.constantFrom<unknown>(
      "latest",
      "pending",
      "0x0",
      "0x1",
      ADDRESS,
      HASH,
      "0x",
      {},
      [],
      null,
      true,
      1,
      "newHeads",
      "logs",
    ),
    fc.record(
      {
        address: fc.constantFrom<unknown>(ADDRESS, [ADDRESS], 1),
        topics: fc.jsonValue(),
        fromBlock: fc.constantFrom("earliest", "0x0", "x"),
      },
      { requiredKeys: [] },
    ),
    fc.record(
      {
        to: fc.constantFrom<unknown>(ADDRESS, null, 3),
        data: fc.constantFrom("0x", "0xab", "q"),
        value: fc.jsonValue(),
        accessList: fc.jsonValue(),
      },
      { requiredKeys: [] },
    ),
    fc.jsonValue(),
  );
  const request = fc.record(
    {
      jsonrpc: fc.oneof({ weight: 9, arbitrary: fc.constant<unknown>("2.0") }, fc.jsonValue()),
      id: fc.oneof({ weight: 9, arbitrary: fc.constant<unknown>(1) }, fc.jsonValue()),
      method: fc.oneof({ weight: 9, arbitrary: fc.constantFrom<unknown>(...METHODS.split(" ")) }, fc.jsonValue()),
      params: fc.oneof({ weight: 9, arbitrary: fc.array(likely, { maxLength: 4 }) }, fc.jsonValue()),
    },
    { requiredKeys: ["jsonrpc", "method"] },
  );
  const bodies = fc.oneof(
    { weight: 4, arbitrary: request.map((one) => JSON.stringify(one)) },
    fc.array(request, { maxLength: 5 }).map((batch) => JSON.stringify(batch)),
    fc.json(),
    fc.string({ maxLength: 50 }),
  );
  const isAnswer = (answer: unknown): boolean => {
    const { jsonrpc, error, ...rest } = answer as { jsonrpc: unknown; error?: { code: unknown; message: unknown } };
    if (jsonrpc !== "2.0" || !("id" in rest)) return false;
    if (error === undefined) return "result" in rest;
    return (
      Number.isInteger(error.code) &&
      typeof error.message === "string" &&
      !/\n\s+at /.test(error.message) &&
      error.code !== -32603
    );
  };
  await fc.assert(
    fc.asyncProperty(bodies, async (body) => {
      const response = await fetch(it.url, { method: "POST", headers: { "content-type": "application/json" }, body });
      if (response.status === 204) return;
      expect(response.status).toBe(200);
      const answer: unknown = await response.json();
      for (const each of Array.isArray(answer) ? answer : [answer])
        expect(isAnswer(each), JSON.stringify(each)).toBe(true);
    }),
    { numRuns: 1_500 },
  );
  expect(it.faults).toEqual([]);
});
