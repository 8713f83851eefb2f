import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { problemText } from "../../../../scheduler/files/problems.ts";
import { loadNodeFile, NodeFileError, readNodeText, termsOf } from "../../../../scheduler/node/file/node-file.ts";

const KEY = "07".repeat(32);

const WHOLE = `id: alder-1
operator: alder
region: eu-west
hardware: h100
slots: 4
queueLimit: 8
key: node.key
chain: my-chain
shard: main
schedulers: [${"ab".repeat(32)}]
servers: [nats://127.0.0.1:4222]
models:
  - model: chat
    priceGwei: { vanilla: 100, optimistic: 120 }
    concurrency: 2
    backend:
      kind: openai
      url: http://127.0.0.1:8000/v1
      name: org/chat
  - model: count
    priceGwei: { vanilla: 5 }
    backend: { kind: exec, command: [wc, -c] }
  - model: risk-tiny
    priceGwei: { vanilla: 5, zkml: 500 }
    backend: { kind: onnx }
`;

let directory = "";
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "pipe-node-file-"));
  await writeFile(join(directory, "node.key"), `${KEY}\n`, { mode: 0o600 });
});
afterAll(() => rm(directory, { recursive: true, force: true }));

function changed(from: string, to: string): string {
  expect(WHOLE).toContain(from);
  return WHOLE.replace(from, to);
}

function problems(text: string): readonly string[] {
  const read = readNodeText(text, directory);
  return read.ok ? [] : read.problems.map((problem) => problemText("n.yaml", problem));
}

describe("a node file", () => {
  it("is read with its defaults, and its paths start at its folder", () => {
    const read = readNodeText(WHOLE, directory);
    if (!read.ok) throw new Error(problems(WHOLE).join("\n"));
    expect(read.sections).toMatchObject({ key: join(directory, "node.key"), drainMs: 30_000, tls: {} });
    expect(read.sections.models.map(({ backend }) => backend)).toEqual([
      {
        kind: "openai",
        url: "http://127.0.0.1:8000/v1",
        name: "org/chat",
        temperature: 0,
        seed: 0,
        tokensField: "max_tokens",
        usage: "asked",
        firstTokenMs: 30_000,
        totalMs: 120_000,
        outputBytes: 65_536,
        retries: 2,
      },
      { kind: "exec", command: ["wc", "-c"], totalMs: 120_000, outputBytes: 65_536, killAfterMs: 2_000 },
      { kind: "onnx" },
    ]);
  });

  it("gives the terms under which the node joins", async () => {
    const path = join(directory, "whole.yaml");
    await writeFile(path, WHOLE);
    const file = await loadNodeFile(path, {});
    expect(termsOf(file)).toEqual({
      id: "alder-1",
      key: file.key.publicKeyHex,
      operator: "alder",
      region: "eu-west",
      hardware: "h100",
      slots: 4,
      queueLimit: 8,
      offers: [
        { model: "chat", mode: "vanilla", priceGwei: 100 },
        { model: "chat", mode: "optimistic", priceGwei: 120 },
        { model: "count", mode: "vanilla", priceGwei: 5 },
        { model: "risk-tiny", mode: "vanilla", priceGwei: 5 },
        { model: "risk-tiny", mode: "zkml", priceGwei: 500 },
      ],
    });
  });
});

