import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { sha256Hex } from "../proofs/digest.ts";
import type { ModelRules, ZkmlRules } from "../proofs/model-rules.ts";
import { readRoot, RootError } from "../proofs/nitro/roots.ts";
import { isKeyFault } from "../proofs/zkml/proof-system.ts";
import type { RegisteredModel, RegisteredRoot } from "./registry.ts";
import { Registry } from "./registry.ts";
import { REGISTRY_LIMITS } from "./registry-limits.ts";
import type { ModelSection, RegistryFile } from "./registry-schema.ts";
import { readRegistryText, shorten, type Trouble } from "./registry-text.ts";

/** A registry file cannot be used. The message has one line per trouble, with its place and what would be right. */
export class RegistryError extends Error {
  override readonly name = "RegistryError";
  readonly troubles: readonly string[];

  constructor(path: string, troubles: readonly string[]) {
    super(`${path} is no model registry:\n${troubles.map((trouble) => `  ${trouble}`).join("\n")}`);
    this.troubles = troubles;
  }
}

/** Reads a registry file and the keys, certificates and models that it names. Rejects with a `RegistryError`. */
export async function loadRegistry(path: string): Promise<Registry> {
  const text = await readBounded(path, REGISTRY_LIMITS.maxFileBytes);
  if (typeof text !== "string") throw new RegistryError(path, [`the file ${text.problem}`]);
  const read = readRegistryText(text);
  if (!read.ok) throw new RegistryError(path, read.troubles);
  const files = new NamedFiles(dirname(path));
  const registry = await registryOf(read.file, files);
  if (files.troubles.length > 0) throw new RegistryError(path, shorten(files.troubles.map(read.sentence)));
  return registry;
}

async function registryOf(file: RegistryFile, files: NamedFiles): Promise<Registry> {
  const models: RegisteredModel[] = [];
  for (const [id, section] of Object.entries(file.models)) models.push(await modelOf(id, section, files));
  const roots: RegisteredRoot[] = [];
  for (const [index, root] of file.roots.entries()) {
    const path = ["roots", index, "file"];
    const found = readRegisteredRoot(await files.text(path, root.file), root.emulator === true);
    if (typeof found === "string") files.trouble(path, `names a file that is no root: ${found}`);
    else roots.push(found);
  }
  const nodes = Object.entries(file.nodes).map(([id, node]) => ({ id, ...node }));
  const { admission, offersPerNode } = file;
  return new Registry({ admission, offersPerNode, models, roots, nodes });
}

async function modelOf(id: string, section: ModelSection, files: NamedFiles): Promise<RegisteredModel> {
  const { digest, modes, limits, output, tee, zkml, equivalence } = section;
  if (section.file !== undefined) await files.checkDigest(["models", id, "file"], section.file, digest);
  const rules: ModelRules = {
    digest,
    output,
    ...(tee === undefined ? {} : { tee: { measurements: tee.measurements, maxAgeMs: tee.maxAgeS * 1_000 } }),
    ...(zkml === undefined ? {} : { zkml: await zkmlOf(id, zkml, files) }),
  };
  const labels = typeof equivalence === "string" ? equivalence : new Map(Object.entries(equivalence));
  return { id, modes, limits, equivalence: labels, rules };
}

async function zkmlOf(id: string, zkml: NonNullable<ModelSection["zkml"]>, files: NamedFiles): Promise<ZkmlRules> {
  const path = ["models", id, "zkml", "verificationKey"];
  const verificationKey = await files.text(path, zkml.verificationKey);
  const key = parsed(verificationKey);
  if (key === undefined) files.trouble(path, "names a file that is no JSON");
  // Only here, since most registries have no such model, and curves take a while to load.
  const { PROOF_SYSTEM_NAMES, proofSystem } = await import("../proofs/zkml/proof-systems.ts");
  const system = proofSystem(zkml.system);
  const known = `must be a proof system that is known (${PROOF_SYSTEM_NAMES.join(", ")}); it is ${zkml.system}`;
  if (system === undefined) files.trouble(["models", id, "zkml", "system"], known);
  const prepared = key === undefined ? undefined : system?.prepare(key);
  if (prepared !== undefined && isKeyFault(prepared)) {
    files.trouble(path, `names a file that is no key of ${zkml.system}: ${prepared.message}`);
  }
  return { system: zkml.system, verificationKey, keyHash: sha256Hex(Buffer.from(verificationKey)) };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A root for the registry from its PEM text, or what is wrong with it. An emulator's is taken only where that is said. */
export function readRegisteredRoot(pem: string, emulator: boolean): RegisteredRoot | string {
  try {
    const { fingerprint, emulated, certificate } = readRoot(pem, emulator);
    if (emulator && !emulated) return "it does not say in its subject that it is an emulator's; drop `emulator: true`";
    // Written anew, so that one certificate has one text.
    return { pem: certificate.x509.toString(), fingerprint, emulator };
  } catch (error) {
    if (error instanceof RootError) return error.message;
    throw error;
  }
}

/** Files that a registry names, and what is wrong with them. */
class NamedFiles {
  readonly troubles: Trouble[] = [];
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  trouble(path: Trouble["path"], message: string): void {
    // What could not be read is told of already.
    if (this.troubles.at(-1)?.path.join() !== path.join()) this.troubles.push({ path, message });
  }

  /** Empty when it cannot be read. */
  async text(path: Trouble["path"], file: string): Promise<string> {
    const text = await readBounded(resolve(this.#directory, file), REGISTRY_LIMITS.maxKeyBytes);
    if (typeof text === "string") return text;
    this.trouble(path, `names a file that ${text.problem}`);
    return "";
  }

  async checkDigest(path: Trouble["path"], file: string, expected: string): Promise<void> {
    const whole = resolve(this.#directory, file);
    try {
      if ((await stat(whole)).size > REGISTRY_LIMITS.maxModelBytes) {
        return this.trouble(path, `names a file of more than ${REGISTRY_LIMITS.maxModelBytes} bytes; leave it out`);
      }
      const hash = createHash("sha256");
      await pipeline(createReadStream(whole), hash);
      const found = hash.digest("hex");
      if (found !== expected) this.trouble(path, `names a file whose SHA-256 is ${found}, not the model's digest`);
    } catch (error) {
      this.trouble(path, `names a file that cannot be read (${codeOf(error)})`);
    }
  }
}

async function readBounded(path: string, maxBytes: number): Promise<string | { readonly problem: string }> {
  try {
    const { size } = await stat(path);
    if (size > maxBytes) return { problem: `is longer than ${maxBytes} bytes` };
    return await readFile(path, "utf8");
  } catch (error) {
    return { problem: `cannot be read (${codeOf(error)})` };
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}
