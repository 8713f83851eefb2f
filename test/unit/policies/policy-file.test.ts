import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { requirePolicy } from "../../../policies/policy.ts";
import { MAX_POLICY_FILE_BYTES } from "../../../policies/file-format.ts";
import { MAX_RULES, ruleFor } from "../../../policies/rules.ts";
import { readPolicyFile, readPolicyText } from "../../../scheduler/files/policy-file.ts";
import { policyText } from "../../../scheduler/files/policy-text.ts";
import { problemText } from "../../../scheduler/files/problems.ts";
import { identityOf, versionOf } from "../../../scheduler/files/policy-version.ts";
import type { CallTerms, Mode } from "../../../scheduler/shared/vocabulary.ts";

const TEXT = `
name: standard
placement: { kind: random }
budget: { ratio: 0.25, burstMs: 5000 }
rules:
  - name: money
    when: { models: [risk-*], modes: [zkml, tee], minFeeGwei: 1000 }
    policy: { kind: fixed, copies: 2 }
    placement: { kind: least-loaded }
  - name: all others
    policy: { kind: hedge, delayMs: 1500, maxCopies: 3 }
`;

function specOf(text: string) {
  const read = readPolicyText(text, "pipe.policy.yaml");
  if (!read.ok) throw new Error(JSON.stringify(read.problems));
  return read.spec;
}

function problemsOf(text: string): string[] {
  const read = readPolicyText(text, "p.yaml");
  return read.ok ? [] : read.problems.map((problem) => problemText("p.yaml", problem));
}

function call(model: string, mode: Mode, maxFeeGwei: number): CallTerms {
  const conflict = { kind: "first-valid" } as const;
  return { model, mode, maxFeeGwei, digest: "", inputHash: "", tokensIn: 1, tokensOut: 1, conflict, validityBlocks: 1 };
}

describe("a policy file", () => {
  it("becomes rules that the engine takes", () => {
    const spec = specOf(TEXT);
    requirePolicy(spec);
    expect(spec).toMatchObject({
      kind: "rules",
      name: "standard",
      origin: "pipe.policy.yaml",
      placement: { kind: "random" },
      budget: { ratio: 0.25, burstMs: 5_000 },
    });
    expect(ruleFor(spec, call("risk-small", "zkml", 1_000), "ann").name).toBe("money");
    expect(ruleFor(spec, call("risk-small", "zkml", 999), "ann").name).toBe("all others");
    expect(ruleFor(spec, call("risk-small", "vanilla", 1_000), "ann").name).toBe("all others");
    expect(ruleFor(spec, call("my-risk-small", "zkml", 1_000), "ann").name).toBe("all others");
  });

  it("has a version that layout and comments do not change, and everything else does", () => {
    const { version } = specOf(TEXT);
    expect(version).toMatch(/^[0-9a-f]{64}$/);
    const json = JSON.stringify({
      rules: [
        {
          policy: { copies: 2, kind: "fixed" },
          placement: { kind: "least-loaded" },
          when: { minFeeGwei: 1_000, modes: ["zkml", "tee"], models: ["risk-*"] },
          name: "money",
        },
        { name: "all others", policy: { kind: "hedge", delayMs: 1_500, maxCopies: 3 } },
      ],
      budget: { ratio: 0.25, burstMs: 5_000 },
      placement: { kind: "random" },
      name: "standard",
    });
    expect(specOf(json).version).toBe(version);
    expect(specOf(`# why\n${TEXT}`).version).toBe(version);
    for (const [from, to] of [
      ["standard", "other"],
      ["1500", "1501"],
      ["least-loaded", "random"],
      ["0.25", "0.5"],
      ["[zkml, tee]", "[tee, zkml]"],
    ] as const) {
      expect(specOf(TEXT.replace(from, to)).version, to).not.toBe(version);
    }
  });

  it("is written as it is read", () => {
    const spec = specOf(TEXT);
    const text = policyText(spec, ["tuned on the run of Tuesday"]);
    expect(text.startsWith("# tuned on the run of Tuesday\nname: standard\n")).toBe(true);
    expect(specOf(text)).toEqual(spec);
    expect(versionOf(spec)).toBe(spec.version);
  });

  it("stands as an example in the docs", () => {
    const path = fileURLToPath(new URL("../../../docs/examples/pipe.policy.yaml", import.meta.url));
    const spec = specOf(readFileSync(path, "utf8"));
    requirePolicy(spec);
    expect(spec.rules.map(({ name }) => name)).toEqual([
      "proofs worth money",
      "one big customer",
      "chat",
      "all others",
    ]);
  });
});

it("a policy without a file has an identity, too", () => {
  expect(identityOf({ kind: "hedge", delayMs: 1_500, maxCopies: 3 })).toEqual({
    name: "hedge:1500:3",
    version: expect.stringMatching(/^[0-9a-f]{64}$/),
    origin: undefined,
  });
  const { version, origin, ...unnamed } = specOf(TEXT);
  expect(identityOf(unnamed)).toEqual({ name: "standard", version, origin: undefined });
});

