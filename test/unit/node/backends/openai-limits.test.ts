import { createPrivateKey } from "node:crypto";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { createEmulatorRoot } from "../../../../scheduler/node/enclave-emulator.ts";
import { answerWith, beginStream, chunk, type Exchange, STOP } from "./chat-server.ts";
import { ask, backendAt, closed, endServers, serving, text } from "./openai-under-test.ts";

/** Servers that do what they should not: none of them costs more than its copy. */

afterEach(endServers);

describe("a stream that is broken fails the copy, and is not asked for again", () => {
  const broken: [string, (exchange: Exchange) => unknown, string][] = [
    [
      "cut",
      ({ request, response }) => {
        beginStream(response);
        response.write(chunk("half an"));
        setTimeout(() => request.socket.destroy(), 30);
      },
      "the stream was cut",
    ],
    [
      "ended too early",
      ({ response }) => {
        beginStream(response);
        response.end(chunk("half an"));
      },
      "the stream ended before the answer did",
    ],
    ["without any event", nothingBut(""), "the stream ended before the answer did"],
    ["malformed", streamOf('data: {"choices": [\n\n'), "no JSON object"],
    ["a list", streamOf("data: []\n\n"), "no JSON object"],
    ["of something else", streamOf('data: {"choices": {}}\n\n'), "`choices` is no list"],
    ["of empty choices", streamOf('data: {"choices": [null]}\n\n'), "a choice is no object"],
    ["of numbers", streamOf('data: {"choices": [{"delta": {"content": 7}}]}\n\n'), "content is no text"],
    ["an error", streamOf('data: {"error": {"message": "CUDA out of memory"}}\n\n'), "CUDA out of memory"],
    [
      "censored",
      streamOf('data: {"choices": [{"delta": {}, "finish_reason": "content_filter"}]}\n\n'),
      "content_filter",
    ],
    ["no text", nothingBut(Buffer.from([0x64, 0xff, 0xfe])), "not UTF-8"],
    [
      "no stream",
      ({ response }) => response.writeHead(200, { "content-type": "application/json" }).end("{}"),
      "answered with application/json",
    ],
  ];

  function nothingBut(bytes: string | Uint8Array): (exchange: Exchange) => void {
    return ({ response }) => {
      beginStream(response);
      response.end(bytes);
    };
  }

  function streamOf(events: string): (exchange: Exchange) => void {
    return ({ response }) => {
      beginStream(response);
      response.end(chunk("half an") + events + STOP);
    };
  }

  it.each(broken)("%s", async (_what, answer, why) => {
    const server = await serving(answer);
    const run = await ask(backendAt(server));
    expect(run).toMatchObject({ ok: false, reason: "error", why: expect.stringContaining(why) });
    expect(server.exchanges).toHaveLength(1);
  });
});

