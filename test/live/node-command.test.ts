import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Ended, pipeCommand } from "../support/pipe-command.ts";
import { NODE_EXAMPLE } from "../../scheduler/node/file/node-example.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "pipe-node-command-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const pipe = (...args: readonly string[]): Promise<Ended> => pipeCommand(args, { cwd: folder });

/** The example with every model that is there to be uncommented. */
function exampleWithAll(scheduler: string): string {
  return NODE_EXAMPLE.replace("0".repeat(64), scheduler)
    .replaceAll(/^ {2}# (?!A )/gm, "  ")
    .replace("# apiKeyEnv", "apiKeyEnv");
}

describe("pipe node", () => {
  it("init writes a file and a key for its owner's eyes, and nothing over anything", async () => {
    const made = await pipe("node", "init", "--directory", "made");
    expect(made).toMatchObject({ code: 0, stderr: "" });
    const key = /public key for the scheduler's registry: ([0-9a-f]{64})\n/.exec(made.stdout)?.[1];
    expect((await stat(join(folder, "made", "node.key"))).mode & 0o777).toBe(0o600);
    const secret = await readFile(join(folder, "made", "node.key"), "utf8");
    expect(made.stdout).not.toContain(secret.trim());

    const again = await pipe("node", "init", "--directory", "made");
    expect(again).toMatchObject({ code: 2, stdout: "" });
    expect(again.stderr).toMatch(/^pipe node init: .* is there already; nothing was written\.\n$/);
    expect(await readFile(join(folder, "made", "node.key"), "utf8")).toBe(secret);

    expect(await pipe("node", "key", "made/node.key")).toEqual({ code: 0, stdout: `${key}\n`, stderr: "" });
  });

  it("check says what is left to do in the example, and then that it is right", async () => {
    await pipe("node", "init", "--directory", "edited");
    const path = join(folder, "edited", "pipe.node.yaml");
    const fresh = await pipe("node", "check", "edited/pipe.node.yaml");
    expect(fresh).toMatchObject({ code: 2, stdout: "" });
    expect(fresh.stderr).toMatch(
      /^edited\/pipe\.node\.yaml:\d+:5: schedulers\.0: stands for the public key of your scheduler; give that one\n$/,
    );
    await writeFile(path, exampleWithAll("ab".repeat(32)));
    const edited = await pipe("node", "check", "edited/pipe.node.yaml");
    expect(edited).toMatchObject({ code: 0, stderr: "" });
    expect(edited.stdout).toContain(
      "edited/pipe.node.yaml: ok. Node node-1 of my-name, 4 slots, chain my-chain, shard main",
    );
    expect(edited.stdout).toContain("  chat-70b, vanilla: 25000 gwei\n  summary, vanilla: 5000 gwei\n");
    expect(edited.stdout).toMatch(
      /note: .*apiKeyEnv: names CHAT_API_KEY, which is not set; the node needs it to start/,
    );
  });

  it("check --ask says which backends answer", async () => {
    await pipe("node", "init", "--directory", "asked");
    const text = NODE_EXAMPLE.replace("0".repeat(64), "ab".repeat(32));
    const models = `models:
  - { model: cat, priceGwei: { vanilla: 1 }, backend: { kind: exec, command: [cat] } }
  - { model: chat, priceGwei: { vanilla: 1 }, backend: { kind: openai, url: "http://127.0.0.1:9/v1", name: c } }
`;
    await writeFile(join(folder, "asked", "pipe.node.yaml"), `${text.slice(0, text.indexOf("models:"))}${models}`);
    const asked = await pipe("node", "check", "--ask", "asked/pipe.node.yaml");
    expect(asked.code).toBe(1);
    expect(asked.stdout).toMatch(
      /: ok\..*\n.*\n.*\ncat answers\nchat does not answer: GET http:\/\/127\.0\.0\.1:9\/v1\/models: .+\n$/,
    );
  });

  it("key says what is wrong with a file that holds none", async () => {
    await writeFile(join(folder, "no.key"), "nothing", { mode: 0o600 });
    expect(await pipe("node", "key", "no.key")).toEqual({
      code: 2,
      stdout: "",
      stderr: "pipe node key: no.key holds no key: 64 lower-case hexadecimal digits\n",
    });
    expect((await pipe("node", "key", "none.yaml")).stderr).toBe("none.yaml: the file: cannot be read (ENOENT)\n");
  });
});
