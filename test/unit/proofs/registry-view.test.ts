import { describe, expect, it } from "vitest";
import { seedCommitment } from "../../../scheduler/proofs/challenge-sample.ts";
import { sha256Hex } from "../../../scheduler/proofs/digest.ts";
import type { RegistryEntry } from "../../../scheduler/proofs/registry-log.ts";
import { modelsDigest } from "../../../scheduler/proofs/registry-log.ts";
import { RegistryView } from "../../../scheduler/proofs/registry-view.ts";
import { openRegistry } from "../../../scheduler/registry/default-registry.ts";

const hashOf = (text: string) => sha256Hex(Buffer.from(text));
const SCHEDULER: RegistryEntry = {
  entry: "scheduler",
  chainId: "pipe-1",
  key: hashOf("key"),
  perMillion: 1,
  epochBlocks: 10,
  revealBlocks: 5,
};
const document = Buffer.from("a document");
const attestation: RegistryEntry = {
  entry: "attestation",
  attestation: sha256Hex(document),
  document: document.toString("base64"),
};
const epoch: RegistryEntry = { entry: "epoch", epoch: 3, seed: hashOf("epoch") };
const nodeAt = (atUs: number, key: string, ref?: { hash: string; epoch: number }): RegistryEntry => ({
  entry: "node",
  atUs,
  id: "node-a",
  key: hashOf(key),
  operator: "o",
  region: "r",
  hardware: "h",
  slots: 1,
  queueLimit: 0,
  offers: [],
  ...(ref === undefined ? {} : { attestation: ref }),
});
const { lines } = openRegistry();
const modelsAt = (atUs: number, told = lines): RegistryEntry => ({
  entry: "models",
  atUs,
  digest: modelsDigest(told),
  lines: told,
});
const commitment: RegistryEntry = { entry: "commitment", epoch: 1, commitment: seedCommitment(hashOf("seed")) };

/** What is wrong with the last of these entries. */
function problemOf(...entries: RegistryEntry[]): string | undefined {
  const view = new RegistryView();
  return entries.map((entry) => view.add(entry)).at(-1);
}

describe("a registry log", () => {
  it("has nothing wrong with it when it is in order", () => {
    const ref = { hash: sha256Hex(document), epoch: 3 };
    const log = [SCHEDULER, modelsAt(1), epoch, attestation, nodeAt(2, "a", ref), commitment];
    const view = new RegistryView();
    expect(log.map((entry) => view.add(entry))).toEqual(log.map(() => undefined));
    expect([view.nodeCount, view.documentCount]).toEqual([1, 1]);
  });

  it.each<[string, RegistryEntry[], string]>([
    ["no scheduler first", [epoch], "the first line, and only it"],
    ["a second scheduler", [SCHEDULER, SCHEDULER], "the first line, and only it"],
    ["lines of no registry", [SCHEDULER, modelsAt(1, ["{}"])], "none of a model registry"],
    ["lines that are no JSON", [SCHEDULER, modelsAt(1, ["?"])], "none of a model registry"],
    ["a root that is none", [SCHEDULER, modelsAt(1, [rootLine()])], "none of a model registry"],
    ["another digest", [SCHEDULER, { ...modelsAt(1), digest: hashOf("x") } as RegistryEntry], "its digest is not that"],
    ["rules from the past", [SCHEDULER, modelsAt(5), modelsAt(4)], "before that of the rules before"],
    [
      "another document",
      [SCHEDULER, { ...attestation, document: "AAAA" } as RegistryEntry],
      "not the one that the hash",
    ],
    [
      "an attestation not told",
      [SCHEDULER, epoch, nodeAt(1, "a", { hash: hashOf("?"), epoch: 3 })],
      "names an attestation",
    ],
    [
      "an epoch not told",
      [SCHEDULER, attestation, nodeAt(1, "a", { hash: sha256Hex(document), epoch: 3 })],
      "names a registration epoch",
    ],
    ["an epoch twice", [SCHEDULER, epoch, epoch], "for a second time"],
    ["a node from the past", [SCHEDULER, nodeAt(5, "a"), nodeAt(4, "b")], "before that of the node's terms before"],
    ["a commitment twice", [SCHEDULER, commitment, commitment], "for a second time"],
    [
      "a seed without commitment",
      [SCHEDULER, { entry: "revealed", epoch: 1, seed: hashOf("seed") }],
      "not committed to",
    ],
    [
      "another seed than committed to",
      [SCHEDULER, commitment, { entry: "revealed", epoch: 1, seed: hashOf("other") }],
      "another seed",
    ],
  ])("with %s says so", (_, log, problem) => {
    expect(problemOf(...log)).toContain(problem);
  });
});

function rootLine(): string {
  return JSON.stringify({ entry: "root", fingerprint: hashOf("root"), emulator: false, pem: "no certificate" });
}

describe("what a registry log gives to judge by", () => {
  const view = RegistryView.of([
    SCHEDULER,
    modelsAt(10),
    nodeAt(20, "a"),
    nodeAt(40, "b"),
    modelsAt(50, lines.slice(0, 1)),
  ]);
  const find = (key: string, fromUs: number, toUs: number) =>
    view.registration({ node: "node-a", key: hashOf(key), attestation: undefined, fromUs, toUs });

  it("is a registration only while it was in force", () => {
    expect(find("a", 20, 20)?.terms.key).toBe(hashOf("a"));
    expect(find("a", 0, 19)).toBeUndefined();
    expect(find("a", 40, 60)).toBeDefined();
    expect(find("a", 41, 60)).toBeUndefined();
    expect(find("b", 30, 39)).toBeUndefined();
    expect(find("b", 30, 40)).toBeDefined();
    expect(find("c", 0, 100)).toBeUndefined();
  });

  it("is a rule only from when on it held", () => {
    const known = (atUs: number) => view.modelRules("risk-small", atUs) !== undefined;
    expect([9, 10, 49, 50].map(known)).toEqual([false, true, true, false]);
  });
});
