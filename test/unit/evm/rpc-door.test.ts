import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { expect, test } from "vitest";
import { WebSocket } from "ws";
import { ChainIndex } from "../../../scheduler/evm/rpc/chain-index.ts";
import { type RpcServerOptions, startRpcServer } from "../../../scheduler/evm/rpc/server.ts";
import { ask, blockAfter, FakeBackend, rpc, served } from "../../support/evm-rpc.ts";

/** What stands before the methods: who may ask, how much, and how long. */

async function world(options: Partial<RpcServerOptions> = {}) {
  const index = new ChainIndex(blockAfter(undefined));
  const backend = new FakeBackend(index);
  const server = await served(index, backend, options);
  return { index, backend, ...server };
}

const BODY = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "eth_chainId" });

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** A request with whatever headers, since `fetch` sets some of them itself. */
function send(
  url: string,
  {
    method = "POST",
    path = "/",
    headers = {},
    body = BODY,
  }: Partial<{
    method: string;
    path: string;
    headers: Record<string, string>;
    body: string;
  }> = {},
): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const options = { method, path, headers: { "content-type": "application/json", ...headers }, agent: false } as const;
  const asked = httpRequest(url, options, (response) => {
    const chunks: Buffer[] = [];
    response.on("data", (chunk: Buffer) => chunks.push(chunk));
    response.on("end", () => {
      const { statusCode = 0 } = response;
      resolve({ status: statusCode, headers: response.headers, body: Buffer.concat(chunks).toString() });
    });
  });
  asked.on("error", reject);
  asked.end(method === "POST" ? body : undefined);
  return promise;
}

/** Status of the answer to an upgrade; 101 if it is done. */
function upgrade(url: string, headers: Record<string, string> = {}, path = "/"): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  const socket = new WebSocket(url.replace(/\/$/, "") + path, { headers });
  socket.on("unexpected-response", (_request, response) => {
    resolve(response.statusCode ?? 0);
    socket.terminate();
  });
  socket.on("open", () => {
    resolve(101);
    socket.terminate();
  });
  socket.on("error", () => undefined);
  return promise;
}

test("only what is declared as JSON, posted to the root, comes in", async () => {
  await using it = await world();
  expect(await send(it.url)).toMatchObject({ status: 200, headers: { "content-type": "application/json" } });
  expect(await send(it.url, { headers: { "content-type": "Application/JSON; charset=utf-8" } })).toMatchObject({
    status: 200,
  });
  expect(await send(it.url, { path: "/?key=1" })).toMatchObject({ status: 200 });
  const refusals: readonly (readonly [Parameters<typeof send>[1], number])[] = [
    [{ headers: { "content-type": "text/plain" } }, 415],
    [{ method: "GET" }, 405],
    [{ method: "DELETE" }, 405],
    [{ path: "/v1" }, 404],
  ];
  for (const [options, status] of refusals) {
    const answer = await send(it.url, options);
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.body)).toMatchObject({ jsonrpc: "2.0", id: null, error: { code: -32600 } });
  }
});

test("a site whose name was made to stand for this machine is known by the host header", async () => {
  await using it = await world();
  const status = async (host: string): Promise<number> => (await send(it.url, { headers: { host } })).status;
  for (const host of ["localhost", "localhost:8545", "127.0.0.1:1", "127.8.8.8", "[::1]:8545", "LOCALHOST"]) {
    expect([host, await status(host)]).toEqual([host, 200]);
  }
  for (const host of [
    "evil.example",
    "evil.example:8545",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "::1:1",
    "a@localhost",
  ]) {
    expect([host, await status(host)]).toEqual([host, 403]);
    expect(await upgrade(it.wsUrl, { host })).toBe(403);
  }
  expect(
    (await send(it.url, { method: "OPTIONS", headers: { host: "evil.example", origin: "http://a" } })).status,
  ).toBe(403);
  await using named = await world({ allowHosts: ["Node.Example"] });
  expect((await send(named.url, { headers: { host: "node.example:80" } })).status).toBe(200);
  expect((await send(named.url, { headers: { host: "evil.example" } })).status).toBe(403);
  await using open = await world({ host: "0.0.0.0" });
  expect((await send(open.url, { headers: { host: "any.example" } })).status).toBe(200);
});

test("pages of other origins may ask only where they are allowed", async () => {
  await using closed = await world();
  const origin = "https://wallet.example";
  const answer = await send(closed.url, { headers: { origin } });
  expect(answer.headers["access-control-allow-origin"]).toBeUndefined();
  expect((await send(closed.url, { method: "OPTIONS", headers: { origin } })).status).toBe(403);
  expect(await upgrade(closed.wsUrl, { origin })).toBe(403);
  expect(await upgrade(closed.wsUrl)).toBe(101);
  expect(await upgrade(closed.wsUrl, {}, "/v1")).toBe(404);

  await using some = await world({ allowOrigins: [origin] });
  expect(await send(some.url, { method: "OPTIONS", headers: { origin } })).toMatchObject({
    status: 204,
    headers: { "access-control-allow-origin": origin, "access-control-allow-headers": "content-type", vary: "Origin" },
  });
  expect((await send(some.url, { headers: { origin } })).headers["access-control-allow-origin"]).toBe(origin);
  expect((await send(some.url, { method: "OPTIONS", headers: { origin: `${origin}.evil` } })).status).toBe(403);
  expect(await upgrade(some.wsUrl, { origin })).toBe(101);
  expect(await upgrade(some.wsUrl, { origin: "null" })).toBe(403);
});

