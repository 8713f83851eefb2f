import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { request as secureRequest } from "node:https";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createEmulatorRoot, DEFAULT_CONFIG, defaultFleet, RegistryView, verifyBlock } from "../../scheduler/index.ts";
import { Follower, type Served, serve } from "./support/http.ts";
import { faultsOf, Promised } from "./support/openapi.ts";
import { silent } from "./support/scripted-nodes.ts";
import { CHAIN, User } from "./support/users.ts";

let directory = "";
let served: Served | undefined;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "pipe-http-"));
});
afterEach(async () => {
  await served?.close();
  served = undefined;
  await rm(directory, { recursive: true, force: true });
});

test("a producer lives by HTTP alone: deposit, open, submit, follow, seal, commit, and check the block as a validator", async () => {
  const nodes = defaultFleet({ count: 3, seedHex: "00".repeat(32), latency: "none", faults: "none" });
  served = await serve({ pipe: { directory, fleet: { nodes }, registry: undefined as never } });
  const { client, url } = served;
  const user = new User(1);
  expect((await client.tell(`/v1/accounts/${user.id}/deposits`, { amountGwei: 1_000_000 })).json).toEqual({
    id: user.id,
    nextNonce: 0,
    depositGwei: 1_000_000,
    pending: 0,
  });
  const follower = new Follower(url);
  expect(await follower.status).toBe(200);
  await client.tell("/v1/blocks", { height: 1, sealAtMs: Date.now() + 2_000 });

  const quote = await client.post("/v1/quotes", { model: "risk-small", tokensIn: 16, tokensOut: 1, ttlBlocks: 8 });
  const [vanilla] = quote.json.modes;
  expect(vanilla).toMatchObject({ mode: "vanilla", available: true });
  const call = {
    model: "risk-small",
    mode: "vanilla",
    input: Buffer.from(new Float32Array(16).fill(0.5).buffer).toString("base64"),
    tokensIn: 16,
    tokensOut: 1,
    maxFeeGwei: vanilla.maxFeeGwei.most,
    conflict: { kind: "first-valid" },
    validityBlocks: 10,
  } as const;
  const signed = user.sign({ calls: [call] });
  const { signature: _, ...unsigned } = signed;
  const asked = await client.post("/v1/estimates", unsigned);
  expect(asked.json.seal[0]).toMatchObject({ height: 1, probability: expect.any(Number) });

  const submitted = await client.post("/v1/transactions", signed);
  expect(submitted.status).toBe(202);
  const { hash } = submitted.json;
  expect(submitted.headers.get("location")).toBe(`/v1/transactions/${hash}`);
  expect(asked.json.hash).toBe(hash);
  const decided = await follower.until(({ event }) => event === "decided");
  expect(decided.data.result).toMatchObject({ txHash: hash, model: "risk-small" });
  await client.untilState(hash, "ready");
  expect((await client.get(`/v1/transactions/${hash}/estimate`)).json.seal[0].probability).toBe(1);

  const sealed = await client.tell("/v1/blocks/1/seal", { maxTransactions: 100, order: "gas" });
  expect(sealed.json.header.transactions).toEqual([hash]);
  // Asked again, found again: the same.
  expect((await client.tell("/v1/blocks/1/seal", { maxTransactions: 1, order: "arrival" })).text).toBe(sealed.text);
  expect((await client.get("/v1/blocks/1")).text).toBe(sealed.text);
  expect((await client.tell("/v1/blocks/1/committed")).json).toEqual({ height: 1, changed: true });
  expect((await client.tell("/v1/blocks/1/committed")).json).toEqual({ height: 1, changed: false });
  await follower.until(({ event }) => event === "committed");
  expect((await client.get("/v1/statistics")).json.ledger.heldGwei).toBe(0);
  expect((await client.get(`/v1/accounts/${user.id}`)).json).toMatchObject({ nextNonce: 1, pending: 0 });

  // The validator: no model, no file, nothing but what HTTP gives.
  const registry = new RegistryView();
  const log = await client.get("/v1/registry/log");
  for (const line of log.text.trimEnd().split("\n")) expect(registry.add(JSON.parse(line))).toBeUndefined();
  const { schedulerKey } = (await client.get("/v1/registry")).json;
  const { receipts, ...block } = sealed.json;
  expect(verifyBlock({ block, receipts, registry, schedulerKey })).toEqual([]);
  const [{ receipt }] = receipts;
  const forged = [{ receipt: { ...receipt, feeGwei: receipt.feeGwei + 1 } }];
  expect(verifyBlock({ block, receipts: forged, registry, schedulerKey })).not.toEqual([]);
  await follower.stop();
});

