import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it, vi } from "vitest";
import { seededUniform } from "../../../../scheduler/node/behaviour/random.ts";
import { answerWith, beginStream, chatServer, chunk, type Exchange, STOP } from "./chat-server.ts";
import { ask, backendAt, closed, endServers, serving, text } from "./openai-under-test.ts";

afterEach(endServers);

describe("a request", () => {
  it("carries the prompt as one message, the call's limit of tokens, and what the operator decided", async () => {
    const server = await serving(answerWith("A list."));
    expect(text(await ask(backendAt(server, { apiKey: "sk-secret" }), { tokensOut: 33 }))).toBe("A list.");
    const { request, body } = server.exchanges[0] as Exchange;
    expect([request.method, request.url]).toEqual(["POST", "/v1/chat/completions"]);
    expect(request.headers).toMatchObject({ authorization: "Bearer sk-secret", "content-type": "application/json" });
    expect(body).toEqual({
      model: "org/model",
      messages: [{ role: "user", content: "What is a block?" }],
      max_tokens: 33,
      temperature: 0,
      seed: 0,
      stream: true,
      stream_options: { include_usage: true },
    });
  });

  it("leaves out what the operator does not want sent", async () => {
    const server = await serving(answerWith("ok"));
    const tokensField = "max_completion_tokens";
    await ask(backendAt(server, { seed: undefined, temperature: 0.7, usage: "unasked", tokensField }));
    const { request, body } = server.exchanges[0] as Exchange;
    expect(Object.keys(body)).toEqual(["model", "messages", "max_completion_tokens", "temperature", "stream"]);
    expect(request.headers.authorization).toBeUndefined();
  });

  it("carries a conversation as it is", async () => {
    const server = await serving(answerWith("ok"));
    const messages = [
      { role: "system", content: "Be brief. 简" },
      { role: "user", content: "Why?" },
    ];
    await ask(backendAt(server), {}, new TextEncoder().encode(` ${JSON.stringify({ messages })}\n`));
    expect(server.exchanges[0]?.body["messages"]).toEqual(messages);
  });

  it.each([
    ["no text", new Uint8Array([0xff, 0xfe]), "not UTF-8"],
    ["empty", new TextEncoder().encode(" \n"), "empty"],
    ["a conversation without messages", '{"messages": []}', "no list of 1 to 256"],
    [
      "a conversation with a setting",
      '{"messages": [{"role": "user", "content": "x"}], "temperature": 2}',
      '"temperature"',
    ],
    ["an image's address", '{"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}', "a message is not"],
    ["a message with a tool", '{"messages": [{"role": "tool", "content": "x"}]}', "a message is not"],
    ["half a character", '{"messages": [{"role": "user", "content": "\\ud83d"}]}', "a message is not"],
  ])("is not made of an input that is %s", async (_what, input, why) => {
    const server = await serving(answerWith("never"));
    const bytes = typeof input === "string" ? new TextEncoder().encode(input) : input;
    expect(await ask(backendAt(server), {}, bytes)).toMatchObject({
      ok: false,
      reason: "error",
      why: expect.stringContaining(why),
    });
    expect(server.exchanges).toEqual([]);
  });

  it("treats JSON that is no conversation as a prompt", async () => {
    const server = await serving(answerWith("ok"));
    for (const prompt of ['{"a": 1}', "{ not JSON", '["messages"]']) {
      await ask(backendAt(server), {}, new TextEncoder().encode(prompt));
    }
    expect(server.exchanges.map(({ body }) => body["messages"])).toEqual(
      ['{"a": 1}', "{ not JSON", '["messages"]'].map((content) => [{ role: "user", content }]),
    );
  });
});

