import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { stringify } from "yaml";
import { readRegistryLines } from "../../../scheduler/proofs/registry-lines.ts";
import { registryFromLines } from "../../../scheduler/registry/from-lines.ts";
import { sha256Hex } from "../../../scheduler/proofs/digest.ts";
import { loadRegistry, RegistryError } from "../../../scheduler/registry/registry-file.ts";
import { readRegistryText } from "../../../scheduler/registry/registry-text.ts";

const KEY_TEXT = readFileSync(
  new URL("../../../scheduler/node/zkml/models/risk-tiny.verification-key.json", import.meta.url),
  "utf8",
);
const MODEL_BYTES = Buffer.from("the model's file");
const PCR = { pcr0: "ab".repeat(48), pcr1: "cd".repeat(48), pcr2: "ef".repeat(48) };
const KEY = "11".repeat(32);

const risk = {
  digest: sha256Hex(MODEL_BYTES),
  file: "risk.onnx",
  modes: ["vanilla", "tee", "zkml"],
  limits: { inputBytes: 64, tokensIn: 16, tokensOut: 8 },
  output: { number: "float32-le", element: 0 },
  equivalence: { "h100-tp8": "cuda", "a100-tp8": "cuda" },
  tee: { measurements: [PCR], maxAgeS: 3_600 },
  zkml: { system: "groth16-bn254", verificationKey: "risk.vk.json" },
};
const chat = {
  digest: "00".repeat(32),
  modes: ["vanilla"],
  limits: { inputBytes: 256, tokensIn: 64, tokensOut: 512 },
  output: "bytes",
  equivalence: "hardware",
};
const alder = { key: KEY, operator: "alder", region: "eu-west", hardware: "h100-tp8", bondGwei: 1_000_000 };
const whole = {
  version: 1,
  admission: "listed",
  offersPerNode: 8,
  models: { risk, chat },
  roots: [],
  nodes: { "alder-1": alder },
};

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "pipe-registry-"));
  await writeFile(join(folder, "risk.onnx"), MODEL_BYTES);
  await writeFile(join(folder, "risk.vk.json"), KEY_TEXT);
  const key = JSON.parse(KEY_TEXT);
  await writeFile(join(folder, "open.vk.json"), JSON.stringify({ ...key, vk_delta_2: key.vk_gamma_2 }));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function load(content: unknown) {
  const path = join(folder, "registry.yaml");
  await writeFile(path, typeof content === "string" ? content : stringify(content));
  return loadRegistry(path);
}

async function troublesOf(content: unknown): Promise<readonly string[]> {
  return load(content).then(
    () => [],
    (error: unknown) => {
      expect(error).toBeInstanceOf(RegistryError);
      return (error as RegistryError).troubles;
    },
  );
}