test("a reorg gives the transaction back, and the same answer is sealed again", async () => {
  served = await serve();
  const { client } = served;
  const user = new User(1);
  await client.tell(`/v1/accounts/${user.id}/deposits`, { amountGwei: 1_000 });
  await client.tell("/v1/blocks", { height: 1, sealAtMs: Date.now() + 1_000 });
  const { hash } = (await client.post("/v1/transactions", user.sign())).json;
  await client.untilState(hash, "ready");
  const first = await client.tell("/v1/blocks/1/seal", { maxTransactions: 10, order: "arrival" });
  expect((await client.tell("/v1/blocks/1/reorged")).json).toEqual({ height: 1, changed: true });
  expect((await client.tell("/v1/blocks/1/reorged")).json).toEqual({ height: 1, changed: false });
  expect((await client.get("/v1/blocks/1")).status).toBe(404);
  await client.tell("/v1/blocks", { height: 1, sealAtMs: Date.now() + 1_000 });
  const second = await client.tell("/v1/blocks/1/seal", { maxTransactions: 10, order: "arrival" });
  expect(second.json.header.transactions).toEqual([hash]);
  expect(second.json.receipts[0].receipt.answerHash).toBe(first.json.receipts[0].receipt.answerHash);
});

test("an old block is found in the records, one search at a time", async () => {
  served = await serve({ pipe: { directory } });
  const { client } = served;
  const blocks = DEFAULT_CONFIG.limits.maxReorgDepth + 3;
  let first = "";
  for (let height = 1; height <= blocks; height++) {
    await client.tell("/v1/blocks", { height, sealAtMs: Date.now() + 1_000 });
    const sealed = await client.tell(`/v1/blocks/${height}/seal`, { maxTransactions: 10, order: "arrival" });
    if (height === 1) first = sealed.text;
    await client.tell(`/v1/blocks/${height}/committed`);
  }
  expect((await client.get("/v1/blocks/1")).text).toBe(first);
  const answers = await Promise.all(Array.from({ length: 8 }, () => client.get("/v1/blocks/1")));
  for (const { status, json, text } of answers) {
    if (status === 200) expect(text).toBe(first);
    else expect([status, json.type]).toEqual([503, "urn:pipe:problem:overloaded"]);
  }
  expect(answers.some(({ status }) => status === 200)).toBe(true);
  expect((await client.get(`/v1/blocks/${blocks + 1}`)).status).toBe(404);
});

