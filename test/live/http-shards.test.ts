import { once } from "node:events";
import { connect } from "node:net";
import { afterEach, expect, test } from "vitest";
import { createEmulatorRoot } from "../../scheduler/index.ts";
import { startStandby } from "../../scheduler/http/standby.ts";
import { shardOf } from "../../scheduler/proofs/shard-of.ts";
import { Client, serve } from "./support/http.ts";
import { User } from "./support/users.ts";

/** One scheduler of several: it serves its own accounts; and what answers where another one leads. */

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await Promise.all(ends.splice(0).map((end) => end()));
});

const SHARDS = ["one", "two"];
const users = Array.from({ length: 16 }, (_, index) => new User(1 + index));
const userOf = (shard: string): User => users.find(({ id }) => shardOf(id, SHARDS) === shard) as User;

test("accounts of another shard are sent there, and cost nothing", async () => {
  const served = await serve({ http: { shards: { own: "one", all: SHARDS } } });
  ends.push(() => served.close());
  const { client } = served;
  const [ours, theirs] = [userOf("one"), userOf("two")];
  for (const refused of [
    await client.tell(`/v1/accounts/${theirs.id}/deposits`, { amountGwei: 1_000 }),
    await client.post("/v1/transactions", theirs.sign()),
    await client.post("/v1/estimates", theirs.sign()),
  ]) {
    expect(refused.status).toBe(421);
    expect(refused.json).toMatchObject({ type: "urn:pipe:problem:wrong-shard", shard: "two" });
  }
  expect((await client.tell(`/v1/accounts/${ours.id}/deposits`, { amountGwei: 1_000 })).status).toBe(200);
  await client.tell("/v1/blocks", { height: 1, sealAtMs: Date.now() + 500 });
  expect((await client.post("/v1/transactions", ours.sign())).status).toBe(202);
  // What has no sender is no transaction of any shard.
  expect((await client.post("/v1/transactions", { sender: 7 })).json).toMatchObject({
    type: "urn:pipe:problem:malformed",
  });
  const { json } = await client.get("/v1/statistics");
  expect(json.counters).toMatchObject({ submitted: 1, accepted: 1 });
});

test("a standby is well, not ready, and sends everybody else away until it gives its port up", async () => {
  let trouble: string | undefined;
  const about = { host: "127.0.0.1", tls: undefined, trouble: () => trouble };
  const standby = await startStandby({ ...about, port: 0 });
  const client = new Client(`http://127.0.0.1:${standby.port}`);
  expect(await client.get("/health")).toMatchObject({ status: 200, json: { status: "standby" } });
  for (const answer of [
    await client.get("/ready"),
    await client.post("/v1/transactions", { large: "x".repeat(1_000_000) }).catch(() => undefined),
  ]) {
    // A body that nobody reads may end the connection before the answer is read.
    if (answer === undefined) continue;
    expect(answer.status).toBe(503);
    expect(answer.json).toMatchObject({ type: "urn:pipe:problem:standby" });
    expect(answer.headers.get("retry-after")).toBe("1");
  }
  expect((await client.get("/ready")).json.reasons).toBeUndefined();
  trouble = "the lease is out of reach";
  expect((await client.get("/ready")).json).toMatchObject({
    reasons: [trouble],
    detail: expect.stringContaining(trouble),
  });
  expect(await client.get("/metrics")).toMatchObject({ status: 200 });
  await expect(startStandby({ ...about, port: standby.port })).rejects.toThrow("is taken");
  await standby.close();
  const next = await serve({ http: { port: standby.port } });
  ends.push(() => next.close());
  expect(next.url).toBe(`http://127.0.0.1:${standby.port}`);
});

test("who connects to a standby and says nothing does not hold up its leading", async () => {
  const { certificate, privateKey } = createEmulatorRoot({ nowMs: Date.now() });
  const pem = (what: string, der: Uint8Array) =>
    `-----BEGIN ${what}-----\n${Buffer.from(der).toString("base64")}\n-----END ${what}-----\n`;
  const [cert, key] = [pem("CERTIFICATE", certificate), pem("PRIVATE KEY", privateKey)];
  for (const tls of [undefined, { cert, key }]) {
    const standby = await startStandby({ host: "127.0.0.1", port: 0, tls, trouble: () => undefined });
    const mute = connect(standby.port, "127.0.0.1");
    mute.on("error", () => undefined);
    await once(mute, "connect");
    const startedMs = performance.now();
    await standby.close();
    expect(performance.now() - startedMs).toBeLessThan(2_000);
    mute.destroy();
  }
});