describe("an answer", () => {
  it("is read as it comes, its first token at once", async () => {
    const server = await serving(async ({ response }) => {
      beginStream(response);
      response.write(": a comment, as servers send to keep a connection\n\n");
      for (const word of ["One", " two", " three"]) {
        response.write(chunk(word));
        await sleep(80);
      }
      response.end(STOP);
    });
    const seen: { readonly tokens: number; readonly atMs: number }[] = [];
    const startMs = performance.now();
    const run = await ask(backendAt(server), {
      onProgress: (tokens) => seen.push({ tokens, atMs: performance.now() - startMs }),
    });
    const tookMs = performance.now() - startMs;
    expect(text(run)).toBe("One two three");
    // The server's own count comes last.
    expect(seen.map(({ tokens }) => tokens)).toEqual([1, 2, 3, 7]);
    expect(tookMs - (seen[0]?.atMs ?? tookMs)).toBeGreaterThan(150);
  });

  it("leaves its connection to the next request", async () => {
    const server = await serving(answerWith("ok"));
    const backend = backendAt(server);
    for (let i = 0; i < 3; i++) {
      expect(text(await ask(backend))).toBe("ok");
      await sleep(20);
    }
    expect(server.sockets).toHaveLength(1);
  });

  it("does not wait for a stream that goes on after it said that it is over", async () => {
    const server = await serving(({ response }) => {
      beginStream(response);
      response.write(chunk("ok") + STOP);
    });
    const startMs = performance.now();
    expect(text(await ask(backendAt(server)))).toBe("ok");
    expect(performance.now() - startMs).toBeLessThan(400);
    expect(await closed(server.exchanges[0] as Exchange)).toEqual({ finished: false });
  });

  it("may be as long as its limit, and no byte longer", async () => {
    const server = await serving(({ response, index }) =>
      answerWith("é".repeat(250), "é".repeat(250), index === 0 ? "" : "!")({ response } as Exchange),
    );
    const backend = backendAt(server);
    expect(text(await ask(backend))).toBe("é".repeat(500));
    expect(text(await ask(backend))).toBe("failed: the answer is longer than 1000 bytes");
  });
});

describe("a copy that is over (P9, B1)", () => {
  it("closes the connection while the answer is still coming", async () => {
    const server = await serving(async ({ response }) => {
      beginStream(response);
      for (let i = 0; i < 1_000 && !response.closed; i++) {
        response.write(chunk("word "));
        await sleep(10);
      }
      response.end(STOP);
    });
    const copy = new AbortController();
    const { promise: began, resolve } = Promise.withResolvers<void>();
    const run = ask(backendAt(server), { signal: copy.signal, onProgress: () => resolve() });
    await began;
    const end = closed(server.exchanges[0] as Exchange);
    const abortedMs = performance.now();
    copy.abort();
    expect(text(await run)).toBe("failed: the copy is over");
    expect(await end).toEqual({ finished: false });
    expect(performance.now() - abortedMs).toBeLessThan(1_000);
  });

  it("closes the connection while the server has not even sent headers", async () => {
    const { promise: came, resolve } = Promise.withResolvers<Exchange>();
    const server = await serving(resolve);
    const copy = new AbortController();
    const run = ask(backendAt(server), { signal: copy.signal });
    const end = closed(await came);
    copy.abort();
    expect(text(await run)).toBe("failed: the copy is over");
    expect(await end).toEqual({ finished: false });
  });

  it("sends nothing more while it waits to try again", async () => {
    const server = await serving(({ response }) => response.writeHead(429, { "retry-after": "2" }).end());
    const copy = new AbortController();
    const run = ask(backendAt(server), { signal: copy.signal });
    await sleep(100);
    copy.abort();
    expect(text(await run)).toBe("failed: the copy is over");
    expect(server.exchanges).toHaveLength(1);
  });

  it("before it began sends nothing", async () => {
    const server = await serving(answerWith("ok"));
    expect(text(await ask(backendAt(server), { signal: AbortSignal.abort() }))).toBe("failed: the copy is over");
    expect(server.exchanges).toEqual([]);
  });
});

