import { afterAll, beforeAll, describe, expect, it, test } from "vitest";
import { DEFAULT_CONFIG } from "../../scheduler/index.ts";
import { type Asked, type Client, type Served, serve } from "./support/http.ts";
import { silent } from "./support/scripted-nodes.ts";
import { User } from "./support/users.ts";

let served: Served;
let client: Client;
const user = new User(1);
const poor = new User(2);
beforeAll(async () => {
  served = await serve({
    scripts: [silent, silent],
    pipe: { engine: { limits: { ...DEFAULT_CONFIG.limits, maxPendingPerSender: 2 } } },
  });
  client = served.client;
  await client.tell(`/v1/accounts/${user.id}/deposits`, { amountGwei: 1_000_000 });
  await client.tell("/v1/blocks", { height: 1, sealAtMs: Date.now() + 60_000 });
});
afterAll(() => served.close());

interface Refusal {
  readonly status: number;
  readonly kind: string;
  readonly extra?: Readonly<Record<string, unknown>>;
}

async function expectRefusal(
  asked: Promise<Awaited<ReturnType<Client["get"]>>>,
  { status, kind, extra = {} }: Refusal,
) {
  const { status: got, headers, json, text } = await asked;
  expect(headers.get("content-type"), text).toBe("application/problem+json");
  expect(json).toMatchObject({ type: `urn:pipe:problem:${kind}`, status, ...extra });
  expect(got).toBe(status);
  for (const member of ["title", "detail", "advice"]) expect(json[member], member).toMatch(/^\S.*\S$/s);
  if (got === 503 || got === 429) expect(Number(headers.get("retry-after"))).toBeGreaterThan(0);
}

describe("a transaction is refused", () => {
  const base = user.sign({ nonce: 0 });
  const call = { ...(base.calls[0] as (typeof base.calls)[0]) };
  const cases: readonly [name: string, signed: unknown, refusal: Refusal][] = [
    ["that is nothing", null, { status: 400, kind: "malformed" }],
    ["with an unknown key", { ...base, tip: 1 }, { status: 400, kind: "malformed", extra: { path: "tip" } }],
    [
      "with a fraction of a gwei",
      { ...base, gasPriceGwei: 0.5 },
      { status: 400, kind: "malformed", extra: { path: "gasPriceGwei" } },
    ],
    [
      "with a number beyond 2^53",
      { ...base, nonce: 2 ** 53 },
      { status: 400, kind: "malformed", extra: { path: "nonce" } },
    ],
    ["with upper-case hexadecimal", { ...base, sender: base.sender.toUpperCase() }, { status: 400, kind: "malformed" }],
    [
      "with too many calls",
      { ...base, calls: Array(17).fill(call) },
      { status: 413, kind: "oversized", extra: { what: "calls", limit: 16 } },
    ],
    [
      "of another chain",
      user.sign({ chainId: "other", nonce: 0 }),
      { status: 422, kind: "wrong-chain", extra: { expected: "test-chain" } },
    ],
    ["that was changed", { ...base, gasPriceGwei: 7 }, { status: 422, kind: "bad-signature" }],
    ["that leaves a gap", user.sign({ nonce: 5 }), { status: 409, kind: "nonce-gap", extra: { expectedNonce: 0 } }],
    ["without money", poor.sign(), { status: 422, kind: "underfunded" }],
    [
      "for too low a fee",
      user.sign({ nonce: 0, calls: [{ ...call, maxFeeGwei: 1 }] }),
      { status: 422, kind: "fee-too-low", extra: { minimumFeeGwei: 10 } },
    ],
    [
      "of an unknown model",
      user.sign({ nonce: 0, calls: [{ ...call, model: "oracle" }] }),
      { status: 422, kind: "unknown-model", extra: { model: "oracle" } },
    ],
    [
      "in a mode that is not offered",
      user.sign({ nonce: 0, calls: [{ ...call, mode: "zkml" }] }),
      { status: 422, kind: "mode-not-allowed" },
    ],
    [
      "beyond the model's limits",
      user.sign({ nonce: 0, calls: [{ ...call, tokensOut: 2_000_000 }] }),
      { status: 422, kind: "beyond-limit" },
    ],
    [
      "with a median of bytes",
      user.sign({ nonce: 0, calls: [{ ...call, conflict: { kind: "median", k: 3, tolerance: 1 } }] }),
      { status: 422, kind: "no-number" },
    ],
  ];
  it.each(cases)("%s", async (_name, signed, refusal) => {
    await expectRefusal(client.post("/v1/transactions", signed), refusal);
  });

  it("as known when it was taken before, with how it is: that is no failure", async () => {
    const signed = user.sign({ nonce: 0 });
    const first = await client.post("/v1/transactions", signed);
    expect([first.status, first.json.known]).toEqual([202, false]);
    const again = await client.post("/v1/transactions", signed);
    expect(again.status).toBe(200);
    expect(again.json).toMatchObject({
      hash: first.json.hash,
      known: true,
      transaction: { state: "racing", nonce: 0 },
    });
  });

  it("when it would replace another for less, and when its sender has too many", async () => {
    await expectRefusal(client.post("/v1/transactions", user.sign({ nonce: 0, gasPriceGwei: 0 })), {
      status: 409,
      kind: "underpriced-replacement",
    });
    expect((await client.post("/v1/transactions", user.sign({ nonce: 1 }))).status).toBe(202);
    await expectRefusal(client.post("/v1/transactions", user.sign({ nonce: 2 })), {
      status: 429,
      kind: "sender-limit",
    });
  });
});

