import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { importsOf, parse } from "../tidy/syntax.ts";

/**
 * The package as a stranger gets it: built, packed, unpacked into another project, and used there. Only what
 * package.json calls a dependency is at hand in that project.
 */
const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
const workshop = mkdtempSync(join(tmpdir(), "pipe-package-"));
const stage = join(workshop, "stage");
const consumer = join(workshop, "consumer");
const installed = join(consumer, "node_modules", manifest.name);

function run(cwd: string, command: string, ...args: string[]): string {
  const done = spawnSync(command, args, { cwd, encoding: "utf8", timeout: 60_000 });
  if (done.error !== undefined) throw done.error;
  expect(done.status, `${command} ${args.join(" ")}\n${done.stdout}${done.stderr}`).toBe(0);
  return done.stdout;
}

/** `effect` of `effect/Schema`, `@effect/platform-node` of `@effect/platform-node/NodeRuntime`. */
function packageNameOf(specifier: string): string {
  return specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
}

/** Packs a copy, so that a dist/ that is older or being built right now plays no part. */
function pack(): string {
  mkdirSync(stage);
  for (const file of ["package.json", "README.md", "LICENSE", "CHANGELOG.md"]) {
    copyFileSync(join(ROOT, file), join(stage, file));
  }
  run(ROOT, process.execPath, ".ci/build.mjs", join(stage, "dist"));
  const [packed] = JSON.parse(run(stage, "npm", "pack", "--ignore-scripts", "--json"));
  return join(stage, packed.filename);
}

function install(tarball: string): void {
  mkdirSync(installed, { recursive: true });
  run(installed, "tar", "-xzf", tarball, "--strip-components=1");
  for (const dependency of Object.keys(manifest.dependencies)) {
    const link = join(consumer, "node_modules", dependency);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(ROOT, "node_modules", dependency), link);
  }
  writeFileSync(join(consumer, "package.json"), JSON.stringify({ name: "consumer", type: "module", private: true }));
}

beforeAll(() => install(pack()), 180_000);
afterAll(() => rmSync(workshop, { recursive: true, force: true }), 60_000);

/** What each subpath must offer, at least. */
const OFFERED: Record<string, readonly string[]> = {
  ".": ["createPipe", "loadRegistry", "Registry", "RegistryError", "createEmulatorRoot"],
  "./policies": ["policyOf", "placementOf", "KaplanMeier", "WorkBudget"],
  "./evm": ["startEvmDevnet", "startRpcServer", "EvmChain", "verifyEvmBlock", "inferenceOptions", "INFERENCE_ADDRESS"],
  "./nats": ["createNatsTransport", "startNatsNode"],
  "./sim": ["parseExperimentFile", "runExperiment", "validate"],
};

