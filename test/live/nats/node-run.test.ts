import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { createPipe } from "../../../scheduler/index.ts";
import type { Assignment, NodeMessage } from "../../../scheduler/live/transport.ts";
import { createNatsTransport, type NatsTransport } from "../../../scheduler/nats/index.ts";
import { sha256Hex } from "../../../scheduler/proofs/digest.ts";
import { NatsServer } from "../../support/nats-server.ts";
import { beginStream, type ChatServer, chatServer, chunk, STOP } from "../../unit/node/backends/chat-server.ts";
import { SCHEDULER, SHARD } from "../support/nats-fleet.ts";
import { ECHO_REGISTRY } from "../support/registries.ts";
import { CHAIN, untilState, User } from "../support/users.ts";

/** `pipe node run` as a process of its own: a real broker, a real scheduler's end, a real server of models. */

const MAIN = fileURLToPath(new URL("../../../scheduler/cli/main.ts", import.meta.url));
/** At twenty a second they take as long as a busy machine needs for what happens meanwhile. */
const WORDS = 100;
const WAIT = { timeout: 30_000, interval: 10 };

let broker: NatsServer;
let models: ChatServer;
let folder = "";
const ends: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  broker = await NatsServer.start();
});
afterAll(() => broker.end());
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "pipe-node-run-"));
  await writeFile(join(folder, "node.key"), "07".repeat(32), { mode: 0o600 });
  models = await chatServer(async ({ request, response }) => {
    if (request.method === "GET") return response.end('{"data": [{"id": "org/chat"}]}');
    beginStream(response);
    for (let word = 0; word < WORDS && !response.closed; word++) {
      response.write(chunk(`${word} `));
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    response.end(STOP);
  });
});
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
  await models.close();
  await rm(folder, { recursive: true, force: true });
});

interface Running {
  readonly signal: (name: NodeJS.Signals) => void;
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly ended: Promise<number | null>;
}

async function run(changes: { readonly servers?: string; readonly key?: string } = {}): Promise<Running> {
  const path = join(folder, "pipe.node.yaml");
  await writeFile(
    path,
    `id: node.run
operator: o
region: r
hardware: h
slots: 4
queueLimit: 4
key: node.key
chain: ${CHAIN}
shard: ${SHARD}
schedulers: ["${SCHEDULER.publicKeyHex}"]
servers: ["${changes.servers ?? broker.url}"]
drainMs: 10000
models:
  - model: echo
    priceGwei: { vanilla: 10 }
    backend: { kind: exec, command: [cat] }
  - model: chat
    priceGwei: { vanilla: 10 }
    backend: { kind: openai, url: "${models.url}", name: org/chat }
  - model: sleep
    priceGwei: { vanilla: 10 }
    backend: { kind: exec, command: [sh, -c, "echo $$ > sleep.pid; exec sleep 60"] }
`,
  );
  const child = spawn(process.execPath, [MAIN, "node", "run", path], { stdio: ["ignore", "pipe", "pipe"] });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (data) => {
    stdout += data;
  });
  child.stderr.on("data", (data) => {
    stderr += data;
  });
  const { promise: ended, resolve } = Promise.withResolvers<number | null>();
  child.on("close", resolve);
  ends.unshift(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  return { signal: (name) => child.kill(name), stdout: () => stdout, stderr: () => stderr, ended };
}

interface Scheduler {
  readonly transport: NatsTransport;
  readonly heard: NodeMessage[];
  hears(what: string, is: (message: NodeMessage) => boolean): Promise<NodeMessage>;
}

/** The scheduler's end without a scheduler: the test says what it sends. */
async function scheduler(): Promise<Scheduler> {
  const options = { servers: broker.url, chainId: CHAIN, shard: SHARD, epoch: 1, signingKey: SCHEDULER };
  const transport = createNatsTransport(options);
  const heard: NodeMessage[] = [];
  transport.onMessage((message) => heard.push(message));
  await transport.start();
  ends.push(() => transport.close());
  const hears = (what: string, is: (message: NodeMessage) => boolean) =>
    vi.waitFor(() => {
      const found = heard.find(is);
      expect(found, `${what}: ${JSON.stringify(heard)}`).toBeDefined();
      return found as NodeMessage;
    }, WAIT);
  return { transport, heard, hears };
}

const of = (copy: number, kind: NodeMessage["kind"]) => (message: NodeMessage) =>
  message.kind === kind && "copy" in message && message.copy === copy;

function call(copy: number, model: string): Assignment {
  const input = new TextEncoder().encode("hello");
  return {
    copy,
    node: "node.run",
    nonce: 100 + copy,
    chainId: CHAIN,
    txHash: "ab".repeat(32),
    callIndex: 0,
    model,
    mode: "vanilla",
    inputHash: sha256Hex(input),
    input,
    tokensIn: 1,
    tokensOut: 200,
    leaseMs: 60_000,
  };
}

async function sleeperPid(): Promise<number> {
  return await vi.waitFor(async () => {
    const pid = Number(await readFile(join(folder, "sleep.pid"), "utf8"));
    expect(pid).toBeGreaterThan(0);
    return pid;
  }, WAIT);
}