test("a body beyond the limit is refused, announced or not, and one that breaks off harms nothing", async () => {
  await using it = await world({ limits: { maxBodyBytes: 1_000, maxBodyBytesInFlight: 2_500 } });
  const large = " ".repeat(1_001 - BODY.length) + BODY;
  expect(await send(it.url, { body: large.slice(1) })).toMatchObject({ status: 200 });
  expect(await send(it.url, { body: large })).toMatchObject({
    status: 413,
    body: expect.stringContaining("limit 1000 bytes"),
  });
  expect(await send(it.url, { body: large, headers: { "transfer-encoding": "chunked" } })).toMatchObject({
    status: 413,
  });
  const { port } = new URL(it.url);
  const half = (): ReturnType<typeof connect> => {
    const socket = connect(Number(port), "127.0.0.1");
    socket.write(
      "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{",
    );
    return socket;
  };
  const sockets = [half(), half()];
  // Bodies that are on their way take the room of those that would come.
  await expect.poll(async () => (await send(it.url, { body: large.slice(1) })).status).toBe(503);
  for (const socket of sockets) socket.destroy();
  await expect.poll(async () => (await send(it.url, { body: large.slice(1) })).status).toBe(200);
});

test("what is no HTTP, or too slow, is dropped", async () => {
  await using it = await world({ limits: { headersTimeoutMs: 100, requestTimeoutMs: 150 } });
  const { port } = new URL(it.url);
  const said = (text: string): Promise<string> => {
    const { promise, resolve } = Promise.withResolvers<string>();
    const socket = connect(Number(port), "127.0.0.1");
    let heard = "";
    socket.on("data", (chunk) => {
      heard += chunk.toString();
    });
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(heard));
    socket.write(text);
    return promise;
  };
  expect(await said("POST / HTTP/1.0\r\n\r\n")).toMatch(/^HTTP\/1.1 403/);
  expect(await said("nonsense\r\n\r\n")).toMatch(/^HTTP\/1.1 400/);
  expect(await said(`GET / HTTP/1.1\r\nx: ${"y".repeat(20_000)}\r\n\r\n`)).toMatch(/^HTTP\/1.1 431/);
  expect(await said("POST / HTTP/1.1\r\nhost: loc")).toMatch(/^HTTP\/1.1 408/);
  expect(
    await said("POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{"),
  ).toMatch(/^(?:HTTP\/1.1 408|$)/);
  expect(await rpc(it.url, "eth_chainId")).toBe("0x1ca3");
});

test("answers that nobody reads have a limit of all together", async () => {
  const limits = { maxResponseCharacters: 25_000, maxUnreadCharacters: 25_000 };
  await using it = await world({ limits });
  it.backend.output = new Uint8Array(10_000);
  const call = { jsonrpc: "2.0", id: 1, method: "eth_call", params: [{}] };
  const answers = await Promise.all(Array.from({ length: 4 }, () => send(it.url, { body: JSON.stringify(call) })));
  const statuses = answers.map(({ status }) => status);
  expect(statuses).toContain(200);
  expect(statuses.every((status) => status === 200 || status === 503)).toBe(true);
  expect(await ask(it.url, call)).toMatchObject({ id: 1, result: expect.anything() });
});

test("a port that is taken is said, and nothing is left behind", async () => {
  await using it = await world();
  const port = Number(new URL(it.url).port);
  const before = it.backend.followers;
  const { backend, index } = it;
  await expect(startRpcServer({ backend, index, host: "127.0.0.1", port })).rejects.toMatchObject({
    code: "EADDRINUSE",
  });
  expect(it.backend.followers).toBe(before);
});

test("closing lets requests end, says farewell to WebSockets, cuts off what does not end, and can be asked twice", async () => {
  const it = await world({ limits: { stopMs: 200 } });
  const gate = Promise.withResolvers<void>();
  it.backend.delay = gate.promise;
  const socket = new WebSocket(it.wsUrl);
  const code = new Promise((resolve) => socket.once("close", resolve));
  await new Promise((resolve) => socket.once("open", resolve));
  const deaf = connect(Number(new URL(it.url).port), "127.0.0.1");
  await new Promise((resolve) => deaf.once("connect", resolve));
  deaf.on("error", () => undefined);
  const underWay = rpc(it.url, "eth_call", {});
  await expect.poll(() => it.backend.calls.length).toBe(1);
  const closed = Promise.all([it.close(), it.close()]);
  gate.resolve();
  expect(await underWay).toBe("0x");
  expect(await code).toBe(1001);
  await closed;
  expect(it.backend.followers).toBe(0);
  await expect(rpc(it.url, "eth_chainId")).rejects.toThrow();
  deaf.destroy();
});