describe("a request is refused", () => {
  const cases: readonly [name: string, method: string, path: string, asked: Asked, refusal: Refusal][] = [
    ["where there is nothing", "GET", "/v2/transactions", {}, { status: 404, kind: "not-found" }],
    ["with a slash too many", "GET", "/v1/policy/", {}, { status: 404, kind: "not-found" }],
    [
      "by a method that a route has not",
      "PUT",
      "/v1/transactions",
      { body: {} },
      { status: 405, kind: "method-not-allowed" },
    ],
    [
      "for an unknown transaction",
      "GET",
      `/v1/transactions/${"ab".repeat(32)}`,
      {},
      { status: 404, kind: "unknown-transaction" },
    ],
    [
      "for a hash that is none",
      "GET",
      "/v1/transactions/AB",
      {},
      { status: 400, kind: "malformed", extra: { path: "hash" } },
    ],
    [
      "for an estimate of what is unknown",
      "GET",
      `/v1/transactions/${"ab".repeat(32)}/estimate`,
      {},
      { status: 404, kind: "unknown-transaction" },
    ],
    ["for an unknown account", "GET", "/v1/accounts/nobody", {}, { status: 404, kind: "unknown-account" }],
    ["for a block that there is not", "GET", "/v1/blocks/12", {}, { status: 404, kind: "unknown-block" }],
    ["for a height that is none", "GET", "/v1/blocks/1e3", {}, { status: 400, kind: "malformed" }],
    ["for records that are not kept", "GET", "/v1/registry/log", {}, { status: 404, kind: "no-records" }],
    [
      "of another type",
      "POST",
      "/v1/quotes",
      { raw: "a=1", headers: { "content-type": "application/x-www-form-urlencoded" } },
      { status: 415, kind: "unsupported-media-type" },
    ],
    [
      "in another charset",
      "POST",
      "/v1/quotes",
      { raw: "{}", headers: { "content-type": "application/json; charset=utf-16" } },
      { status: 415, kind: "unsupported-media-type" },
    ],
    [
      "compressed",
      "POST",
      "/v1/quotes",
      { raw: "{}", headers: { "content-encoding": "gzip" } },
      { status: 415, kind: "unsupported-media-type" },
    ],
    ["that is no JSON", "POST", "/v1/quotes", { raw: '{"model":' }, { status: 400, kind: "malformed" }],
    ["that is empty", "POST", "/v1/quotes", { raw: new Uint8Array(0) }, { status: 400, kind: "malformed" }],
    [
      "that is no UTF-8",
      "POST",
      "/v1/quotes",
      { raw: Uint8Array.of(0x22, 0xff, 0x22) },
      { status: 400, kind: "malformed" },
    ],
    [
      "about an unknown model",
      "POST",
      "/v1/quotes",
      { body: { model: "oracle", tokensIn: 1, tokensOut: 1, ttlBlocks: 1 } },
      { status: 422, kind: "unknown-model" },
    ],
    [
      "about too many blocks",
      "POST",
      "/v1/quotes",
      { body: { model: "echo", tokensIn: 1, tokensOut: 1, ttlBlocks: 2000 } },
      { status: 400, kind: "malformed", extra: { path: "ttlBlocks" } },
    ],
    [
      "for an estimate on another chain",
      "POST",
      "/v1/estimates",
      { body: user.sign({ chainId: "other", nonce: 0 }) },
      { status: 422, kind: "wrong-chain" },
    ],
    [
      "to seal what is not open",
      "POST",
      "/v1/blocks/9/seal",
      { body: { maxTransactions: 1, order: "gas" }, producer: true },
      { status: 409, kind: "not-open", extra: { openHeight: 1 } },
    ],
    [
      "to seal too many",
      "POST",
      "/v1/blocks/1/seal",
      { body: { maxTransactions: 1e9, order: "gas" }, producer: true },
      { status: 422, kind: "bad-limit" },
    ],
    [
      "to seal in another order",
      "POST",
      "/v1/blocks/1/seal",
      { body: { maxTransactions: 1, order: "bribe" }, producer: true },
      { status: 400, kind: "malformed", extra: { path: "order" } },
    ],
    [
      "to open what has no height",
      "POST",
      "/v1/blocks",
      { body: { height: -1, sealAtMs: 0 }, producer: true },
      { status: 400, kind: "malformed" },
    ],
    [
      "to open in microseconds",
      "POST",
      "/v1/blocks",
      { body: { height: 1, sealAtMs: Date.now() * 1000 }, producer: true },
      { status: 400, kind: "malformed", extra: { path: "sealAtMs" } },
    ],
    [
      "to credit nothing",
      "POST",
      "/v1/accounts/a/deposits",
      { body: { amountGwei: 0 }, producer: true },
      { status: 400, kind: "malformed" },
    ],
    [
      "to credit more than can be",
      "POST",
      "/v1/accounts/a/deposits",
      { body: { amountGwei: 2 ** 52 }, producer: true },
      { status: 422, kind: "out-of-range" },
    ],
    [
      "to bond more than can be",
      "POST",
      "/v1/nodes/a/bond",
      { body: { amountGwei: 2 ** 52 }, producer: true },
      { status: 422, kind: "out-of-range" },
    ],
    [
      "to withdraw what is unknown",
      "DELETE",
      `/v1/transactions/${"ab".repeat(32)}`,
      { producer: true },
      { status: 404, kind: "unknown-transaction" },
    ],
    [
      "to follow no policy",
      "PUT",
      "/v1/policy",
      { body: { name: "x", rules: [{ name: "a", policy: { kind: "hedg" } }] }, producer: true },
      { status: 422, kind: "bad-policy" },
    ],
  ];
  it.each(cases)("%s", async (_name, method, path, asked, refusal) => {
    await expectRefusal(client.ask(method, path, asked), refusal);
  });

  it("with its place, its neighbours, and what is allowed", async () => {
    const policy = await client.ask("PUT", "/v1/policy", {
      raw: "name: x\nrules:\n  - name: a\n    policy: { kind: hedg }\n",
      headers: { "content-type": "application/yaml" },
      producer: true,
    });
    expect(policy.json.problems).toMatchObject([{ line: 4, path: "rules.0.policy.kind" }]);
    expect(policy.json.detail).toContain("hedge");
    expect((await client.ask("PATCH", "/v1/policy")).headers.get("allow")).toBe("GET, PUT, HEAD");
  });
});

