import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it, test } from "vitest";
import { Client } from "./support/http.ts";
import { User } from "./support/users.ts";

const MAIN = fileURLToPath(new URL("../../scheduler/cli/main.ts", import.meta.url));
const PRODUCER = fileURLToPath(new URL("../../docs/examples/http_producer.py", import.meta.url));
const CHAIN = "test-chain";

let folder = "";
let directory = "";
const running = new Set<ChildProcess>();
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "pipe-scheduler-"));
  directory = join(folder, "data");
});
afterEach(async () => {
  for (const child of running) child.kill("SIGKILL");
  running.clear();
  await rm(folder, { recursive: true, force: true });
});

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface Process {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  readonly ready: Promise<Client>;
  readonly said: () => string;
}

function commandOf(more: readonly string[]): string[] {
  const port = more.includes("--port") ? [] : ["--port", "0"];
  const args = ["scheduler", "--directory", directory, "--chain", CHAIN, ...port, "--json", "--log", "warn"];
  return [process.execPath, MAIN, ...args, ...more];
}

/** The command as a supervisor runs it. */
function scheduler(...more: readonly string[]): Process {
  return started(commandOf(more));
}

/** The same where no file may become longer than that. */
function schedulerWithin(kibibytes: number, ...more: readonly string[]): Process {
  return started(["bash", "-c", `ulimit -f ${kibibytes}; exec "$@"`, "bash", ...commandOf(more)]);
}

function started([program = "", ...args]: readonly string[]): Process {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  running.add(child);
  let [stdout, stderr] = ["", ""];
  const { promise: ended, resolve: onEnd } = Promise.withResolvers<Ended>();
  const { promise: ready, resolve: onReady, reject } = Promise.withResolvers<Client>();
  ready.catch(() => undefined);
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    if (!/^\{.*\n/.test(stdout)) return;
    const { url, tokenFile } = JSON.parse(stdout);
    readFile(tokenFile, "utf8").then((token) => onReady(new Client(url, token.trim())), reject);
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  child.on("close", (code) => {
    running.delete(child);
    reject(new Error(`it ended with ${code}: ${stderr}`));
    onEnd({ code, stdout, stderr });
  });
  return { child, ended, ready, said: () => stderr };
}

const question = (nonce: number) => ({
  model: "risk-small",
  mode: "vanilla" as const,
  input: Buffer.from(new Float32Array(16).fill(nonce).buffer).toString("base64"),
  tokensIn: 16,
  tokensOut: 1,
  maxFeeGwei: 2_000,
  conflict: { kind: "first-valid" as const },
  validityBlocks: 50,
});

describe("pipe scheduler", () => {
  it("says where it is, keeps its token to its owner, goes on from its directory, and ends with 0 at SIGTERM", async () => {
    const first = scheduler("--nodes", "1");
    const client = await first.ready;
    expect((await client.get("/ready")).json).toMatchObject({ status: "ready", nodes: 1 });
    expect((await stat(join(directory, "producer.token"))).mode & 0o777).toBe(0o600);
    await client.tell("/v1/accounts/somebody/deposits", { amountGwei: 7 });
    first.child.kill("SIGTERM");
    const ended = await first.ended;
    expect([ended.code, ended.stderr], ended.stderr).toEqual([
      0,
      expect.stringContaining("closed; everything is durable"),
    ]);

    const second = scheduler("--nodes", "1");
    const again = await second.ready;
    expect(again.token).toBe(client.token);
    expect((await again.get("/v1/accounts/somebody")).json.depositGwei).toBe(7);
    // The same directory twice, the same port twice.
    const third = scheduler("--nodes", "1");
    expect(await third.ended).toMatchObject({ code: 1, stdout: "", stderr: expect.stringContaining("the journal:") });
    directory = join(folder, "other");
    const fourth = scheduler("--nodes", "1", "--port", new URL(again.url).port);
    expect(await fourth.ended).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("is taken by another program"),
    });
    second.child.kill("SIGINT");
    expect((await second.ended).code).toBe(130);
  });

  it("ends at once at a second signal", async () => {
    const { child, ready, ended, said } = scheduler("--nodes", "1");
    const client = await ready;
    // A request whose body does not come: it is waited for, ten seconds at the most.
    const slow = connect(Number(new URL(client.url).port), "127.0.0.1");
    slow.on("error", () => undefined);
    slow.write("POST /v1/quotes HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{");
    await client.get("/health");
    child.kill("SIGINT");
    const untilMs = performance.now() + 5_000;
    while (!said().includes("taking no more") && performance.now() < untilMs) await pause(5);
    await pause(350);
    child.kill("SIGINT");
    const { code, stderr } = await ended;
    slow.destroy();
    expect(code).toBe(130);
    expect(stderr).not.toContain("closed; everything is durable");
    await expect(client.get("/health")).rejects.toThrow();
  });

  it("refuses what cannot be read with status 2", async () => {
    const cases: readonly [args: readonly string[], message: string][] = [
      [["--policy-file", "none.yaml"], "the policy cannot be used:\nnone.yaml: the file: cannot be read (ENOENT)"],
      [["--registry", "none.yaml"], "the registry cannot be used:"],
      [["--tls-cert", "x.pem", "--tls-key", "x.pem"], "x.pem cannot be read (ENOENT)"],
      [["--tls-cert", MAIN, "--tls-key", MAIN], "cannot be used together"],
      [["--plain-htp"], "Unrecognized flag: --plain-htp"],
    ];
    const all = await Promise.all(cases.map(([args]) => scheduler(...args).ended));
    for (const [index, { code, stderr }] of all.entries()) {
      expect(stderr).toContain(cases[index]?.[1]);
      expect(code, stderr).toBe(2);
    }
  });

  it("refuses a token that others can read", async () => {
    const tokenFile = join(folder, "token");
    await writeFile(tokenFile, "x".repeat(40));
    await chmod(tokenFile, 0o644);
    expect(await scheduler("--token-file", tokenFile).ended).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("can be read by others"),
    });
  });
});

