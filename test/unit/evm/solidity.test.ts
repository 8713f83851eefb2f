import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { compileContracts } from "../../../docs/examples/evm/compile.ts";
import { INFERENCE_GAS } from "../../../mempool/evm/gas.ts";
import { inferenceOptions } from "../../../mempool/evm/options.ts";
import { testContract } from "../../support/solidity.ts";
import { inferenceAbi } from "./calldata.ts";

const folder = mkdtempSync(join(tmpdir(), "pipe-solidity-"));
afterAll(() => rmSync(folder, { recursive: true }));
const text = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), "utf8");

describe("contracts", () => {
  it("are compiled once", () => {
    testContract("Looper");
    const before = performance.now();
    expect(testContract("Looper").bytecode).toMatch(/^0x[0-9a-f]+$/u);
    // Loading the compiler alone takes ten times that.
    expect(performance.now() - before).toBeLessThan(100);
  });

  it("that are wrong are reported with the compiler's words", () => {
    writeFileSync(join(folder, "Wrong.sol"), "pragma solidity ^0.8.20; contract Wrong { uint256 x = true; }");
    expect(() => compileContracts(pathToFileURL(`${folder}/`))).toThrow(/not implicitly convertible/u);
  });
});

describe("docs/EVM-SOLIDITY.md", () => {
  const page = text("docs/EVM-SOLIDITY.md");

  it("has every function and error of the interface", () => {
    const names = inferenceAbi().flatMap((item) => ("name" in item ? [item.name] : []));
    expect(names.length).toBeGreaterThan(11);
    for (const name of names) expect(page).toContain(`\`${name}(`);
  });

  it("has the gas that is charged", () => {
    const { answer, ...rest } = INFERENCE_GAS;
    const charged = Object.values({ ...rest, ...answer }).map((gas) => Number(gas).toLocaleString("en"));
    for (const gas of charged) expect(page).toContain(`| ${gas} |`);
  });

  it("has an access list that can be read", () => {
    for (const key of inferenceOptions({ capGwei: 1_000_000 })?.storageKeys ?? []) expect(page).toContain(key);
  });
});
