import { type AddressInfo, connect, type Socket } from "node:net";
import { NodeHttpServer } from "@effect/platform-node";
import { Context, Effect, Exit, Scope } from "effect";
import { HttpServerRequest } from "effect/http";
import { afterEach, expect, test } from "vitest";
import { EventHub } from "../../scheduler/http/event-hub.ts";
import { followersOf } from "../../scheduler/http/followers.ts";
import { DEFAULT_HTTP_LIMITS } from "../../scheduler/http/limits.ts";
import { HttpMeters } from "../../scheduler/http/metrics.ts";
import { createNodeServer } from "../../scheduler/http/node-server.ts";
import { listen, stop } from "../../scheduler/live/listening.ts";
import { Follower, type Served, serve, TOKEN } from "./support/http.ts";

let served: Served | undefined;
afterEach(async () => {
  await served?.close();
  served = undefined;
});

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function until(holds: () => boolean): Promise<void> {
  const untilMs = performance.now() + 20_000;
  while (!holds()) {
    if (performance.now() > untilMs) throw new Error(`not after twenty seconds: ${holds}`);
    await pause(20);
  }
}

/** One event each: policies that differ. */
async function happen(target: Served, times: number, from = 1): Promise<void> {
  for (let i = 0; i < times; i++) {
    const policy = { kind: "hedge", delayMs: from + i, maxCopies: 2 };
    const body = { name: `p${from + i}`, rules: [{ name: "all", policy }] };
    expect((await target.client.ask("PUT", "/v1/policy", { body, producer: true })).status).toBe(200);
  }
}

test("a follower hears what happens, with numbers, and heartbeats when nothing does", async () => {
  served = await serve({ limits: { heartbeatMs: 50 } });
  const follower = new Follower(served.url);
  expect(await follower.status).toBe(200);
  await happen(served, 3);
  await follower.until(({ data }) => data.policy?.name === "p3");
  expect(follower.heard.map(({ event }) => event)).toEqual(Array(3).fill("policy-changed"));
  const numbers = follower.heard.map(({ id }) => Number(id.split("-")[1]));
  expect(numbers.map((n) => n - (numbers[0] as number))).toEqual([0, 1, 2]);
  await pause(200);
  expect(follower.comments.length).toBeGreaterThanOrEqual(2);
  await follower.stop();
});

test("who comes back goes on where it stopped, and is told when that is not possible any more", async () => {
  served = await serve({ limits: { keptEvents: 4 } });
  const first = new Follower(served.url);
  await first.status;
  await happen(served, 1);
  await first.until(({ data }) => data.policy?.name === "p1");
  await first.stop();

  await happen(served, 3, 2);
  const second = new Follower(served.url, { "last-event-id": first.lastId });
  await second.until(({ data }) => data.policy?.name === "p4");
  expect(second.heard.map(({ data }) => data.policy?.name)).toEqual(["p2", "p3", "p4"]);
  await second.stop();

  await happen(served, 7, 5);
  const third = new Follower(served.url, { "last-event-id": second.lastId });
  await third.until(({ data }) => data.policy?.name === "p11");
  expect(third.heard.map(({ data }) => data.missed ?? data.policy.name)).toEqual([3, "p8", "p9", "p10", "p11"]);
  await third.stop();

  const stranger = new Follower(served.url, { "last-event-id": "00000000-5" });
  expect((await stranger.until(({ event }) => event === "lagged")).data).toEqual({ kind: "lagged", missed: null });
  await stranger.stop();
});

test("so many may follow and no more, but there is always room for the producer", async () => {
  served = await serve({ limits: { maxOpenFollowers: 3, maxFollowers: 4 } });
  const open = Array.from({ length: 3 }, () => new Follower((served as Served).url));
  expect(await Promise.all(open.map(({ status }) => status))).toEqual([200, 200, 200]);
  const refused = await served.client.get("/v1/events");
  expect([refused.status, refused.json.type]).toEqual([503, "urn:pipe:problem:too-many-followers"]);
  const producer = new Follower(served.url, { authorization: `Bearer ${TOKEN}` });
  expect(await producer.status).toBe(200);
  expect((await served.client.get("/v1/events", { producer: true })).status).toBe(503);
  await open[0]?.stop();
  await pause(50);
  const next = new Follower(served.url);
  expect(await next.status).toBe(200);
  await Promise.all([...open, producer, next].map((follower) => follower.stop()));
  // A question for the headers alone takes no place.
  for (let i = 0; i < 5; i++) await served.client.ask("HEAD", "/v1/events");
  await pause(50);
  expect((await served.client.get("/metrics")).text).toMatch(/^pipe_http_followers 0$/m);
});

test("a follower that never reads costs a bounded amount and is let go; others hear everything meanwhile", async () => {
  const limits = { ...DEFAULT_HTTP_LIMITS, idleTimeoutMs: 1_500, heartbeatMs: 200, keptEvents: 256 };
  const hub = new EventHub(limits.keptEvents);
  let following = 0;
  const followers = followersOf(hub, limits, (count) => {
    following = count;
  });
  const server = createNodeServer(undefined, limits, new HttpMeters(Context.empty()));
  const scope = Scope.makeUnsafe();
  const followed = Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) =>
    Effect.orDie(followers.follow(request, { producer: false })),
  );
  server.on("request", Effect.runSync(NodeHttpServer.makeHandler(followed, { scope })));
  await listen(server, { host: "127.0.0.1", port: 0 });
  const { port } = server.address() as AddressInfo;
  const written: Socket[] = [];
  server.on("connection", (socket) => written.push(socket));

  const deaf = Array.from({ length: 20 }, () => {
    const socket = connect({ port, host: "127.0.0.1" });
    socket.on("error", () => undefined);
    socket.pause();
    socket.write("GET /v1/events HTTP/1.1\r\nhost: x\r\n\r\n");
    return socket;
  });
  const reader = new Follower(`http://127.0.0.1:${port}`);
  await reader.status;
  await until(() => following === 21);

  // Far more than the kernel keeps for a connection: 40 MB.
  const problems = ["x".repeat(1_000)];
  const count = 40_000;
  let most = 0;
  for (let i = 0; i < count; i++) {
    hub.publish({ kind: "policy-refused", file: String(i), problems });
    if (i % 200 !== 0) continue;
    await new Promise((resolve) => setImmediate(resolve));
    most = Math.max(most, ...written.map(({ writableLength }) => writableLength));
  }
  // One piece, the event that filled it, and what Node puts around them.
  expect(most).toBeLessThan(2 * limits.maxFrameCharacters);
  await reader.until(({ data }) => data.file === String(count - 1));
  const missed = reader.heard.reduce((sum, { data }) => sum + (data.missed ?? 0), 0);
  const heard = reader.heard.filter(({ event }) => event !== "lagged");
  expect(heard.length + missed).toBe(count);

  // Those that took nothing for so long are gone, without anybody's doing; who reads is not.
  await until(() => following === 1);
  await reader.stop();
  await until(() => following === 0);
  for (const socket of deaf) socket.destroy();
  await stop(server, 1_000);
  await Effect.runPromise(Scope.close(scope, Exit.void));
});

test("followers hear the end when the scheduler closes", async () => {
  const closing = await serve();
  const follower = new Follower(closing.url);
  await follower.status;
  const startedMs = performance.now();
  await closing.close();
  await follower.ended;
  expect(performance.now() - startedMs).toBeLessThan(5_000);
});
