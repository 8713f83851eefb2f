import { connect, type Socket } from "node:net";
import { expect, test } from "vitest";
import { WebSocket } from "ws";
import { ChainIndex } from "../../../scheduler/evm/rpc/chain-index.ts";
import { Filters } from "../../../scheduler/evm/rpc/filters.ts";
import type { IndexedBlock } from "../../../scheduler/evm/rpc/indexed.ts";
import { DEFAULT_RPC_LIMITS } from "../../../scheduler/evm/rpc/limits.ts";
import type { MethodResult } from "../../../scheduler/evm/rpc/method.ts";
import type { RpcServerOptions } from "../../../scheduler/evm/rpc/server.ts";
import { blockAfter, FakeBackend, rpc, served } from "../../support/evm-rpc.ts";
import { privateKeyToAccount } from "viem/accounts";
import { hexToBytes } from "viem";

/** Filters and subscriptions: what clients are told of the chain as it goes on, and back. */

const account = privateKeyToAccount(`0x${"22".repeat(32)}`);
const TOKEN = `0x${"ab".repeat(20)}` as const;
const TOPIC = "77".repeat(32);

async function signed(nonce: number): Promise<Uint8Array> {
  return hexToBytes(
    await account.signTransaction({ chainId: 7331, nonce, to: TOKEN, gas: 21_000n, maxFeePerGas: 2_000_000_000n }),
  );
}

/** A block with one log. */
async function blockWithLog(parent: IndexedBlock, extra = "00"): Promise<IndexedBlock> {
  const logs = [{ address: TOKEN, topics: [TOPIC], data: new Uint8Array([parent.number]) }];
  return blockAfter(parent, { extra, transactions: [{ raw: await signed(parent.number), receipt: { logs } }] });
}

async function world(options: Partial<RpcServerOptions> = {}) {
  const index = new ChainIndex(blockAfter(undefined));
  const backend = new FakeBackend(index);
  const server = await served(index, backend, options);
  return { index, backend, ...server };
}

interface Told {
  readonly subscription: string;
  readonly result: Readonly<Record<string, unknown>>;
}

/** A client that keeps everything that it is sent. */
class Client {
  readonly told: Told[] = [];
  readonly answers = new Map<unknown, { readonly result?: unknown; readonly error?: { readonly code: number } }>();
  readonly socket: WebSocket;
  closeCode: number | undefined;
  #ids = 0;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on("message", (data) => {
      const message = JSON.parse(String(data));
      if (message.method === "eth_subscription") this.told.push(message.params);
      else this.answers.set(message.id, message);
    });
    socket.on("close", (code) => {
      this.closeCode = code;
    });
    socket.on("error", () => undefined);
  }

  static async open(url: string): Promise<Client> {
    const client = new Client(new WebSocket(url));
    await new Promise((resolve) => client.socket.once("open", resolve));
    return client;
  }

  async ask(method: string, ...params: unknown[]): Promise<unknown> {
    const id = ++this.#ids;
    this.socket.send(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
    await expect.poll(() => this.answers.has(id)).toBe(true);
    const answer = this.answers.get(id);
    return answer?.error ?? answer?.result;
  }

  [Symbol.dispose](): void {
    this.socket.terminate();
  }
}