describe("many copies at once", () => {
  it("each come to their own end: answered, or with their connection closed", async () => {
    const uniform = seededUniform(11);
    let open = 0;
    const server = await serving(async ({ response, body }) => {
      open += 1;
      response.on("close", () => {
        open -= 1;
      });
      beginStream(response);
      const [message] = body["messages"] as { readonly content: string }[];
      for (let word = 0; word < 10 && !response.closed; word++) {
        response.write(chunk(`${message?.content}.${word} `));
        await sleep(10 * uniform());
      }
      response.end(STOP);
    });
    const backend = backendAt(server);
    const runs = Array.from({ length: 60 }, async (_, copy) => {
      const end = new AbortController();
      const timer = copy % 2 === 0 ? undefined : setTimeout(() => end.abort(), 80 * uniform());
      const run = await ask(backend, { signal: end.signal }, new TextEncoder().encode(String(copy)));
      clearTimeout(timer);
      const whole = Array.from({ length: 10 }, (_word, word) => `${copy}.${word} `).join("");
      expect([whole, ...(copy % 2 === 0 ? [] : ["failed: the copy is over"])]).toContain(text(run));
      return run.ok;
    });
    const answered = await Promise.all(runs);
    expect(answered.filter((ok) => !ok).length).toBeGreaterThan(5);
    await vi.waitFor(() => expect(open).toBe(0), { timeout: 5_000 });
  });
});

describe("a server that refuses (B2)", () => {
  it("for now is asked again after the time that it names", async () => {
    const server = await serving((exchange) => {
      if (exchange.index > 0) return answerWith("at last")(exchange);
      exchange.response.writeHead(429, { "retry-after": "0.4" }).end("slow down");
    });
    const startMs = performance.now();
    expect(text(await ask(backendAt(server)))).toBe("at last");
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(395);
  });

  it.each([
    [429, "overloaded", 3],
    [503, "overloaded", 3],
    [500, "error", 3],
    [502, "error", 3],
    [400, "error", 1],
    [401, "error", 1],
    [404, "error", 1],
    [302, "error", 1],
  ] as const)("with %i fails the copy as %s after %i requests", async (status, reason, requests) => {
    const server = await serving(({ response }) =>
      response.writeHead(status, { "retry-after": "0", location: "/v1/other" }).end("too\n  much"),
    );
    const run = await ask(backendAt(server));
    expect(run).toEqual({ ok: false, reason, why: `HTTP ${status}: too much` });
    expect(server.exchanges).toHaveLength(requests);
  });

  it("for longer than the first token may take is not waited for", async () => {
    const server = await serving(({ response }) => response.writeHead(429, { "retry-after": "3600" }).end());
    const startMs = performance.now();
    expect(await ask(backendAt(server))).toMatchObject({ ok: false, reason: "overloaded" });
    expect(performance.now() - startMs).toBeLessThan(1_000);
    expect(server.exchanges).toHaveLength(1);
  });

  it("for longer than the lease is not waited for", async () => {
    const server = await serving(({ response }) => response.writeHead(503, { "retry-after": "2" }).end());
    expect(await ask(backendAt(server), { withinMs: 1_000 })).toMatchObject({ ok: false, reason: "overloaded" });
    expect(server.exchanges).toHaveLength(1);
  });

  it("with a refusal that never ends is read only so far", async () => {
    const server = await serving(({ response }) => {
      response.writeHead(400);
      const timer = setInterval(() => response.write("x".repeat(1_000)), 1);
      response.on("close", () => clearInterval(timer));
    });
    const run = await ask(backendAt(server));
    expect(run.ok ? "" : run.why).toMatch(/^HTTP 400: x{300}$/);
    await closed(server.exchanges[0] as Exchange);
  });

  it("by not being there fails the copy, and says why", async () => {
    const server = await chatServer(answerWith("never"));
    await server.close();
    expect(text(await ask(backendAt(server, { retries: 0 })))).toMatch(/^failed: fetch failed: connect ECONNREFUSED/);
  });

  it("by closing the connection before its first token is asked again", async () => {
    const server = await serving((exchange) => {
      if (exchange.index === 0) exchange.request.socket.destroy();
      else answerWith("again")(exchange);
    });
    expect(text(await ask(backendAt(server)))).toBe("again");
  });
});
