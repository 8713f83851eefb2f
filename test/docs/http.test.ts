import { execFile, spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { SHARD_METRIC_NAMES } from "../../scheduler/cli/shard-meters.ts";
import { DEFAULT_HTTP_LIMITS } from "../../scheduler/http/limits.ts";
import { HTTP_METRIC_NAMES } from "../../scheduler/http/metrics.ts";
import { PROBLEMS } from "../../scheduler/http/problems.ts";
import { signingKeyFromSeed, signTransaction, transactionHash } from "../../scheduler/index.ts";
import { METRIC_NAMES } from "../../scheduler/live/metrics.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const MAIN = join(root, "scheduler", "cli", "main.ts");
const run = promisify(execFile);

let page = "";
let place = "";
beforeAll(async () => {
  page = await readFile(join(root, "docs", "HTTP.md"), "utf8");
  await mkdir(join(root, "out"), { recursive: true });
  place = await mkdtemp(join(root, "out", "http-"));
});
afterAll(() => rm(place, { recursive: true, force: true }));

/** The blocks of commands, each as it stands. */
function blocks(): string[] {
  return [...page.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, text]) => text as string);
}

const key = signingKeyFromSeed(new Uint8Array(32).fill(7));
const unsigned = {
  chainId: "my-chain",
  sender: key.publicKeyHex,
  nonce: 0,
  gasPriceGwei: 1,
  ttlBlocks: 20,
  calls: [
    {
      model: "risk-small",
      mode: "vanilla",
      input: Buffer.from(new Float32Array(16).fill(0.5).buffer).toString("base64"),
      tokensIn: 16,
      tokensOut: 1,
      maxFeeGwei: 2_000,
      conflict: { kind: "first-valid" },
      validityBlocks: 10,
    },
  ],
} as const;

test("the commands of docs/HTTP.md do what it says", { timeout: 100_000 }, async () => {
  const [start = "", ...commands] = blocks();
  const args = start.trim().split(" ").slice(2);
  const child = spawn(process.execPath, [MAIN, ...args, "--port", "0", "--log", "warn"], {
    cwd: place,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const said = new Promise<string>((resolve) => child.stdout.setEncoding("utf8").once("data", resolve));
  const ended = new Promise((resolve) => child.once("close", resolve));
  try {
    const line = await said;
    const url = /http:\S+/.exec(line)?.[0] ?? "";
    expect(page).toContain(line.replace(url, "http://127.0.0.1:8420").trim());
    await writeFile(join(place, "transaction.json"), JSON.stringify(signTransaction(unsigned, key)));
    await writeFile(
      join(place, "pipe.policy.yaml"),
      await readFile(join(root, "docs", "examples", "pipe.policy.yaml")),
    );
    const hash = transactionHash(unsigned);
    const env = { ...process.env, SENDER: key.publicKeyHex, HASH: hash, TOKEN: "" };
    // As one reader's shell; each answer must be one that is no refusal.
    const script = commands
      .join("\n")
      .replaceAll("http://127.0.0.1:8420", url)
      .replaceAll("curl -sS", "curl -sS --fail-with-body -w '\\n%{http_code}\\n'");
    const { stdout } = await run("bash", ["-e", "-c", script], { cwd: place, env });
    const statuses = stdout.split("\n").filter((text) => /^[0-9]{3}$/.test(text));
    expect(statuses).toEqual(["200", "200", "200", "202", ...Array(8).fill("200")]);
    expect(stdout).toContain(`"hash":"${hash}"`);
    expect(stdout).toContain('"changed":true');
    expect(stdout).toContain("retry: 2000");
  } finally {
    child.kill("SIGTERM");
  }
  expect(await ended).toBe(0);
});

test("every problem stands in docs/HTTP.md with its status, and no other", () => {
  const rows = [...page.matchAll(/^\| (\d{3}) \| (.*?) \|/gm)];
  const documented = rows.flatMap(([, status, kinds]) =>
    [...(kinds as string).matchAll(/`([a-z-]+)`/g)].map(([, kind]) => `${status} ${kind}`),
  );
  // The header that one of them comes with stands in the same cell.
  const known = Object.entries(PROBLEMS).map(([kind, [status]]) => `${status} ${kind}`);
  expect(documented.filter((one) => one !== "405 allow").toSorted()).toEqual(known.toSorted());
});

test("the limits of docs/HTTP.md are those of the server", () => {
  const limits = DEFAULT_HTTP_LIMITS;
  const numbers = [
    limits.maxConnections,
    limits.maxConnections + limits.maxRefusedConnections,
    limits.maxOpenFollowers,
    limits.maxFollowers - limits.maxOpenFollowers,
    limits.keptEvents,
    limits.keptDeposits,
    limits.maxStateKeys,
    limits.maxBodyBytes / 1024 ** 2,
    limits.maxBodyBytesInFlight / 1024 ** 2,
    limits.maxHeaderBytes / 1024,
    limits.headersTimeoutMs / 1000,
    limits.requestTimeoutMs / 1000,
    limits.keepAliveMs / 1000,
    limits.idleTimeoutMs / 1000,
    limits.heartbeatMs / 1000,
  ];
  for (const number of numbers) expect(page).toMatch(new RegExp(`\\b${number.toLocaleString("en")}\\b`));
});

test("docs/OPERATING.md speaks of metrics and flags that there are", async () => {
  const operating = await readFile(join(root, "docs", "OPERATING.md"), "utf8");
  const names = [...operating.matchAll(/\bpipe_[a-z_]+/g)].map(([name]) => name.replace(/_bucket$/, ""));
  expect(names.length).toBeGreaterThan(10);
  expect([...METRIC_NAMES, ...HTTP_METRIC_NAMES, ...SHARD_METRIC_NAMES]).toEqual(expect.arrayContaining(names));
  const { stdout: help } = await run(process.execPath, [MAIN, "scheduler", "--help"]);
  const [flags = ""] = /\| flag \|.*?\n\n/s.exec(operating) ?? [];
  const documented = [...flags.matchAll(/`(--[a-z-]+)/g)].map(([, flag]) => flag as string);
  const own = [...(/FLAGS\n(.*?)\nGLOBAL/s.exec(help)?.[1] ?? "").matchAll(/^ {2}(--[a-z-]+)/gm)].map(
    ([, flag]) => flag,
  );
  expect(own.length).toBeGreaterThan(10);
  expect(own.filter((flag) => !documented.includes(flag as string))).toEqual(["--latency"]);
  expect(documented.filter((flag) => !own.includes(flag))).toEqual([]);
});