describe("limits (B3)", () => {
  /** Sends pieces until the connection is closed. */
  function endless(piece: string, everyMs: number): (exchange: Exchange) => void {
    return ({ response }) => {
      beginStream(response);
      const timer = setInterval(() => response.write(piece), everyMs);
      response.on("close", () => clearInterval(timer));
    };
  }

  it("hold for headers that do not come", async () => {
    const server = await serving(() => undefined);
    const run = ask(backendAt(server, { firstTokenMs: 150 }));
    expect(text(await run)).toBe("failed: no token came within 150 ms");
    await closed(server.exchanges[0] as Exchange);
  });

  it("hold for a first token that does not come, whatever else does", async () => {
    const server = await serving(endless(": still here\n\n", 10));
    expect(text(await ask(backendAt(server, { firstTokenMs: 150 })))).toBe("failed: no token came within 150 ms");
    await closed(server.exchanges[0] as Exchange);
  });

  it("hold for an answer that does not end", async () => {
    const server = await serving(endless(chunk("a"), 10));
    expect(text(await ask(backendAt(server, { totalMs: 300 })))).toBe("failed: the answer took more than 300 ms");
    await closed(server.exchanges[0] as Exchange);
  });

  it("hold for the lease", async () => {
    const server = await serving(endless(chunk("a"), 10));
    expect(text(await ask(backendAt(server), { withinMs: 200 }))).toBe("failed: the answer took more than 200 ms");
  });

  it("hold for a giant answer", async () => {
    const server = await serving(endless(chunk("a".repeat(400)), 1));
    expect(text(await ask(backendAt(server)))).toBe("failed: the answer is longer than 1000 bytes");
    await closed(server.exchanges[0] as Exchange);
  });

  it("hold for a giant event", async () => {
    const server = await serving(({ response }) => {
      beginStream(response);
      response.write("data: ");
      const timer = setInterval(() => response.write("x".repeat(100_000)), 1);
      response.on("close", () => clearInterval(timer));
    });
    expect(text(await ask(backendAt(server)))).toBe("failed: an event of the stream is too long");
    await closed(server.exchanges[0] as Exchange);
  });

  it("hold for a stream of nothing that is giant", async () => {
    const server = await serving(endless(`: ${"x".repeat(100_000)}\n\n`, 1));
    expect(text(await ask(backendAt(server)))).toMatch(/^failed: the stream is longer than \d+ bytes$/);
    await closed(server.exchanges[0] as Exchange);
  });

  it("hold for a call without tokens", async () => {
    const server = await serving(answerWith("never"));
    expect(text(await ask(backendAt(server), { tokensOut: 0 }))).toBe("failed: the call asks for no tokens");
  });
});

describe("a server that nobody vouches for", () => {
  it("gets neither key nor prompt", async () => {
    const { certificate, privateKey } = createEmulatorRoot({ nowMs: Date.now() });
    const key = createPrivateKey({ key: Buffer.from(privateKey), format: "der", type: "pkcs8" });
    const pem = `-----BEGIN CERTIFICATE-----\n${Buffer.from(certificate).toString("base64")}\n-----END CERTIFICATE-----\n`;
    let requests = 0;
    const server = createServer({ key: key.export({ format: "pem", type: "pkcs8" }), cert: pem }, () => {
      requests += 1;
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
    const run = await ask(backendAt({ url }, { apiKey: "sk-secret", retries: 0 }));
    expect(text(run)).toMatch(/^failed: fetch failed: .*certificate/);
    expect(requests).toBe(0);
    await new Promise((resolve) => server.close(resolve));
  });
});

describe("a probe", () => {
  it.each([
    ["lists the model", 200, '{"data": [{"id": "org/model"}]}', { ok: true }],
    ["lists its latest", 200, '{"data": [{"id": "org/model:latest"}]}', { ok: true }],
    [
      "lists others",
      200,
      '{"data": [{"id": "a"}, {}, {"id": "b"}]}',
      { ok: true, note: "the server does not list org/model; it lists a, b" },
    ],
    ["lists nothing that can be read", 200, "<html>", { ok: true }],
    ["has no list", 404, "", { ok: true, note: expect.stringContaining("does not exist") }],
    ["refuses the key", 401, "", { ok: false, why: expect.stringContaining("HTTP 401") }],
    ["is loading", 503, "", { ok: false, why: expect.stringContaining("HTTP 503") }],
  ])("of a server that %s", async (_what, status, body, expected) => {
    const server = await serving(({ response }) => response.writeHead(status).end(body));
    expect(await backendAt(server, { apiKey: "k" }).probe(AbortSignal.timeout(5_000))).toEqual(expected);
    const { request } = server.exchanges[0] as Exchange;
    expect([request.method, request.url, request.headers.authorization]).toEqual(["GET", "/v1/models", "Bearer k"]);
  });

  it("gives up in time", async () => {
    const server = await serving(() => undefined);
    expect(await backendAt(server).probe(AbortSignal.timeout(100))).toMatchObject({
      ok: false,
      why: expect.stringContaining("no answer in time"),
    });
  });
});