test("when the journal cannot be written it says so, ends with 1, and goes on from its directory", async () => {
  // Files of this process may have 64 KiB: then its disk is full.
  const first = schedulerWithin(64, "--nodes", "1");
  const client = await first.ready;
  let acknowledged = 0;
  try {
    for (let i = 1; ; i++) {
      const { status, json } = await client.tell(`/v1/accounts/${"x".repeat(200)}/deposits`, { amountGwei: 1 });
      if (status !== 200) {
        expect(json.type).toBe("urn:pipe:problem:failed");
        break;
      }
      acknowledged = i;
    }
  } catch {
    // It was gone before it could answer.
  }
  const { code, stderr } = await first.ended;
  expect(stderr).toContain("the scheduler has failed");
  expect(stderr).toContain("start again with the same command");
  expect(code).toBe(1);
  expect(acknowledged).toBeGreaterThan(10);

  const second = scheduler("--nodes", "1");
  const again = await second.ready;
  const { depositGwei } = (await again.get(`/v1/accounts/${"x".repeat(200)}`)).json;
  expect(depositGwei).toBeGreaterThanOrEqual(acknowledged);
  second.child.kill("SIGTERM");
  expect((await second.ended).code).toBe(0);
});

test("a shutdown under load loses nothing that was acknowledged", async () => {
  const first = scheduler("--nodes", "1");
  const client = await first.ready;
  const users = Array.from({ length: 40 }, (_, index) => new User(index + 1));
  for (const user of users) await client.tell(`/v1/accounts/${user.id}/deposits`, { amountGwei: 10_000_000 });
  await client.tell("/v1/blocks", { height: 1, sealAtMs: Date.now() + 60_000 });
  const acknowledged: string[] = [];
  const load = users.map(async (user) => {
    for (let nonce = 0; ; nonce++) {
      const signed = user.sign({ nonce, calls: [question(nonce)], ttlBlocks: 100 });
      try {
        const { status, json } = await client.post("/v1/transactions", signed);
        if (status === 202) acknowledged.push(json.hash);
        else return expect([429, 503], json.type).toContain(status);
      } catch {
        // Cut off, or not connected any more: whether it was taken is not known.
        return;
      }
    }
  });
  await pause(1_000);
  first.child.kill("SIGTERM");
  await Promise.all(load);
  expect((await first.ended).code).toBe(0);
  expect(acknowledged.length).toBeGreaterThan(50);

  const second = scheduler("--nodes", "1");
  const again = await second.ready;
  for (const hash of acknowledged) expect((await again.get(`/v1/transactions/${hash}`)).status, hash).toBe(200);
  second.child.kill("SIGTERM");
  expect((await second.ended).code).toBe(0);
});

const python = spawnSync("python3", ["--version"]).status === 0;
if (!python) console.warn("python3 is not on this machine: the example producer in Python is not run");

test.runIf(python)("a producer in Python, with its standard library alone, lives a whole life", async () => {
  const { child, ready, ended } = scheduler("--nodes", "2");
  const client = await ready;
  const producer = spawn("python3", [PRODUCER, client.url, join(directory, "producer.token"), "4"], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  running.add(producer);
  let said = "";
  producer.stdout.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  producer.stderr.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  const code = await new Promise((resolve) => producer.on("close", resolve));
  running.delete(producer);
  expect(code, said).toBe(0);
  expect(said.trimEnd().split("\n")).toEqual([
    "deposited, next block 1",
    "submitted, known when sent again: True",
    expect.stringMatching(/^block 1: risk 0\.\d{3} from \S+, \d+ gwei$/),
    "next nonce 1, 1 result on the chain",
    "refused as it should be: unknown-transaction",
  ]);
  child.kill("SIGTERM");
  expect((await ended).code).toBe(0);
});

test("a collector gets metrics and traces, and one that is gone holds nothing up", async () => {
  const got = new Map<string, string>();
  const collector = createServer((request, response) => {
    let text = "";
    request.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
    request.on("end", () => {
      got.set(request.url ?? "", (got.get(request.url ?? "") ?? "") + text);
      response.writeHead(200, { "content-type": "application/json" }).end("{}");
    });
  });
  await new Promise<void>((resolve) => collector.listen(0, "127.0.0.1", resolve));
  const { port } = collector.address() as AddressInfo;
  const { child, ready, ended } = scheduler("--nodes", "1", "--otlp", `http://127.0.0.1:${port}`);
  const client = await ready;
  await client.get("/health", { producer: true });
  child.kill("SIGTERM");
  expect((await ended).code).toBe(0);
  collector.close();
  expect([...got.keys()].sort()).toEqual(expect.arrayContaining(["/v1/metrics", "/v1/traces"]));
  expect(got.get("/v1/metrics")).toContain("pipe_nodes");
  expect(got.get("/v1/traces")).toContain("/health");
  // Nobody but the producer ever sees the token.
  for (const text of got.values()) expect(text).not.toContain(client.token);

  directory = join(folder, "alone");
  const alone = scheduler("--nodes", "1", "--otlp", `http://127.0.0.1:${port}`);
  await alone.ready;
  alone.child.kill("SIGTERM");
  expect((await alone.ended).code).toBe(0);
});