test("filters tell of blocks, logs and pending transactions what is new since they were asked, and of a reorg what is gone", async () => {
  await using it = await world();
  const { index, backend, url } = it;
  const heads = await rpc(url, "eth_newBlockFilter");
  const logs = await rpc(url, "eth_newFilter", { address: TOKEN, topics: [`0x${TOPIC}`] });
  const late = await rpc(url, "eth_newFilter", { fromBlock: "0x2" });
  const pending = await rpc(url, "eth_newPendingTransactionFilter");
  const one = await blockWithLog(index.head);
  await backend.sendRawTransaction(await signed(0));
  index.append(one);
  expect(await rpc(url, "eth_getFilterChanges", heads)).toEqual([`0x${one.hash}`]);
  expect(await rpc(url, "eth_getFilterChanges", heads)).toEqual([]);
  expect(await rpc(url, "eth_getFilterChanges", logs)).toMatchObject([
    { blockNumber: "0x1", data: "0x00", removed: false },
  ]);
  expect(await rpc(url, "eth_getFilterChanges", late)).toEqual([]);
  expect(await rpc(url, "eth_getFilterChanges", pending)).toEqual([`0x${one.transactions[0]?.hash}`]);
  expect(await rpc(url, "eth_getFilterLogs", logs)).toMatchObject([{ logIndex: "0x0" }]);
  const other = await blockWithLog(index.blockAt(0) as IndexedBlock, "01");
  index.rollback(0);
  expect(await rpc(url, "eth_getTransactionReceipt", `0x${one.transactions[0]?.hash}`)).toBeNull();
  index.append(other);
  expect(await rpc(url, "eth_getFilterChanges", heads)).toEqual([`0x${other.hash}`]);
  expect(await rpc(url, "eth_getFilterChanges", logs)).toMatchObject([
    { blockHash: `0x${one.hash}`, removed: true },
    { blockHash: `0x${other.hash}`, removed: false },
  ]);
  expect(await rpc(url, "eth_uninstallFilter", heads)).toBe(true);
  expect(await rpc(url, "eth_uninstallFilter", heads)).toBe(false);
  for (const method of ["eth_getFilterChanges", "eth_getFilterLogs"]) {
    expect(await rpc(url, method, heads)).toMatchObject({ code: -32000, message: "filter not found" });
  }
  expect(await rpc(url, "eth_subscribe", "newHeads")).toMatchObject({
    code: -32601,
    message: "notifications not supported",
  });
});

test("filters are so many, expire, and are lost when they are too far behind", async () => {
  const index = new ChainIndex(blockAfter(undefined));
  const backend = new FakeBackend(index);
  const limits = { ...DEFAULT_RPC_LIMITS, maxFilters: 2, filterExpiryMs: 100, keptPendingHashes: 4, maxLogs: 2 };
  let nowMs = 0;
  const ask = <T>(question: () => Promise<T>) => question();
  const filters = new Filters({ backend, index, limits, ask, send: ask }, () => nowMs);
  const methods = filters.methods();
  const run = (method: string, ...params: unknown[]): MethodResult => {
    const outcome = methods[method]?.(params, { subscriber: undefined, afterAnswer: () => undefined });
    if (outcome === undefined || outcome instanceof Promise) throw new Error("filters answer at once");
    return outcome;
  };
  const made = (method: string, ...params: unknown[]): unknown => {
    const outcome = run(method, ...params);
    return outcome.ok ? outcome.result : outcome.error.message;
  };
  const first = made("eth_newBlockFilter");
  const second = made("eth_newPendingTransactionFilter");
  expect(first).toMatch(/^0x[0-9a-f]{32}$/);
  expect(made("eth_newBlockFilter")).toMatch(/^limit exceeded/);
  nowMs = 60;
  expect(made("eth_getFilterChanges", second)).toEqual([]);
  nowMs = 120;
  // The first was not asked for too long; the second was.
  const third = made("eth_newFilter", {});
  expect(third).toMatch(/^0x/);
  expect(made("eth_getFilterChanges", first)).toBe("filter not found");
  for (let nonce = 0; nonce < 4; nonce++) await backend.sendRawTransaction(await signed(nonce));
  expect(made("eth_getFilterChanges", second)).toHaveLength(4);
  for (let nonce = 4; nonce < 9; nonce++) await backend.sendRawTransaction(await signed(nonce));
  expect(made("eth_getFilterChanges", second)).toBe("filter not found");
  expect(filters.size).toBe(1);
  // More than one answer holds comes with the next ones.
  for (let i = 0; i < 5; i++) index.append(await blockWithLog(index.head));
  expect([1, 2, 3, 4].map(() => (made("eth_getFilterChanges", third) as unknown[]).length)).toEqual([2, 2, 1, 0]);
  for (let i = 0; i < 1_025; i++) index.append(blockAfter(index.head));
  expect(made("eth_getFilterChanges", third)).toBe("filter not found");
  filters.close();
  expect(backend.followers).toBe(0);
});

