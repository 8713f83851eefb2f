import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { readVerificationKey } from "../../../scheduler/node/zkml/catalogue.ts";
import { groth16, holds } from "../../../scheduler/proofs/zkml/groth16.ts";
import { readEquation } from "../../../scheduler/proofs/zkml/groth16-key.ts";
import { COORDINATE_ORDER, pointG1, pointG2 } from "../../../scheduler/proofs/zkml/points.ts";
import { entry } from "./fixture.ts";

type Json = Record<string, unknown>;
const good = readVerificationKey(entry) as Json;
const [x, y] = good["vk_alpha_1"] as [string, string];
const [bx, by] = good["vk_beta_2"] as [[string, string], [string, string]];
const bases = good["IC"] as string[][];

const faultOf = (changes: Json) => groth16.prepare({ ...good, ...changes });

describe("a verification key", () => {
  it("is prepared from the registry's JSON, and names its setup", () => {
    expect(groth16.prepare(good)).toMatchObject({
      system: "groth16-bn254",
      setup: entry.setup,
      circuit: { input: { count: 8, bytes: 1 }, output: { count: 1, bytes: 1 } },
    });
    expect(entry.setup).toMatch(/^test setup/);
  });

  it.each([
    ["nothing", undefined],
    ["text", "groth16"],
    ["a list", []],
  ])("is not %s", (_what, json) => {
    expect(groth16.prepare(json)).toMatchObject({ fault: "malformed-key" });
  });

  it.each<[string, Json]>([
    ["of another proof system", { protocol: "plonk" }],
    ["on another curve", { curve: "bls12381" }],
    ["with a point of one coordinate", { vk_alpha_1: [x] }],
    ["with projective coordinates", { vk_alpha_1: [x, y, "2"] }],
    ["with numbers for texts", { vk_alpha_1: [1, 2, "1"] }],
    ["with leading zeros", { vk_alpha_1: [`0${x}`, y, "1"] }],
    ["with hexadecimal", { vk_alpha_1: ["0x1", y, "1"] }],
    ["with a minus", { vk_alpha_1: [`-${x}`, y, "1"] }],
    ["with endless digits", { vk_alpha_1: ["1".repeat(100_000), y, "1"] }],
    ["without a setup", { setup: undefined }],
    ["without a circuit", { circuit: undefined }],
    ["with elements that are too wide", { circuit: { input: { count: 8, bytes: 9 }, output: { count: 1, bytes: 1 } } }],
    ["of another circuit's size", { circuit: { input: { count: 9, bytes: 1 }, output: { count: 1, bytes: 1 } } }],
    ["with a base too few", { IC: bases.slice(1) }],
    ["with a base too many", { IC: [...bases, bases[0]] }],
    ["with a hundred thousand bases", { IC: Array(100_000).fill(bases[0]), nPublic: 99_999 }],
  ])("is malformed %s", (_what, changes) => {
    expect(faultOf(changes)).toMatchObject({ fault: "malformed-key", message: expect.any(String) });
  });

  it.each<[string, string, Json]>([
    ["non-canonical-coordinate", "vk_alpha_1", { vk_alpha_1: [`${BigInt(x) + COORDINATE_ORDER}`, y, "1"] }],
    ["point-off-curve", "vk_alpha_1", { vk_alpha_1: [y, x, "1"] }],
    ["point-at-infinity", "vk_alpha_1", { vk_alpha_1: ["0", "0", "1"] }],
    ["point-off-curve", "vk_beta_2", { vk_beta_2: [by, bx, ["1", "0"]] }],
    [
      "point-at-infinity",
      "vk_gamma_2",
      {
        vk_gamma_2: [
          ["0", "0"],
          ["0", "0"],
          ["1", "0"],
        ],
      },
    ],
    [
      "point-at-infinity",
      "vk_delta_2",
      {
        vk_delta_2: [
          ["0", "0"],
          ["0", "0"],
          ["1", "0"],
        ],
      },
    ],
    // A base at infinity would let its public input be anything.
    ["point-at-infinity", "IC[3]", { IC: bases.with(3, ["0", "0", "1"]) }],
  ])("is refused for %s in %s", (fault, where, changes) => {
    expect(faultOf(changes)).toMatchObject({ fault, message: expect.stringContaining(where) });
  });

  it("is refused when the second phase of the setup never ran: then anybody can forge", () => {
    expect(faultOf({ vk_delta_2: good["vk_gamma_2"] })).toMatchObject({ fault: "setup-not-finished" });
  });
});

const VECTORS = new URL("../../../../shared/vectors/groth16-mlp/", import.meta.url);

describe.runIf(existsSync(VECTORS))("a proof made elsewhere (shared vectors; skipped where they are absent)", () => {
  const read = (file: string) => JSON.parse(readFileSync(new URL(file, VECTORS), "utf8"));

  it("holds, and with any public signal changed it does not", () => {
    const { pi_a, pi_b, pi_c } = read("g_proof.json");
    const signals = (read("g_public.json") as string[]).map(BigInt);
    const equation = readEquation(read("g_vk.json"));
    const g1 = ([px, py]: string[]) => pointG1(BigInt(px ?? ""), BigInt(py ?? ""));
    const pair = ([real, imaginary]: string[]) => [BigInt(real ?? ""), BigInt(imaginary ?? "")] as const;
    const [a, b, c] = [g1(pi_a), pointG2(pair(pi_b[0]), pair(pi_b[1])), g1(pi_c)];
    if ("fault" in equation || typeof a === "string" || typeof b === "string" || typeof c === "string")
      throw new Error("the vector is well-formed");
    expect(holds(equation, signals, { a, b, c })).toBe(true);
    for (const [i, signal] of signals.entries())
      expect(holds(equation, signals.with(i, signal + 1n), { a, b, c }), `signal ${i}`).toBe(false);
  });
});
