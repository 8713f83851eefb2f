import { once } from "node:events";
import { createServer } from "node:net";
import { expect, it } from "vitest";
import { EvmProcess } from "../support/evm-process.ts";
import { pipeCommand } from "../support/pipe-command.ts";

async function ask(url: string, method: string, params: readonly unknown[] = []): Promise<unknown> {
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
  const answer = await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body });
  return ((await answer.json()) as { readonly result: unknown }).result;
}

it("says where it listens, answers, tells of its blocks, and ends with status 0 when it is told to", async () => {
  const chain = new EvmProcess(["--nodes", "3", "--accounts", "2", "--chain-id", "4242"]);
  try {
    const { url, chainId, accounts } = await chain.next("url");
    expect([chainId, accounts]).toEqual([4242, [expect.anything(), expect.anything()]]);
    expect(await ask(String(url), "eth_chainId")).toBe("0x1092");
    const [{ address }] = accounts as [{ readonly address: string }];
    expect(await ask(String(url), "eth_getBalance", [address, "latest"])).toBe(`0x${(10n ** 22n).toString(16)}`);
    const first = await chain.next("number");
    expect(await chain.next("number")).toMatchObject({ number: Number(first["number"]) + 1, transactions: 0 });
    chain.kill("SIGTERM");
    expect(await chain.ended).toEqual([0, null]);
    expect(chain.said).toMatch(/^PIPE: a chain of 500 ms blocks with 3 inference nodes; starting …\n$/);
  } finally {
    chain.kill("SIGKILL");
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