test("subscribers hear of heads, logs, pending transactions and inference, of a reorg too, until they leave", async () => {
  await using it = await world();
  const { index, backend } = it;
  using client = await Client.open(it.wsUrl);
  const heads = await client.ask("eth_subscribe", "newHeads");
  const logs = await client.ask("eth_subscribe", "logs", { topics: [[`0x${TOPIC}`, null]] });
  const none = await client.ask("eth_subscribe", "logs", { address: `0x${"00".repeat(20)}` });
  const pending = await client.ask("eth_subscribe", "newPendingTransactions", true);
  const all = await client.ask("eth_subscribe", "pipe");
  const hash = "ee".repeat(32);
  const mine = await client.ask("eth_subscribe", "pipe", { transaction: `0x${hash}` });
  const of = (id: unknown) => client.told.filter(({ subscription }) => subscription === id).map(({ result }) => result);
  await backend.sendRawTransaction(await signed(0));
  backend.tell({ kind: "pipe", event: { event: "launched", transaction: hash, node: "node-1" } });
  backend.tell({ kind: "pipe", event: { event: "launched", transaction: "dd".repeat(32), node: "node-2" } });
  const one = await blockWithLog(index.head);
  index.append(one);
  index.rollback(0);
  await expect.poll(() => of(logs)).toMatchObject([{ removed: false }, { removed: true, blockHash: `0x${one.hash}` }]);
  expect(of(heads)).toMatchObject([{ number: "0x1", hash: `0x${one.hash}` }]);
  expect(of(none)).toEqual([]);
  expect(of(pending)).toMatchObject([{ blockHash: null, from: account.address.toLowerCase() }]);
  expect(of(all)).toMatchObject([{ node: "node-1" }, { node: "node-2" }]);
  expect(of(mine)).toEqual([{ event: "launched", transaction: `0x${hash}`, node: "node-1" }]);
  expect(await client.ask("eth_unsubscribe", heads)).toBe(true);
  expect(await client.ask("eth_unsubscribe", heads)).toMatchObject({ code: -32000, message: "subscription not found" });
  index.append(one);
  await expect.poll(() => of(logs)).toHaveLength(3);
  expect(of(heads)).toHaveLength(1);
  for (const params of [
    ["newThings"],
    ["logs", { blockHash: `0x${hash}` }],
    ["logs", 5],
    ["pipe", 5],
    ["pipe", { transaction: 1 }],
    [],
    ["newPendingTransactions", "x"],
  ]) {
    expect(await client.ask("eth_subscribe", ...params)).toMatchObject({ code: -32602 });
  }
});

test("a subscription belongs to its connection, which has so many", async () => {
  await using it = await world({ limits: { maxSubscriptions: 2, maxWebSockets: 2 } });
  using first = await Client.open(it.wsUrl);
  using second = await Client.open(it.wsUrl);
  const id = await first.ask("eth_subscribe", "newHeads");
  await first.ask("eth_subscribe", "newHeads");
  expect(await first.ask("eth_subscribe", "newHeads")).toMatchObject({ code: -32005 });
  expect(await second.ask("eth_unsubscribe", id)).toMatchObject({ code: -32000 });
  expect(await first.ask("eth_unsubscribe", id)).toBe(true);
  expect(await first.ask("eth_subscribe", "newHeads")).toMatch(/^0x/);
  const third = new WebSocket(it.wsUrl);
  const refused = await new Promise((resolve) => {
    third.once("unexpected-response", (_request, response) => resolve(response.statusCode));
    third.once("error", () => undefined);
  });
  expect(refused).toBe(503);
  third.terminate();
});

test("all connections together have so many subscriptions, and those of one that is gone are free again", async () => {
  await using it = await world({ limits: { maxSubscriptionsInAll: 2 } });
  const first = await Client.open(it.wsUrl);
  using second = await Client.open(it.wsUrl);
  await first.ask("eth_subscribe", "newHeads");
  await first.ask("eth_subscribe", "logs", {});
  expect(await second.ask("eth_subscribe", "newHeads")).toMatchObject({ code: -32005 });
  first.socket.terminate();
  await expect.poll(() => second.ask("eth_subscribe", "pipe")).toMatch(/^0x/);
  expect(await second.ask("eth_subscribe", "newHeads")).toMatch(/^0x/);
  expect(await second.ask("eth_subscribe", "newHeads")).toMatchObject({ code: -32005 });
});

