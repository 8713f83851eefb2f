import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { pipeCommand } from "../support/pipe-command.ts";

const MAIN = fileURLToPath(new URL("../../scheduler/cli/main.ts", import.meta.url));

async function ask(url: string, method: string, params: readonly unknown[] = []): Promise<unknown> {
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
  const answer = await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body });
  return ((await answer.json()) as { readonly result: unknown }).result;
}

it("says where it listens, answers, tells of its blocks, and ends with status 0 when it is told to", async () => {
  const args = ["--port", "0", "--json", "--nodes", "3", "--accounts", "2", "--chain-id", "4242"];
  const child = spawn(process.execPath, [MAIN, "evm", ...args], { stdio: ["ignore", "pipe", "pipe"] });
  try {
    let said = "";
    child.stderr.on("data", (chunk) => {
      said += chunk;
    });
    const ended = once(child, "close");
    // Blocks may come before it listens.
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    const next = async (wanted: string): Promise<Record<string, unknown>> => {
      for (;;) {
        const { value, done } = await lines.next();
        if (done === true) throw new Error(`it has ended: ${said}`);
        const line = JSON.parse(value) as Record<string, unknown>;
        if (wanted in line) return line;
      }
    };
    const { url, chainId, accounts } = await next("url");
    expect([chainId, accounts]).toEqual([4242, [expect.anything(), expect.anything()]]);
    expect(await ask(String(url), "eth_chainId")).toBe("0x1092");
    const [{ address }] = accounts as [{ readonly address: string }];
    expect(await ask(String(url), "eth_getBalance", [address, "latest"])).toBe(`0x${(10n ** 22n).toString(16)}`);
    const first = await next("number");
    expect(await next("number")).toMatchObject({ number: Number(first["number"]) + 1, transactions: 0 });
    child.kill("SIGTERM");
    expect(await ended).toEqual([0, null]);
    expect(said).toMatch(/^PIPE: a chain of 500 ms blocks with 3 inference nodes; starting …\n$/);
  } finally {
    child.kill("SIGKILL");
  }
});

it.each([
  [["--port", "70000"], "--port 70000 is out of range: give 0 to 65535."],
  [["--policy", "fixed"], '--policy: "fixed" is no policy.'],
  [["--prt", "1"], "Unrecognized flag: --prt"],
])("refuses %j with status 2", async (args, message) => {
  const { code, stdout, stderr } = await pipeCommand(["evm", ...args]);
  expect(stderr).toContain(message);
  expect([code, stdout.includes("url")]).toEqual([2, false]);
});

it("says that a port is in use, and leaves no thread behind that keeps it from ending", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" ? String(address?.port) : "";
  const { code, stderr } = await pipeCommand(["evm", "--port", port, "--nodes", "3"]);
  server.close();
  expect(stderr).toContain(`127.0.0.1:${port} is in use: give another --port, or 0 for one that is free.`);
  expect(code).toBe(2);
});