const FOR_PRODUCERS: readonly [method: string, path: string][] = [
  ["DELETE", `/v1/transactions/${"ab".repeat(32)}`],
  ["POST", "/v1/accounts/a/deposits"],
  ["POST", "/v1/nodes/a/bond"],
  ["POST", "/v1/blocks"],
  ["POST", "/v1/blocks/1/seal"],
  ["POST", "/v1/blocks/1/committed"],
  ["POST", "/v1/blocks/1/reorged"],
  ["POST", "/v1/state-changes"],
  ["PUT", "/v1/policy"],
];
const NO_TOKENS = [
  "",
  "Bearer ",
  "Bearer wrong",
  "Basic dXNlcjpwYXNz",
  `Bearer ${"x".repeat(4_000)}`,
  "the-token-of-the-producer-in-these-tests",
];

test.each(FOR_PRODUCERS)("%s %s is for who has the token, and for nobody else", async (method, path) => {
  for (const authorization of NO_TOKENS) {
    const headers: Record<string, string> = authorization === "" ? {} : { authorization };
    const refused = client.ask(method, path, { headers });
    await expectRefusal(refused, { status: 401, kind: "unauthorized" });
    expect((await refused).headers.get("www-authenticate")).toContain("Bearer");
  }
});

test("a scheduler that is closing answers what is under way and takes nothing new", async () => {
  const closing = await serve({ scripts: [silent] });
  expect((await closing.client.get("/ready")).status).toBe(200);
  const closed = closing.close();
  // A connection that is kept still speaks, or was closed already: never a hang.
  const answers = await Promise.allSettled([closing.client.get("/ready"), closing.client.get("/v1/statistics")]);
  for (const answer of answers) if (answer.status === "fulfilled") expect(answer.value.status).toBe(503);
  await closed;
  await expect(closing.client.get("/health")).rejects.toThrow();
});