describe("what is wrong with a node file is said with its place", () => {
  it.each([
    ["just words", "n.yaml: the file: must be a section of keys such as"],
    ["id: [", "n.yaml:1:6: the file: Flow sequence"],
    [changed("slots: 4", "slotz: 4"), 'n.yaml:5:1: slotz: is not known ("slotz"); did you mean slots?'],
    [changed("slots: 4", "slotz: 4"), "slots: is missing; it is a whole number from 1 to 64: answers at once"],
    [changed("slots: 4", "slots: 65"), "n.yaml:5:1: slots: must be a whole number from 1 to 64; it is 65"],
    [changed("slots: 4", "slots:"), "n.yaml:5:1: slots: is empty; give a value or leave the key out"],
    [changed("id: alder-1", "id: alder 1"), 'n.yaml:1:1: id: must be 1 to 64 letters, digits, ".", "_" or "-"'],
    [changed("region: eu-west", "region: eu/west"), "n.yaml:3:1: region: must be 1 to 64 letters"],
    [changed("shard: main", "shard: a.b"), 'n.yaml:9:1: shard: must be 1 to 32 letters, digits, "_" or "-"'],
    [changed("key: node.key", "key: other.key"), "n.yaml:7:1: key: names a file that does not exist: "],
    [changed("ab".repeat(32), "AB".repeat(32)), "n.yaml:10:14: schedulers.0: must be an Ed25519 public key"],
    [changed("nats://127.0.0.1:4222", "http://127.0.0.1:4222"), "n.yaml:11:11: servers.0: must be a server such as"],
    [
      changed("nats://127.0.0.1", "nats://user:password@host"),
      "servers.0: must be a server such as nats://10.0.0.1:4222",
    ],
    [
      changed("shard: main", "shard: main\ntls: { cert: node.key }"),
      "n.yaml:10:1: tls: must have both `cert` and `key`, or neither",
    ],
    [changed("shard: main", "shard: main\ncredentials: no.creds"), "credentials: names a file that does not exist"],
    [
      changed("kind: openai", "kind: opanai"),
      'n.yaml:17:7: models.0.backend.kind: is not known ("opanai"); did you mean openai? Known here: onnx, openai, exec',
    ],
    [
      changed("name: org/chat", "nmae: org/chat"),
      'n.yaml:19:7: models.0.backend.nmae: is not known ("nmae"); did you mean name?',
    ],
    [
      changed("http://127.0.0.1:8000/v1", "127.0.0.1:8000"),
      "models.0.backend.url: must be an address such as http://127.0.0.1:8000/v1",
    ],
    [changed("http://127", "http://user:secret@127"), "models.0.backend.url: must not hold a password"],
    [changed("8000/v1", "8000/v1?key=1"), "models.0.backend.url: must end with its path"],
    [changed("8000/v1", "8000/v1/chat/completions"), "models.0.backend.url: must end before `/chat/completions`"],
    [
      changed("name: org/chat", "name: c\n      apiKeyEnv: sk-123"),
      "models.0.backend.apiKeyEnv: must be the name of an environment variable; the key itself belongs in no file",
    ],
    [
      changed("name: org/chat", "name: c\n      firstTokenMs: 9000\n      totalMs: 5000"),
      "models.0.backend.firstTokenMs: is 9000, more than totalMs: 5000",
    ],
    [
      changed("name: org/chat", "name: c\n      seed: never"),
      "models.0.backend.seed: must be a whole number from 0 to 2147483647, or `none`",
    ],
    [
      changed("name: org/chat", "name: c\n      outputBytes: 100000"),
      "models.0.backend.outputBytes: must be a whole number from 1 to 65536",
    ],
    [changed("concurrency: 2", "concurrency: 5"), "models.0.concurrency: is 5, more than the node's 4 slots"],
    [
      changed("vanilla: 100, optimistic: 120", "vanila: 100"),
      'models.0.priceGwei.vanila: is not known ("vanila"); did you mean vanilla?',
    ],
    [changed("{ vanilla: 100, optimistic: 120 }", "{}"), "models.0.priceGwei: must name a mode at least"],
    [changed("optimistic: 120", "tee: 120"), "models.0.priceGwei.tee: needs an enclave"],
    [
      changed("optimistic: 120", "zkml: 120"),
      "models.0.priceGwei.zkml: needs a prover of the model, which the package has for risk-tiny alone",
    ],
    [
      changed("model: count", "model: chat"),
      "n.yaml:20:5: models.1.model: is that of model 1, too; one of them is enough",
    ],
    [
      changed("[wc, -c]", "wc -c"),
      'models.1.backend.command: must be a list of 1 to 256 texts of 1 to 4096 characters; it is "wc -c"',
    ],
    [changed("[wc, -c]", "[wc, 1]"), "models.1.backend.command.1: must be text of 1 to 4096 characters; it is 1"],
    [changed("[wc, -c]", '[wc, "a\\0b"]'), "models.1.backend.command.1: must not hold the character U+0000"],
    [
      changed("[wc, -c]", "[wc], environment: [A=1]"),
      "models.1.backend.environment.0: must be the name of an environment variable, without a value",
    ],
    [
      changed("model: risk-tiny", "model: risk-tinny"),
      "models.2.backend: does not have risk-tinny; did you mean risk-tiny? The package has risk-small, chat-mini, risk-tiny",
    ],
    [`${WHOLE.slice(0, WHOLE.indexOf("models:"))}models: []\n`, "n.yaml:12:1: models: must hold a model at least"],
    [`a: ${"x".repeat(1_000_000)}`, "n.yaml: the file: the file is longer than 1000000 bytes"],
  ])("%#", (text, expected) => {
    expect(problems(text).join("\n")).toContain(expected);
  });

  it("even when it is in the files that it names", async () => {
    const path = join(directory, "n.yaml");
    const problemOf = async (text: string) => {
      await writeFile(path, text);
      return await loadNodeFile(path, {}).then(
        () => "none",
        (error: unknown) => (error instanceof NodeFileError ? error.message.replaceAll(directory, "") : String(error)),
      );
    };
    await writeFile(join(directory, "open.key"), KEY);
    await chmod(join(directory, "open.key"), 0o644);
    await writeFile(join(directory, "bad.key"), "key", { mode: 0o600 });
    expect(await problemOf(changed("node.key", "open.key"))).toBe(
      "/n.yaml:7:1: key: names a file that can be used by others than its owner (mode 644): chmod 600 /open.key",
    );
    expect(await problemOf(changed("node.key", "bad.key"))).toBe(
      "/n.yaml:7:1: key: names a file that holds no key: 64 lower-case hexadecimal digits",
    );
    expect(await problemOf(changed("kind: onnx", "kind: onnx, directory: ."))).toMatch(
      /^\/n.yaml:24:30: models.2.priceGwei.zkml: needs a prover/,
    );
    expect(
      await problemOf(
        changed(", zkml: 500 }\n    backend: { kind: onnx }", " }\n    backend: { kind: onnx, directory: . }"),
      ),
    ).toMatch(/^\/n.yaml:25:28: models.2.backend.directory: cannot be used: .*manifest.json/);
    expect(await problemOf(changed("shard: main", "shard: main\nenclave: { emulator: node.key }"))).toBe(
      "/n.yaml:10:12: enclave.emulator: cannot be used: /node.key holds no emulator root; in a scheduler's directory another one is made when it is deleted",
    );
    await expect(loadNodeFile(join(directory, "none.yaml"), {})).rejects.toThrow("the file: cannot be read (ENOENT)");
  });

  it("when a variable is missing, but only for who starts the node", async () => {
    const path = join(directory, "n.yaml");
    const text = changed("name: org/chat", "name: org/chat\n      apiKeyEnv: CHAT_KEY").replace(
      "[wc, -c]",
      "[wc, -c], environment: [HOME, CUDA]",
    );
    await writeFile(path, text);
    const missing = async (environment: Record<string, string>) =>
      (await loadNodeFile(path, environment)).missing.map((problem) => problemText("n.yaml", problem));
    expect(await missing({ CHAT_KEY: "k", HOME: "", CUDA: "0" })).toEqual([]);
    expect(await missing({ HOME: "" })).toEqual([
      "n.yaml:20:7: models.0.backend.apiKeyEnv: names CHAT_KEY, which is not set",
      "n.yaml:23:47: models.1.backend.environment: names CUDA, which is not set",
    ]);
    const spoiled = await missing({ CHAT_KEY: "sk-1\nsk-2", HOME: "", CUDA: "" });
    expect(spoiled).toEqual(["n.yaml:20:7: models.0.backend.apiKeyEnv: names CHAT_KEY, which holds no API key"]);
  });
});