const isGone = (pid: number) => vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow("ESRCH"), WAIT);

describe("pipe node run", { timeout: 120_000 }, () => {
  it("joins, reports what is warm, answers, and lets answers end when it is told to stop", async () => {
    const { transport, heard, hears } = await scheduler();
    const node = await run();
    await hears("join", ({ kind }) => kind === "joined");
    expect(node.stdout()).toBe(
      `pipe node: node.run is ready for shard ${SHARD} on ${broker.url}: 3 models, 3 of them warm, 3 offers, 4 slots\n`,
    );
    await hears("report", (said) => said.kind === "reported" && said.warm.join() === "echo,chat,sleep");

    transport.dispatch(call(1, "echo"));
    const echoed = await hears("answer", of(1, "answered"));
    expect(echoed.kind === "answered" && new TextDecoder().decode(echoed.output)).toBe("hello");

    transport.dispatch(call(2, "chat"));
    await hears("progress", of(2, "progressed"));
    node.signal("SIGTERM");
    // Before the signal is heeded, the node would still take it.
    await vi.waitFor(() => expect(node.stderr()).toContain("the node stops"), WAIT);
    transport.dispatch(call(3, "echo"));
    expect(await hears("refusal", of(3, "failed"))).toMatchObject({ reason: "drained" });
    const whole = Array.from({ length: WORDS }, (_, word) => `${word} `).join("");
    const answered = await hears("last answer", of(2, "answered"));
    expect(answered.kind === "answered" && new TextDecoder().decode(answered.output)).toBe(whole);
    await hears("farewell", ({ kind }) => kind === "left");
    expect(await node.ended).toBe(0);
    expect(heard.filter(of(2, "failed"))).toEqual([]);
    const logged = node.stderr().trimEnd().split("\n");
    expect(logged.map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual(
      expect.arrayContaining(["connected to the broker", "following a scheduler", "joined", "the node has stopped"]),
    );
  });

  it("closes the connection to the server, and ends the command, when a copy is cancelled (P9)", async () => {
    const { transport, hears } = await scheduler();
    await run();
    await hears("join", ({ kind }) => kind === "joined");
    transport.dispatch(call(1, "chat"));
    transport.dispatch(call(2, "sleep"));
    await hears("progress", of(1, "progressed"));
    const pid = await sleeperPid();
    const socket = models.exchanges.at(-1)?.request.socket;
    expect(socket?.destroyed).toBe(false);
    for (const copy of [1, 2]) transport.cancel("node.run", copy);
    for (const copy of [1, 2]) expect(await hears("end", of(copy, "failed"))).toMatchObject({ reason: "cancelled" });
    await vi.waitFor(() => expect(socket?.destroyed).toBe(true), WAIT);
    await isGone(pid);
  });

  it("ends at once at a second signal, and its commands with it", async () => {
    const { transport, hears } = await scheduler();
    const node = await run();
    await hears("join", ({ kind }) => kind === "joined");
    transport.dispatch(call(1, "sleep"));
    const pid = await sleeperPid();
    node.signal("SIGINT");
    await vi.waitFor(() => expect(node.stderr()).toContain("the node stops"), WAIT);
    // What comes sooner is the same press once more, as npm hands it on.
    await new Promise((resolve) => setTimeout(resolve, 400));
    node.signal("SIGINT");
    expect(await node.ended).toBe(130);
    await isGone(pid);
  });

  it("is one node of a whole scheduler, whose verifier accepts what it proves", async () => {
    const transport = createNatsTransport({
      servers: broker.url,
      chainId: CHAIN,
      shard: SHARD,
      epoch: 1,
      signingKey: SCHEDULER,
    });
    const pipe = await createPipe({
      directory: undefined,
      chainId: CHAIN,
      fleet: { transport },
      registry: ECHO_REGISTRY,
      policy: { kind: "fixed", copies: 1 },
      logger: "silent",
    });
    ends.push(() => pipe.close());
    const node = await run();
    await vi.waitFor(() => expect(node.stderr()).toContain('"joined"'), WAIT);
    const user = new User(7);
    await pipe.deposit({ account: user.id, amountGwei: 1_000_000 });
    await pipe.openBlock({ height: 1, sealAtMs: Date.now() + 120_000 });
    const outcome = await pipe.submit(user.sign());
    if (!outcome.ok) throw new Error(JSON.stringify(outcome));
    await untilState(pipe, outcome.hash, "ready");
  });

  it("says with its status what kept it from running", async () => {
    const lost = await run({ servers: "nats://127.0.0.1:9" });
    expect(await lost.ended).toBe(1);
    expect(lost.stderr()).toMatch(/"error":".*127\.0\.0\.1:9.*"msg":"the node cannot run"/);
    await writeFile(join(folder, "node.key"), "spoiled");
    const keyless = await run();
    expect(await keyless.ended).toBe(2);
    expect(keyless.stderr()).toMatch(/pipe\.node\.yaml:7:1: key: names a file that holds no key/);
  });
});