test("what finds no room is told to come again, and the producer still gets through", async () => {
  const { client: full, close } = await serve({ scripts: [silent], pipe: { limits: { maxBlobBytes: 65_536 } } });
  await full.tell(`/v1/accounts/${user.id}/deposits`, { amountGwei: 1_000_000 });
  await full.tell("/v1/blocks", { height: 1, sealAtMs: Date.now() + 60_000 });
  const [call] = user.sign({ nonce: 0 }).calls;
  const large = (fill: number) => [{ ...call, input: Buffer.alloc(40_000, fill).toString("base64") }];
  const sign = (nonce: number) => user.sign({ nonce, calls: large(nonce) as never });
  expect((await full.post("/v1/transactions", sign(0))).status).toBe(202);
  await expectRefusal(full.post("/v1/transactions", sign(1)), { status: 503, kind: "overloaded" });
  expect((await full.tell("/v1/blocks/1/seal", { maxTransactions: 10, order: "gas" })).status).toBe(200);
  await close();
});

test("once the last node has left it is not ready any more", async () => {
  const left = await serve({ scripts: [silent] });
  expect((await left.client.get("/ready")).json).toMatchObject({ status: "ready", nodes: 1 });
  left.nodes.say({ kind: "left", node: "node-0" });
  const ready = await left.client.get("/ready");
  await left.close();
  expect(ready).toMatchObject({ status: 503, json: { reasons: ["no node has joined"] } });
});

test("without nodes it is alive, and not ready", async () => {
  const empty = await serve({ scripts: [] });
  expect((await empty.client.get("/health")).status).toBe(200);
  const ready = await empty.client.get("/ready");
  await empty.close();
  expect(ready.status).toBe(503);
  expect(ready.json).toMatchObject({ type: "urn:pipe:problem:not-ready", reasons: ["no node has joined"] });
});
