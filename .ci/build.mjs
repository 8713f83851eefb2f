/**
 * Builds the package: compiles the sources and copies what is needed at run time beside them.
 * Usage: node .ci/build.mjs [folder], by default dist/ of the checkout.
 */
import { spawnSync } from "node:child_process";
import fs from "node:fs"; // Whole, since an old Node.js lacks some of its names and must come as far as the message below.
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const out = resolve(process.argv[2] ?? join(root, "dist"));
const compiler = join(root, "node_modules", "typescript", "bin", "tsc");

/** Files that the compiler leaves behind: models with their descriptions, plain scripts, contracts, and what goes into pages. */
const ASSETS = [
  "scheduler/**/*.{mjs,json,onnx,zkey,wasm,html,css,svg}",
  "sim/report/browser/*.{mjs,css}",
  "mempool/evm/contracts/*.{sol,json}",
];
/** What made those models. It needs development dependencies, so it would not run from the package. */
const WORKSHOP = ["scheduler/node/models/{make-models,onnx-format,train-risk}.*", "scheduler/node/zkml/workshop/*"];

// `npm ci --omit=dev` runs `prepare` too, but brings no compiler; an operator who installs so runs a published package.
const preparing = process.env.npm_lifecycle_event === "prepare";
if (preparing && !fs.existsSync(compiler)) {
  console.error("dist/ is not built: development dependencies are not installed.");
  process.exit(0);
}

fs.rmSync(out, { recursive: true, force: true });
// Source maps carry the sources, so that stack traces and debuggers show TypeScript though the package has none.
const options = ["-p", join(root, "tsconfig.build.json"), "--outDir", out, "--inlineSources"];
// A type error must not keep anybody from installing a checkout to mend it; `npm run check` finds it.
if (preparing) options.push("--noCheck");
const compiled = spawnSync(process.execPath, [compiler, ...options], { cwd: root, stdio: "inherit" });
if (compiled.status !== 0) process.exit(compiled.status ?? 1);
for (const asset of fs.globSync(ASSETS, { cwd: root })) fs.cpSync(join(root, asset), join(out, asset));
for (const tool of fs.globSync(WORKSHOP, { cwd: out })) fs.rmSync(join(out, tool));
// npm makes it so when it installs the package; a checkout that was built again has only this.
fs.chmodSync(join(out, "scheduler", "cli", "main.js"), 0o755);