test("the producer withdraws, tells bonds, state and policies; asked again each is the same", async () => {
  served = await serve({ scripts: [silent, silent] });
  const { client } = served;
  const user = new User(1);
  await client.tell(`/v1/accounts/${user.id}/deposits`, { amountGwei: 1_000 });
  await client.tell("/v1/blocks", { height: 1, sealAtMs: Date.now() + 60_000 });
  const { hash } = (await client.post("/v1/transactions", user.sign())).json;
  const withdraw = () => client.ask("DELETE", `/v1/transactions/${hash}`, { producer: true });
  expect((await withdraw()).status).toBe(204);
  // It has left; who asks again learns that, too.
  expect([204, 404]).toContain((await withdraw()).status);
  expect((await client.get(`/v1/accounts/${user.id}`)).json.depositGwei).toBe(1_000);

  const bonded = { node: "node-0", amountGwei: 500 };
  for (let i = 0; i < 2; i++)
    expect((await client.tell("/v1/nodes/node-0/bond", { amountGwei: 500 })).json).toEqual(bonded);
  expect((await client.tell("/v1/state-changes", { keys: ["account/1", "ключ"] })).status).toBe(204);

  const file = { name: "from http", rules: [{ name: "all", policy: { kind: "hedge", delayMs: 300, maxCopies: 3 } }] };
  const put = await client.ask("PUT", "/v1/policy", { body: file, producer: true });
  expect(put.json).toMatchObject({ name: "from http", origin: "http", policy: { kind: "rules" } });
  const yaml = "name: from http\nrules:\n  - name: all\n    policy: { kind: hedge, delayMs: 300, maxCopies: 3 }\n";
  const headers = { "content-type": "application/yaml" };
  const again = await client.ask("PUT", "/v1/policy", { raw: yaml, headers, producer: true });
  expect(again.json.version).toBe(put.json.version);
  expect((await client.get("/v1/policy")).json).toEqual(put.json);
});

test("a deposit with a key is made once, however often it is asked for", async () => {
  served = await serve();
  const { client } = served;
  const deposit = (amountGwei: number, key: string) =>
    client.ask("POST", "/v1/accounts/somebody/deposits", {
      body: { amountGwei },
      producer: true,
      headers: { "idempotency-key": key },
    });
  const answers = await Promise.all(Array.from({ length: 20 }, () => deposit(5, "event 7")));
  expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
  expect((await deposit(5, "event 8")).json.depositGwei).toBe(10);
  expect((await deposit(6, "event 8")).json.type).toBe("urn:pipe:problem:key-reused");
  expect((await client.get("/v1/accounts/somebody")).json.depositGwei).toBe(10);
});

test("P5: a deposit with a key is known again after a restart, from the journal as from a snapshot", async () => {
  const deposit = (amountGwei: number, key: string) =>
    (served as Served).client.ask("POST", "/v1/accounts/somebody/deposits", {
      body: { amountGwei },
      producer: true,
      headers: { "idempotency-key": key },
    });
  const start = async (from: string) => {
    await served?.close();
    served = await serve({ pipe: { directory: from } });
  };
  await start(directory);
  await deposit(5, "event 7");
  expect((await deposit(2 ** 52, "event 8")).status).toBe(422);
  // As a crash leaves it: the journal alone.
  const left = `${directory}-left`;
  await cp(directory, left, { recursive: true });
  await rm(join(left, "journal", "lock"));
  for (const from of [left, directory]) {
    await start(from);
    expect((await deposit(5, "event 7")).json.depositGwei).toBe(5);
    expect((await deposit(6, "event 7")).json.type).toBe("urn:pipe:problem:key-reused");
    // What was refused was not made.
    expect((await deposit(6, "event 8")).json.depositGwei).toBe(11);
    expect((await deposit(6, "event 8")).json.depositGwei).toBe(11);
  }
  await rm(left, { recursive: true });
});