test("the chain never waits for those who follow it: who cannot be told is cut off", async () => {
  await using it = await world();
  using client = await Client.open(it.wsUrl);
  using other = await Client.open(it.wsUrl);
  await client.ask("eth_subscribe", "newHeads");
  await other.ask("eth_subscribe", "pipe");
  for (let i = 0; i < 256; i++) it.index.append(blockAfter(it.index.head));
  await expect
    .poll(() => client.told.map(({ result }) => Number(result["number"])))
    .toEqual(Array.from({ length: 256 }, (_, index) => index + 1));
  for (let i = 0; i < 257; i++) it.index.append(blockAfter(it.index.head));
  await expect.poll(() => client.closeCode).toBe(1006);
  expect(await other.ask("eth_blockNumber")).toBe("0x201");
});

test("what is no JSON-RPC on a WebSocket is answered, what is no text or too large ends it, and floods are told to wait", async () => {
  await using it = await world({ limits: { maxBodyBytes: 1_000, maxMessagesInFlight: 3 } });
  using client = await Client.open(it.wsUrl);
  client.socket.send("nonsense");
  await expect.poll(() => client.answers.get(null)).toMatchObject({ error: { code: -32700 } });
  client.answers.clear();
  const gate = Promise.withResolvers<void>();
  it.backend.delay = gate.promise;
  for (let id = 1; id <= 4; id++) {
    client.socket.send(JSON.stringify({ jsonrpc: "2.0", id, method: "eth_call", params: [{}] }));
  }
  await expect.poll(() => client.answers.get(null)).toMatchObject({ error: { code: -32005 } });
  gate.resolve();
  await expect.poll(() => client.answers.size).toBe(4);
  client.socket.send("x".repeat(1_001));
  await expect.poll(() => client.closeCode).toBe(1009);
  using other = await Client.open(it.wsUrl);
  other.socket.send(Buffer.from("binary"));
  await expect.poll(() => other.closeCode).toBe(1003);
});

/** A client that speaks the protocol by hand, so that it can fall silent: upgraded, and subscribed to what happens to inference. */
async function openDeaf(url: string): Promise<{ readonly socket: Socket; readonly isCut: Promise<unknown> }> {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  const isCut = new Promise((resolve) => socket.once("close", resolve));
  socket.on("error", () => undefined);
  const headers = ["host: localhost", "upgrade: websocket", "connection: upgrade", "sec-websocket-version: 13"];
  const key = "sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==";
  socket.write(["GET / HTTP/1.1", ...headers, key, "", ""].join("\r\n"));
  await new Promise((resolve) => socket.once("data", resolve));
  const text = Buffer.from(JSON.stringify({ jsonrpc: "2.0", id: 1, method: "eth_subscribe", params: ["pipe"] }));
  // A frame with a mask of zeros.
  socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), text]));
  await new Promise((resolve) => socket.once("data", resolve));
  return { socket, isCut };
}

test("a subscriber that stops reading is cut off; the others hear everything", async () => {
  await using it = await world({ limits: { maxUnreadBytes: 10_000 } });
  using reader = await Client.open(it.wsUrl);
  const id = await reader.ask("eth_subscribe", "pipe");
  const deaf = await openDeaf(it.url);
  deaf.socket.pause();
  const event = { event: "launched", transaction: "ee".repeat(32), padding: "x".repeat(100_000) };
  for (let i = 0; i < 200; i++) {
    it.backend.tell({ kind: "pipe", event: { ...event, i } });
    await new Promise((resolve) => setImmediate(resolve));
  }
  const heard = () => reader.told.filter(({ subscription }) => subscription === id).length;
  await expect.poll(heard, { timeout: 5_000 }).toBe(200);
  deaf.socket.resume();
  await deaf.isCut;
});

test("who does not answer pings is cut off, and who does stays", async () => {
  await using it = await world({ limits: { heartbeatMs: 100 } });
  using client = await Client.open(it.wsUrl);
  const deaf = await openDeaf(it.url);
  await deaf.isCut;
  await new Promise((resolve) => setTimeout(resolve, 250));
  expect(await client.ask("eth_chainId")).toBe("0x1ca3");
});
