import { connect, type Socket } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Client, type Served, serve, TOKEN } from "./support/http.ts";
import { User } from "./support/users.ts";

let served: Served;
let client: Client;
let port = 0;
beforeEach(async () => {
  served = await serve({
    limits: {
      headersTimeoutMs: 600,
      requestTimeoutMs: 1_200,
      idleTimeoutMs: 4_000,
      heartbeatMs: 1_000,
      keepAliveMs: 2_000,
      maxBodyBytesInFlight: 4 * 1024 * 1024,
      stopMs: 1_000,
    },
  });
  client = served.client;
  port = Number(new URL(served.url).port);
});

/** Whatever was done to it: it lives, takes transactions, and closes in good time. */
afterEach(async () => {
  const user = new User(9);
  await client.tell(`/v1/accounts/${user.id}/deposits`, { amountGwei: 1_000 });
  await client.tell("/v1/blocks", { height: 1_000_000, sealAtMs: Date.now() + 5_000 });
  expect((await client.post("/v1/transactions", user.sign())).status).toBe(202);
  expect((await client.get("/ready")).status).toBe(200);
  const startedMs = performance.now();
  await served.close();
  expect(performance.now() - startedMs).toBeLessThan(5_000);
});

interface Raw {
  readonly socket: Socket;
  /** All that it said, once it has closed. */
  readonly said: Promise<string>;
}

/** A connection on which anything can be written. */
function raw(text = ""): Raw {
  const socket = connect({ port, host: "127.0.0.1" });
  let heard = "";
  socket.setEncoding("latin1").on("data", (chunk: string) => {
    heard += chunk;
  });
  socket.on("error", () => undefined);
  socket.write(text);
  const said = new Promise<string>((resolve) => socket.on("close", () => resolve(heard)));
  return { socket, said };
}

function statusOf(said: string): string {
  return /^HTTP\/1\.1 (\d+)/.exec(said)?.[1] ?? said.slice(0, 60);
}

const head = (path: string, ...more: readonly string[]): string =>
  [`POST ${path} HTTP/1.1`, "host: x", "content-type: application/json", ...more, "", ""].join("\r\n");

test("a body that is announced as too large is refused before a byte of it is read", async () => {
  const { said } = raw(head("/v1/transactions", `content-length: ${2 ** 40}`));
  const answer = await said;
  expect(statusOf(answer)).toBe("413");
  expect(answer).toContain('"limit":1048576');
});

test("a body that is not announced is cut off where the limit is", async () => {
  const { socket, said } = raw(head("/v1/transactions", "transfer-encoding: chunked"));
  const chunk = `10000\r\n${"x".repeat(65_536)}\r\n`;
  const feeding = setInterval(() => socket.writable && socket.write(chunk), 1);
  const answer = await said;
  clearInterval(feeding);
  expect(statusOf(answer)).toBe("413");
  expect(socket.bytesWritten).toBeLessThan(64 * 1024 * 1024);
});

test("bodies of many clients together are bounded, and those that are too many are told", async () => {
  const piece = "x".repeat(900_000);
  const open = Array.from({ length: 12 }, () => raw(`${head("/v1/transactions", "content-length: 1000000")}${piece}`));
  const statuses = (await Promise.all(open.map(({ said }) => said))).map(statusOf);
  // 4 MB hold four of them; these are too slow in the end.
  expect(statuses.filter((status) => status === "503").length).toBeGreaterThanOrEqual(8);
  expect(statuses.filter((status) => status === "408").length).toBeGreaterThanOrEqual(1);
});

