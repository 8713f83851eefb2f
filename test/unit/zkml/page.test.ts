import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { sha256Hex } from "../../../scheduler/proofs/digest.ts";
import type { Statement } from "../../../scheduler/proofs/statement.ts";
import { statementHash } from "../../../scheduler/proofs/statement.ts";
import { describeZkFault } from "../../../scheduler/proofs/zkml/fault-advice.ts";
import { groth16 } from "../../../scheduler/proofs/zkml/groth16.ts";
import type { ZkFault } from "../../../scheduler/proofs/zkml/proof-system.ts";
import { publicInputsOf } from "../../../scheduler/proofs/zkml/public-inputs.ts";
import { entry, key } from "./fixture.ts";

const run = promisify(execFile);
const root = new URL("../../../", import.meta.url);
const page = await readFile(new URL("docs/ZKML.md", root), "utf8");

interface Vector {
  readonly statement: Statement;
  readonly input: string;
  readonly output: string;
  readonly modelDigest: string;
  readonly binding: string;
  readonly publicInputs: readonly string[];
  readonly proof: string;
}

it("the program of docs/ZKML.md runs and says what it says", async () => {
  const program = /^```ts\n(.*?)^```$/ms.exec(page)?.[1] ?? "";
  await mkdir(new URL("out/", root), { recursive: true });
  const place = await mkdtemp(fileURLToPath(new URL("out/zkml-", root)));
  try {
    const path = join(place, "program.ts");
    await writeFile(path, program.replaceAll('"./scheduler/', `"${root.href}scheduler/`));
    const { stdout, stderr } = await run(process.execPath, [path], { timeout: 60_000 });
    expect(stderr).toBe("");
    expect(stdout.trimEnd().split("\n")).toEqual([
      "score 232, proved: true (test setup)",
      "not-proved: The proof is of another statement,",
    ]);
  } finally {
    await rm(place, { recursive: true, force: true });
  }
}, 90_000);

it("has the published test vector", () => {
  const vector = JSON.parse(/^```json vector\n(.*?)^```$/ms.exec(page)?.[1] ?? "") as Vector;
  const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex, "hex"));
  const { statement, binding, modelDigest } = vector;
  const claim = { modelDigest, binding, input: bytes(vector.input), output: bytes(vector.output) };
  expect(statement).toMatchObject({ inputHash: sha256Hex(claim.input), outputHash: sha256Hex(claim.output) });
  expect(statementHash(statement)).toBe(binding);
  expect(entry.modelDigest).toBe(modelDigest);
  expect(publicInputsOf(key.circuit, claim)).toEqual(vector.publicInputs.map(BigInt));
  expect(groth16.verify({ key, ...claim, proof: bytes(vector.proof) })).toEqual({ ok: true });
});

it("names every reason once, and there is advice for each", () => {
  const named = [...page.matchAll(/^\|[^|]*\| `([a-z0-9-]+)` \|$/gm)].map(([, reason]) => reason as ZkFault);
  expect(named).toEqual([
    "bad-public-input",
    "bad-input-encoding",
    "bad-output-encoding",
    "bad-proof-length",
    "non-canonical-coordinate",
    "point-at-infinity",
    "point-off-curve",
    "point-in-wrong-subgroup",
    "not-proved",
  ] satisfies ZkFault[]);
  expect(new Set(named.map(describeZkFault)).size).toBe(named.length);
});
