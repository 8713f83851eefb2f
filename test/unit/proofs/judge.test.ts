import { curves } from "snarkjs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { judgeProof, judging, type Stage, type StageOutcome } from "../../../scheduler/proofs/judge.ts";
import { StageRunner, trustIn } from "../../../scheduler/proofs/stage-runner.ts";
import { statementHash } from "../../../scheduler/proofs/statement.ts";
import { emulatorMeasurements } from "../../../scheduler/node/enclave-emulator.ts";
import { isGenuine } from "../../support/genuine.ts";
import { HonestNode, NOW_MS, TRUST } from "../../support/honest-proofs.ts";
import { type Case, proofCases } from "../../support/hostile-proofs.ts";

type Run = (stage: Stage) => StageOutcome;

const runner = new StageRunner(TRUST);
const honestRun: Run = (stage) => runner.run(stage);
let cases: readonly Case[] = [];

beforeAll(async () => {
  cases = await proofCases();
});
// snarkjs keeps threads for its curve.
afterAll(async () => (await curves.getCurveFromName("bn128")).terminate());

describe("the judge", () => {
  it("has its own word for each way of cheating, and accepts what is honest (P3)", () => {
    const found = cases.map(({ name, parts }) => [name, judgeProof(parts, honestRun)]);
    expect(found).toEqual(cases.map(({ name, verdict }) => [name, verdict]));
  });

  it("gives the same verdicts in another order, whatever was judged before", () => {
    for (const { name, parts, verdict } of cases.toReversed()) expect(judgeProof(parts, honestRun), name).toBe(verdict);
  });

  it("agrees with a second opinion that shares no code with it", async () => {
    for (const { name, parts, verdict } of cases)
      expect(await isGenuine(parts, TRUST.roots), name).toBe(verdict === "valid");
  });

  it("looks at signatures before pairings", async () => {
    const stages = new Map<string, string[]>();
    for (const { name, parts } of cases) {
      const judge = judging(parts);
      const kinds: string[] = [];
      for (let step = judge.next(); step.done !== true; step = judge.next(runner.run(step.value)))
        kinds.push(step.value.kind);
      stages.set(name, kinds);
    }
    expect(stages.get("zkml: honest")).toEqual(["signature", "zk"]);
    expect(stages.get("zkml: not signed")).toEqual(["signature"]);
    expect(stages.get("tee: honest")).toEqual(["attestation", "signature"]);
    expect(stages.get("vanilla: another output")).toEqual([]);
  });

  it("trusts nobody's enclave without roots, and no emulator unless it is said to be one", async () => {
    const parts = await new HonestNode("node-1", 1).parts("tee");
    const none = new StageRunner(trustIn([]));
    expect(judgeProof(parts, (stage) => none.run(stage))).toBe("attestation-unknown-root");
    const [pem = ""] = TRUST.roots;
    expect(() => new StageRunner(trustIn([{ pem, emulator: false }]))).toThrow(/emulator/);
    expect(trustIn([{ pem, emulator: true }])).toEqual(TRUST);
  });
});

const NO_KEY = { algorithm: "ed25519", spkiHex: "" } as const;
const PASSED: StageOutcome = { ok: true, enclave: undefined };
const OTHER = { node: "node-2", nodeKey: new HonestNode("node-2", 2).key.publicKeyHex };
/** What the honest proof is bound to. */
const BINDING = statementHash(new HonestNode("node-1", 1).statement("zkml", 1));

/** Judges with a planted error each. The second opinion must notice every one of them. */
const MUTANTS: Readonly<Record<string, Run>> = {
  "accepts everything": () => ({ ok: true, enclave: { key: NO_KEY, expiresMs: NOW_MS, emulated: true } }),
  "takes every signature": (stage) => (stage.kind === "signature" ? PASSED : honestRun(stage)),
  "takes every zero-knowledge proof": (stage) => (stage.kind === "zk" ? PASSED : honestRun(stage)),
  "judges attestations at their own time": (stage) =>
    honestRun(stage.kind === "attestation" ? { ...stage, check: { ...stage.check, atMs: NOW_MS } } : stage),
  "knows an image too many": (stage) => honestRun(stage.kind === "attestation" ? withImage(stage, "other") : stage),
  "asks for no fresh nonce": (stage) =>
    honestRun(stage.kind === "attestation" ? withBinding(stage, { registrationNonce: "00".repeat(32) }) : stage),
  "forgets whose enclave it is": (stage) => honestRun(stage.kind === "attestation" ? withBinding(stage, OTHER) : stage),
  "binds proofs to no assignment": (stage) => honestRun(stage.kind === "zk" ? { ...stage, binding: BINDING } : stage),
};

describe("a second opinion", () => {
  it.each(Object.entries(MUTANTS))("notices a judge that %s", async (_, run) => {
    const fooled = cases.filter(({ parts, verdict }) => verdict !== "valid" && judgeProof(parts, run) === "valid");
    expect(fooled.length).toBeGreaterThan(0);
    for (const { name, parts } of fooled) expect(await isGenuine(parts, TRUST.roots), name).toBe(false);
  });
});

type AttestationStage = Extract<Stage, { kind: "attestation" }>;

function withImage(stage: AttestationStage, image: string): AttestationStage {
  const { rules } = stage.check;
  const measurements = [...rules.measurements, emulatorMeasurements(image)];
  return { ...stage, check: { ...stage.check, rules: { ...rules, measurements } } };
}

function withBinding(
  stage: AttestationStage,
  changes: Partial<AttestationStage["check"]["binding"]>,
): AttestationStage {
  return { ...stage, check: { ...stage.check, binding: { ...stage.check.binding, ...changes } } };
}
