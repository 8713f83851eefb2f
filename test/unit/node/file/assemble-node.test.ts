import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Assignment, NodeMessage } from "../../../../scheduler/live/transport.ts";
import { createEmulatorRoot } from "../../../../scheduler/node/enclave-emulator.ts";
import { writeEmulatorRoot } from "../../../../scheduler/node/enclave-emulator-file.ts";
import { assembleNode, type AssembledNode } from "../../../../scheduler/node/file/assemble-node.ts";
import { loadNodeFile } from "../../../../scheduler/node/file/node-file.ts";
import { sha256Hex } from "../../../../scheduler/proofs/digest.ts";
import { verifySignature } from "../../../../scheduler/proofs/keys.ts";
import { encodeStatement } from "../../../../scheduler/proofs/statement.ts";
import { beginStream, type ChatServer, chatServer, chunk, STOP } from "../backends/chat-server.ts";
import { assignment, INPUT } from "../node-under-test.ts";

let directory = "";
let server: ChatServer;
let node: AssembledNode | undefined;
/** What the server waits for before it goes on after its first words. */
let going: PromiseWithResolvers<void>;

beforeEach(async () => {
  going = Promise.withResolvers<void>();
  directory = await mkdtemp(join(tmpdir(), "pipe-node-"));
  await writeFile(join(directory, "node.key"), "07".repeat(32), { mode: 0o600 });
  await writeEmulatorRoot(join(directory, "enclave-emulator.json"), createEmulatorRoot({ nowMs: Date.now() }));
  server = await chatServer(async ({ request, response }) => {
    if (request.method === "GET") return response.end('{"data": [{"id": "org/chat"}]}');
    beginStream(response);
    response.write(chunk("To be"));
    await going.promise;
    response.end(chunk(" or not.") + STOP);
  });
});
afterEach(async () => {
  going.resolve();
  await node?.close();
  node = undefined;
  await server.close();
  await rm(directory, { recursive: true, force: true });
});

async function assembled() {
  const path = join(directory, "pipe.node.yaml");
  await writeFile(
    path,
    `id: node-a
operator: o
region: r
hardware: h
slots: 4
queueLimit: 0
key: node.key
chain: pipe-test
shard: main
schedulers: ["${"ab".repeat(32)}"]
servers: ["nats://127.0.0.1:4222"]
models:
  - model: chat
    priceGwei: { vanilla: 100 }
    concurrency: 1
    backend: { kind: openai, url: "${server.url}/", name: org/chat, apiKeyEnv: CHAT_KEY }
  - model: shout
    priceGwei: { vanilla: 5 }
    backend: { kind: exec, command: [tr, a-z, A-Z] }
  - model: gone
    priceGwei: { vanilla: 5 }
    backend: { kind: exec, command: [no-such-program] }
  - model: risk-small
    priceGwei: { vanilla: 5, tee: 9 }
    backend: { kind: onnx }
enclave: { emulator: enclave-emulator.json }
`,
  );
  const lines: string[] = [];
  const environment = { PATH: process.env["PATH"], CHAT_KEY: "sk-secret" };
  node = await assembleNode(await loadNodeFile(path, environment), {
    environment,
    log: (level, message, fields) => lines.push(`${level} ${message} ${JSON.stringify(fields)}`),
  });
  const heard: NodeMessage[] = [];
  const hosted = node.create((message) => heard.push(message));
  const said = (kind: NodeMessage["kind"], copy: number) =>
    vi.waitFor(
      () => {
        const found = heard.find((message) => message.kind === kind && "copy" in message && message.copy === copy);
        expect(found, JSON.stringify(heard)).toBeDefined();
        return found as NodeMessage;
      },
      { timeout: 5_000, interval: 5 },
    );
  return { node, hosted, heard, said, lines, key: node.terms.key };
}

function call(copy: number, model: string, input: string | Uint8Array): Assignment {
  const bytes = typeof input === "string" ? new TextEncoder().encode(input) : input;
  return assignment(copy, { model, input: bytes, inputHash: sha256Hex(bytes), tokensOut: 50 });
}