describe("the packed package", () => {
  it("has each of its subpaths checked here", () => {
    const subpaths = Object.keys(manifest.exports).filter((subpath) => !/\.(?:json|sol)$/.test(subpath));
    expect(Object.keys(OFFERED).sort()).toEqual(subpaths.sort());
  });

  it.each(Object.entries(OFFERED))("offers at %s what it promises", (subpath, names) => {
    const specifier = manifest.name + subpath.slice(1);
    const program = `console.log(JSON.stringify(Object.keys(await import("${specifier}"))))`;
    const found: unknown = JSON.parse(run(consumer, process.execPath, "--input-type=module", "--eval", program));
    expect(found).toEqual(expect.arrayContaining([...names]));
  });

  it("runs a chain of its own in a thread, and reads what it needs", () => {
    const lines = [
      `import { ChainThread, DEPOSIT_ADDRESS, depositCode, devAccounts, EvmChain } from "${manifest.name}/evm";`,
      `const code = Buffer.from(depositCode().slice(2), "hex");`,
      `const alloc = [{ address: DEPOSIT_ADDRESS, balanceWei: 0n, code }];`,
      `const fees = { gasLimit: 30_000_000n, baseFeePerGas: 1n, coinbase: devAccounts(1)[0].address, timestamp: 1 };`,
      `const genesis = { chainId: 1n, pipeChainId: "one", hardfork: "prague", alloc, ...fees };`,
      `const [{ thread, head }, chain] = await Promise.all([ChainThread.start(genesis, "one"), EvmChain.create(genesis)]);`,
      `console.log(head.hash === chain.head.hash, (await thread.ask("code", DEPOSIT_ADDRESS)).length === code.length);`,
      `await thread.close();`,
    ];
    const said = run(consumer, process.execPath, "--input-type=module", "--eval", lines.join("\n"));
    expect(said.trim()).toBe("true true");
  });

  it("brings the contracts that others import, and the code that a chain begins with", () => {
    const program = `console.log(import.meta.resolve("${manifest.name}/contracts/Inference.sol"))`;
    const said = run(consumer, process.execPath, "--input-type=module", "--eval", program);
    const folder = new URL("./", said.trim());
    expect(readFileSync(new URL("Inference.sol", folder), "utf8")).toContain("library Inference");
    expect(readFileSync(new URL("IPipeInference.sol", folder), "utf8")).toContain("interface IPipeInference");
    expect(readFileSync(new URL("PipeDeposit.json", folder), "utf8")).toContain("deployedBytecode");
  });

  it("keeps its inside to itself", () => {
    const program = `await import("${manifest.name}/dist/policies/index.js").catch((e) => console.log(e.code))`;
    const said = run(consumer, process.execPath, "--input-type=module", "--eval", program);
    expect(said.trim()).toBe("ERR_PACKAGE_PATH_NOT_EXPORTED");
  });

  it("imports nothing but its declared dependencies", () => {
    const scripts = globSync("dist/**/*.js", { cwd: installed });
    const programs = scripts.map((script) => parse(script, readFileSync(join(installed, script), "utf8")));
    const specifiers = programs.flatMap((program) => importsOf(program)).map((statement) => statement.from);
    const packages = specifiers.filter((from) => !/^(?:\.|node:)/.test(from)).map(packageNameOf);
    expect(packages).toContain("effect");
    expect(Object.keys(manifest.dependencies)).toEqual(expect.arrayContaining(packages));
  });

  it("is typed: a strict project compiles against it, and its mistakes are found", () => {
    const lines = [
      `import { policyOf, type Policy } from "${manifest.name}/policies";`,
      `import { createPipe } from "${manifest.name}";`,
      `export const policy: Policy = policyOf({ kind: "fixed", copies: 2 });`,
      `// @ts-expect-error: there is no such policy.`,
      `export const mistake = policyOf({ kind: "hope" });`,
      `// @ts-expect-error: it is a function.`,
      `export const another: string = createPipe;`,
    ];
    writeFileSync(join(consumer, "index.ts"), lines.join("\n"));
    const options = [
      "--noEmit",
      "--strict",
      "--skipLibCheck",
      "--target",
      "es2024",
      "--module",
      "nodenext",
      "index.ts",
    ];
    run(consumer, process.execPath, join(ROOT, "node_modules/typescript/bin/tsc"), ...options);
  });

  it("brings the command `pipe`", () => {
    const command = join(installed, manifest.bin.pipe);
    expect(readFileSync(command, "utf8")).toMatch(/^#!\/usr\/bin\/env node\n/);
    expect(run(consumer, process.execPath, command, "--version")).toContain(manifest.version);
  });

  it("draws reports", () => {
    const service = "{ kind: exponential, meanMs: 100 }";
    const rest = "arrivals: { kind: poisson, ratePerS: 5 }\nfleet: { nodes: 2 }\npolicy: { kind: fixed, copies: 1 }";
    writeFileSync(join(consumer, "small.yaml"), `jobs: 50\nreplications: 1\nservice: ${service}\n${rest}\n`);
    const command = join(installed, manifest.bin.pipe);
    run(consumer, process.execPath, command, "sim", "run", "small.yaml", "--out", "small");
    run(consumer, process.execPath, command, "sim", "report", "small");
    const page = readFileSync(join(consumer, "small", "report.html"), "utf8");
    for (const part of ["d3js.org", "@observablehq/plot v", "tradeoff-chart", "--paper"]) expect(page).toContain(part);
  });

  it("carries its licence and no tests", () => {
    const files = run(installed, "find", ".", "-type", "f").split("\n");
    expect(files).toEqual(expect.arrayContaining(["./LICENSE", "./README.md", "./CHANGELOG.md"]));
    expect(files.filter((file) => /\.test\.|\/test\/|(?<!\.d)\.ts$/.test(file))).toEqual([]);
  });
});
