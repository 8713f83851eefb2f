/**
 * Compiles the contracts of a folder with solc, which is a development dependency. Results are kept under out/solc, so that a
 * second call neither loads nor runs the compiler.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Abi } from "ox";

export interface CompiledContract {
  readonly abi: Abi.Abi;
  /** What a deployment's transaction carries, before the constructor's arguments; hexadecimal with 0x. */
  readonly bytecode: `0x${string}`;
  /** What stands at the contract's address afterwards. */
  readonly deployedBytecode: `0x${string}`;
}

/** The contracts of a folder by name. */
export type CompiledContracts = Readonly<Record<string, CompiledContract>>;

/** Where `pipe-scheduler/contracts/` leads in a checkout. */
export const LIBRARY = new URL("../../../mempool/evm/contracts/", import.meta.url);
const LIBRARY_NAME = "pipe-scheduler/contracts/";
const CACHE = new URL("../../../out/solc/", import.meta.url);

const SETTINGS = {
  evmVersion: "prague",
  optimizer: { enabled: true, runs: 200 },
  // Without it a comment, or where a file lies, would change the bytecode.
  metadata: { appendCBOR: false, bytecodeHash: "none" },
  outputSelection: { "*": { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"] } },
};

const require = createRequire(import.meta.url);

/** Compiles all `.sol` files of the folder (its URL ends with a slash). Throws an Error with the compiler's messages. */
export function compileContracts(folder: URL): CompiledContracts {
  const own = sourcesOf(folder, folder.href === LIBRARY.href ? LIBRARY_NAME : "contracts/");
  const input = JSON.stringify({
    language: "Solidity",
    sources: { ...sourcesOf(LIBRARY, LIBRARY_NAME), ...own },
    settings: SETTINGS,
  });
  const { version } = JSON.parse(readFileSync(require.resolve("solc/package.json"), "utf8"));
  const key = createHash("sha256").update(`${version}\n${input}`).digest("hex");
  const cached = new URL(`${key}.json`, CACHE);
  return read(cached) ?? keep(cached, compile(input, new Set(Object.keys(own))));
}

/** One contract of the folder. Throws an Error when there is none of that name. */
export function compileContract(folder: URL, name: string): CompiledContract {
  const found = compileContracts(folder)[name];
  if (found === undefined) throw new Error(`no contract ${name} in ${folder.pathname}`);
  return found;
}

function sourcesOf(folder: URL, prefix: string): Record<string, { readonly content: string }> {
  const names = readdirSync(folder).filter((name) => name.endsWith(".sol"));
  return Object.fromEntries(
    names.sort().map((name) => [prefix + name, { content: readFileSync(new URL(name, folder), "utf8") }]),
  );
}

function read(file: URL): CompiledContracts | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
}

/** Several processes may compile the same at once: each writes a file of its own, and the last name wins. */
function keep(file: URL, contracts: CompiledContracts): CompiledContracts {
  mkdirSync(CACHE, { recursive: true });
  const draft = new URL(`${file.href}.${process.pid}`);
  writeFileSync(draft, JSON.stringify(contracts));
  renameSync(draft, file);
  return contracts;
}

interface Output {
  readonly errors?: readonly { readonly severity: string; readonly formattedMessage: string }[];
  readonly contracts: Readonly<Record<string, Readonly<Record<string, OutputContract>>>>;
}

interface OutputContract {
  readonly abi: Abi.Abi;
  readonly evm: {
    readonly bytecode: { readonly object: string };
    readonly deployedBytecode: { readonly object: string };
  };
}

function compile(input: string, wanted: ReadonlySet<string>): CompiledContracts {
  const compiler: { compile(input: string): string } = require("solc");
  const output: Output = JSON.parse(compiler.compile(input));
  // Warnings count: these contracts are examples.
  const messages = (output.errors ?? []).filter(({ severity }) => severity !== "info");
  if (messages.length > 0) throw new Error(messages.map((message) => message.formattedMessage).join("\n"));
  const compiled: Record<string, CompiledContract> = {};
  for (const [source, contracts] of Object.entries(output.contracts)) {
    if (!wanted.has(source)) continue;
    for (const [name, { abi, evm }] of Object.entries(contracts)) {
      compiled[name] = {
        abi,
        bytecode: `0x${evm.bytecode.object}`,
        deployedBytecode: `0x${evm.deployedBytecode.object}`,
      };
    }
  }
  return compiled;
}
