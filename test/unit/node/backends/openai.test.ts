import { createPrivateKey } from "node:crypto";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it, vi } from "vitest";
import { OpenAiBackend, type OpenAiSettings } from "../../../../scheduler/node/backends/openai.ts";
import { seededUniform } from "../../../../scheduler/node/behaviour/random.ts";
import { createEmulatorRoot } from "../../../../scheduler/node/enclave-emulator.ts";
import type { Run, RunOptions } from "../../../../scheduler/node/model-runner.ts";
import { unhurried } from "../node-under-test.ts";
import { answerWith, beginStream, type ChatServer, chatServer, chunk, type Exchange, STOP } from "./chat-server.ts";

const SETTINGS: Omit<OpenAiSettings, "url"> = {
  name: "org/model",
  apiKey: undefined,
  temperature: 0,
  seed: 0,
  tokensField: "max_tokens",
  usage: "asked",
  firstTokenMs: 5_000,
  totalMs: 10_000,
  outputBytes: 1_000,
  retries: 2,
};

const servers: ChatServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function serving(answer: (exchange: Exchange) => unknown): Promise<ChatServer> {
  const server = await chatServer(answer);
  servers.push(server);
  return server;
}

function backendAt(server: Pick<ChatServer, "url">, changes: Partial<OpenAiSettings> = {}): OpenAiBackend {
  return new OpenAiBackend({ ...SETTINGS, url: server.url, ...changes }, () => undefined);
}

const PROMPT = new TextEncoder().encode("What is a block?");

function ask(backend: OpenAiBackend, options: Partial<RunOptions> = {}, input = PROMPT): Promise<Run> {
  return backend.run(input, { ...unhurried(), ...options });
}

function text(run: Run): string {
  return run.ok ? new TextDecoder().decode(run.output) : `failed: ${run.why}`;
}

/** Resolves when the connection of the request is closed, with whether the answer had been sent whole by then. */
function closed({ request, response }: Exchange): Promise<{ readonly finished: boolean }> {
  const { promise, resolve } = Promise.withResolvers<{ readonly finished: boolean }>();
  request.socket.once("close", () => resolve({ finished: response.writableFinished }));
  return promise;
}

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