describe("what is wrong with a policy file", () => {
  const inFile = (from: string, to: string) => problemsOf(TEXT.replace(from, to));

  it("is told with its place, what was found, and what would be right", () => {
    expect(inFile("delayMs: 1500", "delayMs: soon")).toEqual([
      'p.yaml:11:28: rules.1.policy.delayMs: must be a number from 1 to 86400000; it is "soon"',
    ]);
    expect(inFile("models:", "model:")).toEqual([
      'p.yaml:7:13: rules.0.when.model: is not known ("model"); did you mean models? Known here: models, modes, senders, minFeeGwei, maxFeeGwei',
    ]);
    expect(inFile("kind: hedge", "kind: hegde")[0]).toMatch(
      /^p\.yaml:11:15: rules\.1\.policy\.kind: is not known \("hegde"\); did you mean hedge\?/,
    );
    expect(inFile("[zkml, tee]", "[zkml, te]")).toEqual([
      'p.yaml:7:45: rules.0.when.modes.1: must be `vanilla` or `optimistic` or `tee` or `zkml`; it is "te"',
    ]);
    expect(inFile("name: standard\n", "")).toEqual([
      "p.yaml: name: is missing; it is text of 1 to 256 characters: what logs, metrics and comparisons call it",
    ]);
    expect(inFile(", burstMs: 5000", "")[0]).toMatch(/^p\.yaml:4:1: budget\.burstMs: is missing/);
  });

  it("is told of values without blame for what is usual, and of two aims at once", () => {
    const aims = (keys: string) => inFile("kind: hedge, delayMs: 1500, maxCopies: 3", `kind: deadline, ${keys}`);
    expect(aims("sealGwei: fee, lossPerBlock: 0.02, workGweiPerS: 3")).toEqual([]);
    expect(aims("sealGwei: fees")).toEqual([
      'p.yaml:11:31: rules.1.policy.sealGwei: must be a number from 0 to 1000000000000000, or `fee`; it is "fees"',
    ]);
    expect(aims("target: 0.9, sealGwei: 5")).toEqual([
      "p.yaml:11:44: rules.1.policy.sealGwei: is not given together with target; drop one of them",
    ]);
    expect(aims("lossPerBlock: 0.5")).toEqual([
      "p.yaml:11:5: rules.1.policy: lossPerBlock needs sealGwei: what sealing in the open block is worth",
    ]);
  });

  it("is found between rules, too", () => {
    expect(inFile("all others", "money")).toEqual([
      "p.yaml:10:5: rules.1.name: is the name of rule 1, too; give it another",
    ]);
    expect(inFile("minFeeGwei: 1000", "minFeeGwei: 1000, maxFeeGwei: 1")[0]).toContain(
      "rules.0.when.minFeeGwei: is 1000, more than maxFeeGwei: 1",
    );
    const last = "  - name: all others\n    policy: { kind: hedge, delayMs: 1500, maxCopies: 3 }\n";
    expect(inFile(last, "")).toEqual([
      "p.yaml:7:5: rules.0.when: must be left out of the last rule, so that every call has a policy; add a rule after it",
    ]);
    const dead =
      "  - name: dead\n    when: { models: [risk-tiny], modes: [tee], minFeeGwei: 2000 }\n    policy: { kind: fixed, copies: 1 }\n";
    expect(inFile(last, dead + last)).toEqual([
      'p.yaml:10:5: rules.1: never gets a call: rule "money" before it takes all of them; move it up, or drop it',
    ]);
    expect(problemsOf("name: x\nrules: []")).toEqual([
      "p.yaml:2:1: rules: must hold a rule at least: the last one, for every call",
    ]);
  });

  it("is a key given twice, wherever it stands", () => {
    expect(inFile("placement: { kind: least-loaded }", "placement: { kind: random, kind: c3 }")).toEqual([
      "p.yaml:9:32: the file: Map keys must be unique",
    ]);
    expect(inFile("name: standard", "name: standard\nname: other")).toEqual([
      "p.yaml:3:1: the file: Map keys must be unique",
    ]);
  });

  it("is found in the longest files that there may be without comparing everything with everything", () => {
    const rules = Array.from({ length: MAX_RULES - 1 }, (_, rule) => {
      const models = Array.from({ length: 256 }, (__, model) => `m${rule}-${model}`).join(", ");
      return `  - name: rule ${rule}\n    when: { models: [${models}] }\n    policy: { kind: deadline, target: 0.99 }\n`;
    });
    const long = `name: long\nrules:\n${rules.join("")}  - name: others\n    policy: { kind: fixed, copies: 2 }\n`;
    expect(long.length).toBeLessThan(MAX_POLICY_FILE_BYTES);
    expect(specOf(long).rules).toHaveLength(MAX_RULES);
    // 26,000 keys in one section: pair by pair they would be a third of a billion comparisons.
    let keys = "name: wide\n";
    for (let key = 0; keys.length < MAX_POLICY_FILE_BYTES - 16; key++) keys += `k${key}: 1\n`;
    expect(problemsOf(keys)).toHaveLength(21);
    expect(problemsOf(`${keys}${"# longer\n".repeat(4)}`)).toEqual([
      `p.yaml: the file: the file is longer than ${MAX_POLICY_FILE_BYTES} bytes`,
    ]);
  });

  it("may be that it is no such file at all", () => {
    expect(problemsOf("name: [a\n")).toEqual([expect.stringMatching(/^p\.yaml:2:1: the file: /)]);
    expect(problemsOf("")).toEqual([
      "p.yaml: the file: must be a section of keys such as `name: standard` and `rules:`",
    ]);
    expect(problemsOf("a: 1\n".repeat(300_000))).toEqual(["p.yaml: the file: the file is longer than 262144 bytes"]);
  });
});

describe("what stands where a policy file was", () => {
  // Read to its end, a device fills the memory, and a pipe keeps the watch from ever ending.
  it.each(["/dev/zero", "/dev/null", "/"])("is refused at once when it is no file: %s", async (path) => {
    const { said, read } = await readPolicyFile(path);
    expect(read).toBeInstanceOf(Error);
    expect(said).toMatch(/is no file|cannot be read/);
  });
});