test.each([
  ["whose headers never end", "GET /health HTTP/1.1\r\nx-a: b\r\n"],
  ["that says nothing but a letter", "G"],
  ["whose body never ends", head("/v1/transactions", "content-length: 100")],
])("a client %s is told that it is too slow, and let go", async (_name, text) => {
  const { socket, said } = raw(text);
  const dripping = setInterval(() => text.length > 1 && socket.writable && socket.write("x"), 200);
  const startedMs = performance.now();
  const answer = await said;
  clearInterval(dripping);
  expect(performance.now() - startedMs).toBeLessThan(6_000);
  expect(statusOf(answer)).toBe("408");
  expect(answer).toContain("urn:pipe:problem:too-slow");
});

test("floods of headers, and what is no HTTP at all, are answered with a problem", async () => {
  const flood = Array.from({ length: 2_000 }, (_, i) => `x-${i}: ${"y".repeat(20)}`).join("\r\n");
  const cases: readonly [text: string, status: string, kind: string][] = [
    [`GET /health HTTP/1.1\r\nhost: x\r\n${flood}\r\n\r\n`, "431", "headers-too-large"],
    [`GET /${"a".repeat(20_000)} HTTP/1.1\r\nhost: x\r\n\r\n`, "431", "headers-too-large"],
    ["\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "400", "malformed"],
    ["SSH-2.0-OpenSSH_9.2p1\r\n", "400", "malformed"],
    [
      `POST /v1/quotes HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
      "400",
      "malformed",
    ],
    ["GET /health HTTP/1.1\r\nhost: x\r\nx: a\x00b\r\n\r\n", "400", "malformed"],
  ];
  for (const [text, status, kind] of cases) {
    const answer = await raw(text).said;
    expect(statusOf(answer), text.slice(0, 40)).toBe(status);
    expect(answer).toContain(`urn:pipe:problem:${kind}`);
  }
  const { text } = await client.get("/metrics");
  expect(text).toMatch(/^pipe_http_refused_total\{reason="headers-too-large"\} 2$/m);
});

test("paths that climb, and names that are odd, are names and nothing else", async () => {
  const paths = [
    "/v1/accounts/..%2f..%2fetc%2fpasswd",
    "/v1/accounts/%2e%2e%2fsecret.key",
    "/v1/accounts/%00",
    `/v1/accounts/${"a".repeat(256)}`,
    "/v1/accounts/__proto__",
    "/v1/accounts/constructor",
    "/v1/accounts/%F0%9F%90%B1",
  ];
  for (const path of paths) {
    const answer = await client.get(path);
    expect([answer.status, answer.json.type], path).toEqual([404, "urn:pipe:problem:unknown-account"]);
  }
  for (const path of [`/v1/accounts/${"a".repeat(257)}`, "/v1/blocks/..%2f1", "/v1/transactions/__proto__"]) {
    expect((await client.get(path)).status, path).toBe(400);
  }
  for (const path of [
    "/v1/accounts/%",
    "/v1/accounts/%ff%fe",
    "/../secret.key",
    "/v1/accounts/a/../../x",
    `/v1/accounts/${"a".repeat(5_000)}`,
  ]) {
    expect(statusOf(await raw(`GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`).said), path).toMatch(
      /^40[04]$/,
    );
  }
  // What goes in by such a name comes out by it.
  const odd = "a/../b \u0000 \u{1f431}";
  const place = `/v1/accounts/${encodeURIComponent(odd)}`;
  expect((await client.tell(`${place}/deposits`, { amountGwei: 3 })).json).toMatchObject({ id: odd, depositGwei: 3 });
  expect((await client.get(place)).json.depositGwei).toBe(3);
});

test("JSON that is deep, huge, doubled or poisoned is malformed, and no more than that", async () => {
  const deep = `${"[".repeat(400_000)}${"]".repeat(400_000)}`;
  const cases = [
    deep,
    `{"a":`.repeat(100_000),
    '{"__proto__":{"calls":[]}}',
    `{"nonce":1e999}`,
    `"${"\\u0000".repeat(100_000)}"`,
    "NaN",
    "[1,]",
    "\u0000",
    "9".repeat(1_000_000),
  ];
  for (const text of cases) {
    for (const path of ["/v1/transactions", "/v1/estimates", "/v1/quotes"]) {
      const answer = await client.ask("POST", path, { raw: text });
      expect([answer.status, answer.json.type], `${path} ${text.slice(0, 20)}`).toEqual([
        400,
        "urn:pipe:problem:malformed",
      ]);
      expect(answer.text.length).toBeLessThan(2_000);
    }
  }
});

test("wrong tokens, many at a time, get nowhere, and the right one still does", async () => {
  const guesses = Array.from({ length: 300 }, (_, i) => `${TOKEN.slice(0, -1)}${i}`);
  const statuses = await Promise.all(
    guesses.map(async (guess) => {
      const headers = { authorization: `Bearer ${guess}` };
      return (await client.ask("POST", "/v1/blocks/1/committed", { headers })).status;
    }),
  );
  expect(new Set(statuses)).toEqual(new Set([401]));
  expect((await client.tell("/v1/blocks/1/committed")).status).toBe(200);
});

test("a thousand connections: so many are served, some are told, and the rest are closed", async () => {
  const more = await serve({ limits: { maxConnections: 300, maxRefusedConnections: 100 } });
  const { port: other } = new URL(more.url);
  const sockets = Array.from({ length: 1_000 }, () => {
    const socket = connect({ port: Number(other), host: "127.0.0.1" });
    socket.on("error", () => undefined);
    return socket;
  });
  const ends = sockets.map((socket) => new Promise<boolean>((resolve) => socket.once("close", () => resolve(true))));
  await Promise.all(
    sockets.map((socket) => new Promise((resolve) => socket.once("connect", resolve).once("close", resolve))),
  );
  const stay = new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 500));
  const closed = await Promise.all(ends.map((end) => Promise.race([end, stay])));
  expect(closed.filter((end) => end)).toHaveLength(600);
  const left = sockets.filter((_, index) => closed[index] === false);
  const said = new Promise<string>((resolve) =>
    left[0]?.setEncoding("latin1").once("data", (text) => resolve(String(text))),
  );
  left[0]?.write("GET /v1/policy HTTP/1.1\r\nhost: x\r\n\r\n");
  const answer = await said;
  expect(statusOf(answer)).toBe("503");
  expect(answer).toContain("urn:pipe:problem:too-many-connections");
  // The producer is served over the same connections, and so is who asks whether it is alive.
  for (const line of [`GET /v1/policy HTTP/1.1\r\nauthorization: Bearer ${TOKEN}`, "GET /health HTTP/1.1"]) {
    const [socket] = left.splice(1, 1);
    const heard = new Promise<string>((resolve) => socket?.once("data", (text) => resolve(String(text))));
    socket?.write(`${line}\r\nhost: x\r\n\r\n`);
    expect(statusOf(await heard)).toBe("200");
  }
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect((await more.client.get("/health")).status).toBe(200);
  expect((await more.client.get("/metrics")).text).toMatch(
    /^pipe_http_refused_total\{reason="too-many-connections"\} [1-9]/m,
  );
  await more.close();
});

test("a client that goes away in the middle leaves nothing behind", async () => {
  const texts = [
    head("/v1/transactions", "content-length: 1000"),
    `${head("/v1/quotes", "content-length: 2")}{}`,
    "GET /v1/events HTTP/1.1\r\nhost: x\r\n\r\n",
  ];
  const open = Array.from({ length: 150 }, (_, index) => raw(texts[index % texts.length]));
  // Some before they are heard, some after.
  for (const [index, { socket }] of open.entries()) setTimeout(() => socket.resetAndDestroy(), index);
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  const { text } = await client.get("/metrics");
  expect(text).toMatch(/^pipe_http_followers 0$/m);
  expect(Number(/^pipe_http_connections (\d+)$/m.exec(text)?.[1])).toBeLessThan(10);
  expect(text).not.toMatch(/status="500"/);
});