test("the document is valid OpenAPI, has every route, and promises what the server answers", async () => {
  served = await serve({ pipe: { directory } });
  const { client } = served;
  const { json: document } = await client.get("/openapi.json");
  expect(await faultsOf(document)).toEqual([]);
  const promised = new Promised(document);
  const differences: string[] = [];
  client.onAnswer = (method, path, answer) => {
    const difference = promised.difference(method, path, answer);
    if (difference !== undefined) differences.push(difference);
  };

  const user = new User(1);
  const signed = user.sign();
  await client.tell(`/v1/accounts/${user.id}/deposits`, { amountGwei: 1_000 });
  await client.post(`/v1/accounts/${user.id}/deposits`, { amountGwei: 1_000 });
  await client.get(`/v1/accounts/${user.id}`);
  await client.get("/v1/accounts/nobody");
  await client.tell("/v1/blocks", { height: 1, sealAtMs: Date.now() + 2_000 });
  await client.post("/v1/quotes", { model: "echo", tokensIn: 1, tokensOut: 1, ttlBlocks: 3 });
  await client.post("/v1/quotes", { model: "nothing", tokensIn: 1, tokensOut: 1, ttlBlocks: 3 });
  const { hash } = (await client.post("/v1/estimates", signed)).json;
  await client.post("/v1/transactions", signed);
  await client.post("/v1/transactions", signed);
  await client.post("/v1/transactions", { ...signed, nonce: 9 });
  await client.untilState(hash, "ready");
  await client.get(`/v1/transactions/${hash}/estimate`);
  const second = (await client.post("/v1/transactions", user.sign())).json;
  await client.ask("DELETE", `/v1/transactions/${second.hash}`, { producer: true });
  await client.tell("/v1/blocks/1/seal", { maxTransactions: 10, order: "gas" });
  await client.tell("/v1/blocks/7/seal", { maxTransactions: 10, order: "gas" });
  await client.ask("DELETE", `/v1/transactions/${hash}`, { producer: true });
  await client.get("/v1/blocks/1");
  await client.get("/v1/blocks/2");
  await client.get("/v1/blocks/two");
  await client.tell("/v1/blocks/1/committed");
  await client.tell("/v1/blocks/1/reorged");
  await client.tell("/v1/nodes/node-0/bond", { amountGwei: 1 });
  await client.tell("/v1/state-changes", { keys: [] });
  await client.ask("PUT", "/v1/policy", { body: { name: "x", rules: [] }, producer: true });
  await client.ask("PUT", "/v1/policy", {
    body: { name: "x", rules: [{ name: "all", policy: { kind: "fixed", copies: 1 } }] },
    producer: true,
  });
  for (const path of ["policy", "registry", "registry/log", "statistics"]) await client.get(`/v1/${path}`);
  for (const path of ["health", "ready", "metrics", "nothing"]) await client.get(`/${path}`);
  await client.ask("DELETE", "/v1/transactions/xyz", { producer: true });
  expect(differences).toEqual([]);
  // It would have found one.
  const health = await client.get("/health");
  expect(promised.difference("GET", "/health", { ...health, json: { ...health.json, status: "dead" } })).toContain(
    "status",
  );

  // Every operation was tried, and did once what it is there for; a stream of events has no end to wait for.
  const done = [...promised.seen].filter((seen) => / 20\d$/.test(seen)).map((seen) => seen.replace(/ \d+$/, ""));
  const operations = Object.entries(document.paths as Record<string, object>).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect(operations.filter((operation) => !done.includes(operation))).toEqual(["GET /v1/events"]);
  expect((await client.get("/v1/registry")).json.chainId).toBe(CHAIN);
});

test("over TLS it is the same, and plain HTTP is told apart", async () => {
  const { certificate, privateKey } = createEmulatorRoot({ nowMs: Date.now() });
  const pem = (label: string, der: Uint8Array) =>
    `-----BEGIN ${label}-----\n${Buffer.from(der).toString("base64").replace(/.{64}/g, "$&\n")}\n-----END ${label}-----\n`;
  const tls = { cert: pem("CERTIFICATE", certificate), key: pem("PRIVATE KEY", privateKey) };
  served = await serve({ http: { tls } });
  const { url } = served;
  expect(url).toMatch(/^https:/);
  const answered = new Promise<number | undefined>((resolve, reject) => {
    // The certificate is for no server: who it is is not what is tested.
    const options = { rejectUnauthorized: false, agent: false };
    secureRequest(`${url}/ready`, options, (response) => resolve(response.resume().statusCode))
      .on("error", reject)
      .end();
  });
  expect(await answered).toBe(200);
  await expect(fetch(url.replace("https:", "http:"))).rejects.toThrow();
});