it("answers with every kind of backend, and signs what it computed (P3)", async () => {
  const { hosted, said, key } = await assembled();
  going.resolve();
  const calls = [call(1, "chat", "To be?"), call(2, "shout", "hello"), call(3, "risk-small", INPUT)];
  for (const one of calls) hosted.assign(one);
  const outputs: Uint8Array[] = [];
  for (const { copy, chainId, txHash, callIndex, model, inputHash, mode, nonce } of calls) {
    const answer = await said("answered", copy);
    if (answer.kind !== "answered") throw new Error("no answer");
    outputs.push(answer.output);
    const about = { chainId, txHash, callIndex, model, inputHash, mode, node: "node-a", nonce };
    const statement = encodeStatement({ ...about, outputHash: sha256Hex(answer.output) });
    expect(verifySignature(key, statement, answer.proof.signature)).toBe(true);
  }
  const [chat, shout, risk] = outputs.map((output) => Buffer.from(output));
  expect([chat?.toString(), shout?.toString(), risk?.length]).toEqual(["To be or not.", "HELLO", 4]);
  expect(server.exchanges.map(({ request }) => request.headers.authorization)).toEqual([
    "Bearer sk-secret",
    "Bearer sk-secret",
  ]);
});

it("says progress with the first token, and closes the server's connection on Cancel (P9)", async () => {
  const { hosted, heard, said } = await assembled();
  hosted.assign(call(1, "chat", "To be?"));
  expect(await said("progressed", 1)).toEqual({ kind: "progressed", node: "node-a", copy: 1, tokens: 1 });
  expect(heard.some(({ kind }) => kind === "answered")).toBe(false);
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  server.exchanges.at(-1)?.request.socket.once("close", () => resolve());
  // Its one place is taken, until the Cancel.
  hosted.assign(call(2, "chat", "To be?"));
  expect(await said("failed", 2)).toMatchObject({ reason: "overloaded" });
  hosted.cancel(1);
  hosted.assign(call(3, "chat", "To be?"));
  expect(await said("failed", 1)).toMatchObject({ reason: "cancelled" });
  await closed;
  going.resolve();
  await said("answered", 3);
});

it("names as warm what answers, and keeps the rest from no one", async () => {
  const {
    node: { probes },
    hosted,
    heard,
    said,
    lines,
  } = await assembled();
  expect([...probes].map(([model, { ok }]) => [model, ok])).toEqual([
    ["chat", true],
    ["shout", true],
    ["gone", false],
    ["risk-small", true],
  ]);
  hosted.join(undefined);
  expect(heard.find(({ kind }) => kind === "reported")).toMatchObject({ warm: ["chat", "shout", "risk-small"] });
  hosted.assign(call(1, "gone", "x"));
  expect(await said("failed", 1)).toMatchObject({ reason: "error" });
  hosted.drain();
  expect(lines.join("\n")).toContain('warn a model\'s backend does not answer {"model":"gone"');
  expect(lines.join("\n")).not.toContain("sk-secret");
});

it("retires when what runs has come to its end", async () => {
  const { node: retiring, hosted, said } = await assembled();
  hosted.assign(call(1, "chat", "To be?"));
  await said("progressed", 1);
  const retired = retiring.retire(5_000);
  going.resolve();
  await retired;
  await said("answered", 1);
});

it("proves in mode tee with the enclave that its file names, under the document that it gave", async () => {
  const { node: attesting, hosted, said } = await assembled();
  const attested = attesting.attest?.({ chainId: "pipe-test", epoch: 3, seed: "cd".repeat(32) });
  expect(attested?.ref).toEqual({ epoch: 3, hash: sha256Hex(attested?.document ?? new Uint8Array()) });
  const attestation = attested?.ref.hash ?? "";
  hosted.assign({ ...call(1, "risk-small", INPUT), mode: "tee", attestation });
  const answer = await said("answered", 1);
  expect(answer.kind === "answered" && answer.proof).toMatchObject({ kind: "tee", attestation });
  hosted.assign({ ...call(2, "risk-small", INPUT), mode: "tee", attestation: "ef".repeat(32) });
  expect(await said("failed", 2)).toMatchObject({ reason: "error" });
});