describe("a registry file", () => {
  it("gives models with their rules, and nodes", async () => {
    const registry = await load(whole);
    expect(registry.modelRules("risk")).toEqual({
      digest: risk.digest,
      output: risk.output,
      tee: { measurements: [PCR], maxAgeMs: 3_600_000 },
      zkml: {
        system: "groth16-bn254",
        verificationKey: KEY_TEXT,
        keyHash: sha256Hex(Buffer.from(KEY_TEXT)),
      },
    });
    expect(registry.modelRules("chat")).toEqual({ digest: chat.digest, output: "bytes" });
    expect(registry.modelRules("oracle")).toBeUndefined();
    expect(registry.nodes.get("alder-1")).toEqual({ id: "alder-1", ...alder });
    expect(registry.admission).toBe("listed");
  });

  it("is the same registry in JSON, in another order, and with comments", async () => {
    const { digest } = await load(whole);
    const turned = { ...whole, models: { chat, risk: { ...risk, modes: risk.modes.toReversed() } } };
    expect((await load(JSON.stringify(turned))).digest).toBe(digest);
    expect((await load(`# ours\n${stringify(turned)}`)).digest).toBe(digest);
  });

  it("is told to outsiders in lines from which the same rules are read", async () => {
    const registry = await load(whole);
    const read = readRegistryLines(registry.lines);
    for (const [id, { rules }] of registry.models) expect(read?.models.get(id)).toEqual(rules);
    expect(read?.listed.get("alder-1")).toEqual({ entry: "listed", id: "alder-1", ...alder });
    expect(registryFromLines(registry.lines)?.lines).toEqual(registry.lines);
    expect(readRegistryLines([...registry.lines, "{}"])).toBeUndefined();
    expect(readRegistryLines(registry.lines.map((line) => line.slice(1)))).toBeUndefined();
  });

  it("is another registry when anything is changed that decides something", async () => {
    const { digest } = await load(whole);
    await writeFile(join(folder, "other.vk.json"), KEY_TEXT.replace("test setup", "another test setup"));
    const changed = [
      { ...whole, admission: "open" },
      { ...whole, offersPerNode: 9 },
      { ...whole, nodes: { "alder-1": { ...alder, bondGwei: 1 } } },
      { ...whole, models: { risk } },
      { ...whole, models: { chat, risk: { ...risk, output: "bytes" } } },
      { ...whole, models: { chat, risk: { ...risk, equivalence: "any" } } },
      { ...whole, models: { chat, risk: { ...risk, limits: { ...risk.limits, inputBytes: 65 } } } },
      { ...whole, models: { chat, risk: { ...risk, tee: { ...risk.tee, maxAgeS: 3_601 } } } },
      { ...whole, models: { chat, risk: { ...risk, zkml: { ...risk.zkml, verificationKey: "other.vk.json" } } } },
    ];
    const digests = await changed.reduce<Promise<string[]>>(
      async (before, one) => [...(await before), (await load(one)).digest],
      Promise.resolve([digest]),
    );
    expect(new Set(digests).size).toBe(changed.length + 1);
  });

  const cases: [string, unknown, RegExp][] = [
    ["another version", { ...whole, version: 2 }, /^line 1, version: must be 1; it is 2$/],
    ["a misspelt key", { ...whole, model: {} }, /^line \d+, model: is no key of this section/],
    ["a missing key", { ...whole, nodes: undefined }, /^nodes: is missing$/],
    ["a misspelt mode", modelWith({ modes: ["vanila"] }), /^line \d+, models\.m\.modes\.0: must be "vanilla" or /],
    ["a mode twice", modelWith({ modes: ["vanilla", "vanilla"] }), /modes: names a mode twice/],
    ["no mode", modelWith({ modes: [] }), /models\.m\.modes: must be a value with a length of at least 1/],
    ["a prefix", modelWith({ digest: `0x${"00".repeat(31)}` }), /digest: must be a SHA-256 digest: 64 lower-case/],
    ["tee without a section", modelWith({ modes: ["tee"] }), /modes: names tee, but the model has no section tee/],
    ["a section tee without the mode", modelWith({ tee: risk.tee }), /models\.m\.tee: is of no use while/],
    [
      "a PCR of 32 bytes",
      modelWith({ tee: { maxAgeS: 1, measurements: [{ ...PCR, pcr1: KEY }] } }),
      /pcr1: must be a PCR/,
    ],
    [
      "an unknown number",
      modelWith({ output: { number: "float16", element: 0 } }),
      /output\.number: must be "float32-le" or/,
    ],
    [
      "too large an input",
      modelWith({ limits: { ...chat.limits, inputBytes: 65_537 } }),
      /inputBytes: must be a value between 0 and 65536; it is 65537/,
    ],
    [
      "no words for hardware",
      modelWith({ equivalence: "same" }),
      /equivalence: must be "any" or "hardware" or a section; it is "same"/,
    ],
    ["a name with a space", { ...whole, models: { "a b": chat } }, /models: .*"a b", which is no name/],
    [
      "a bond of a half",
      { ...whole, nodes: { n: { ...alder, bondGwei: 0.5 } } },
      /nodes\.n\.bondGwei: must be an integer; it is 0\.5/,
    ],
    ["a key twice in one section", "version: 1\nversion: 1\n", /unique/],
    ["no section", "just text", /^the file: must be a section; it is "just text"$/],
    ["nothing", "", /^the file: must be a section; it is empty$/],
    [
      "another model's file",
      modelWith({ file: "risk.onnx" }),
      /^line \d+, models\.m\.file: names a file whose SHA-256 is/,
    ],
    ["a file that is not there", modelWith({ file: "x.onnx" }), /file: names a file that cannot be read \(ENOENT\)/],
    [
      "a root that is none",
      { ...whole, roots: [{ file: "risk.onnx" }] },
      /roots\.0\.file: names a file that is no root: .*not a certificate in PEM or DER/,
    ],
    [
      "a verification key that is no JSON",
      { ...whole, models: { risk: { ...risk, zkml: { ...risk.zkml, verificationKey: "risk.onnx" } } } },
      /zkml\.verificationKey: names a file that is no JSON/,
    ],
    [
      "a verification key with which anybody could forge proofs",
      { ...whole, models: { risk: { ...risk, zkml: { ...risk.zkml, verificationKey: "open.vk.json" } } } },
      /zkml\.verificationKey: names a file that is no key of groth16-bn254: vk_delta_2 equals vk_gamma_2/,
    ],
    [
      "an unknown proof system",
      { ...whole, models: { risk: { ...risk, zkml: { ...risk.zkml, system: "plonk" } } } },
      /zkml\.system: must be a proof system that is known \(groth16-bn254\); it is plonk/,
    ],
  ];
  it.each(cases)("with %s is refused, with where and why", async (_, content, message) => {
    const troubles = await troublesOf(content);
    expect(troubles.join("\n")).toMatch(message);
    expect(troubles).toHaveLength(1);
  });

  it("tells of all troubles at once, up to twenty", async () => {
    const models = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`m${i}`, { ...chat, digest: "" }]));
    const troubles = await troublesOf({ ...whole, models });
    expect(troubles).toHaveLength(21);
    expect(troubles.at(-1)).toBe("and 10 more");
  });

  it("may name a model after what every object has", async () => {
    const registry = await load(stringify(whole).replace("chat:", "__proto__:"));
    expect([...registry.models.keys()].toSorted()).toEqual(["__proto__", "risk"]);
    expect(registry.modelRules("constructor")).toBeUndefined();
  });

  it("of any text is read or refused, and nothing is thrown", () => {
    const text = stringify(whole);
    const damaged = fc
      .tuple(fc.nat(text.length), fc.nat(20), fc.string({ maxLength: 20 }))
      .map(([start, length, put]) => text.slice(0, start) + put + text.slice(start + length));
    fc.assert(
      fc.property(fc.oneof(fc.string(), damaged, fc.json()), (any) => {
        const read = readRegistryText(any);
        expect(read.ok || read.troubles.length > 0).toBe(true);
      }),
    );
  });
});

function modelWith(changes: object): object {
  return { ...whole, models: { m: { ...chat, ...changes } } };
}
