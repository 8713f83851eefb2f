import { nearest } from "../../fields/nearest.ts";
import { inside, type Place, trouble } from "../../files/check.ts";
import { isHashHex } from "../../proofs/digest.ts";
import { ID_PATTERN } from "../../proofs/wire-limits.ts";
import { readManifest } from "../models/catalogue.ts";
import { readZkManifest } from "../zkml/catalogue.ts";
import type { BackendSection, ExecSection, ModelSection, NodeSections, OpenAiSection } from "./node-sections.ts";

/** One token of a NATS subject. */
const SHARD = /^[A-Za-z0-9_-]{1,32}$/;
const SERVER = /^(?:(?:nats|tls|ws|wss):\/\/)?(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\])(?::\d{1,5})?$/;
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** What the fields by themselves do not show. */
export function checkNode(node: NodeSections, place: Place): void {
  for (const key of ["id", "operator", "region", "hardware", "chain"] as const)
    checkName(node[key], inside(place, key));
  if (!SHARD.test(node.shard)) {
    trouble(inside(place, "shard"), 'must be 1 to 32 letters, digits, "_" or "-"');
  }
  for (const [index, key] of node.schedulers.entries()) {
    const there = inside(inside(place, "schedulers"), index);
    if (!isHashHex(key)) trouble(there, "must be an Ed25519 public key: 64 lower-case hexadecimal digits");
    else if (/^0+$/.test(key)) trouble(there, "stands for the public key of your scheduler; give that one");
  }
  for (const [index, server] of node.servers.entries()) {
    if (SERVER.test(server)) continue;
    const message =
      "must be a server such as nats://10.0.0.1:4222 or tls://broker.example:4222, without user or password";
    trouble(inside(inside(place, "servers"), index), message);
  }
  if ((node.tls?.cert === undefined) !== (node.tls?.key === undefined)) {
    trouble(inside(place, "tls"), "must have both `cert` and `key`, or neither");
  }
  checkModels(node, inside(place, "models"));
}

function checkName(name: string, place: Place): void {
  if (!ID_PATTERN.test(name)) trouble(place, 'must be 1 to 64 letters, digits, ".", "_" or "-"');
}

function checkModels({ models, slots, enclave }: NodeSections, place: Place): void {
  if (models.length === 0)
    trouble(place, "must hold a model at least: a node that offers nothing is asked for nothing");
  const first = new Map<string, number>();
  for (const [index, section] of models.entries()) {
    const there = inside(place, index);
    checkName(section.model, inside(there, "model"));
    const before = first.get(section.model);
    if (before !== undefined)
      trouble(inside(there, "model"), `is that of model ${before + 1}, too; one of them is enough`);
    first.set(section.model, index);
    if (section.concurrency !== undefined && section.concurrency > slots) {
      trouble(inside(there, "concurrency"), `is ${section.concurrency}, more than the node's ${slots} slots`);
    }
    if (section.priceGwei.tee !== undefined && enclave?.emulator === undefined) {
      trouble(
        inside(inside(there, "priceGwei"), "tee"),
        "needs an enclave: name one in `enclave`, or leave the mode out",
      );
    }
    checkModes(section, inside(there, "priceGwei"));
    checkBackend(section, inside(there, "backend"));
  }
}

function checkModes({ model, priceGwei, backend }: ModelSection, place: Place): void {
  if (Object.keys(priceGwei).length === 0) trouble(place, "must name a mode at least, such as `vanilla: 100`");
  if (priceGwei.zkml === undefined) return;
  const provable = backend.kind === "onnx" && backend.directory === undefined ? provableModels() : [];
  if (provable.includes(model)) return;
  const which = provableModels().join(", ");
  trouble(
    inside(place, "zkml"),
    `needs a prover of the model, which the package has for ${which} alone (backend onnx)`,
  );
}

function provableModels(): readonly string[] {
  return readZkManifest().models.map(({ model }) => model);
}

function checkBackend(
  { model, backend }: { readonly model: string; readonly backend: BackendSection },
  place: Place,
): void {
  switch (backend.kind) {
    case "onnx":
      if (backend.directory === undefined) checkCatalogue(model, place);
      return;
    case "openai":
      return checkOpenAi(backend, place);
    case "exec":
      return checkExec(backend, place);
  }
}

function checkCatalogue(model: string, place: Place): void {
  const known = [...readManifest().models.map((entry) => entry.model), ...provableModels()];
  if (known.includes(model)) return;
  const near = nearest(model, known);
  const hint = near === undefined ? "" : `; did you mean ${near}?`;
  trouble(place, `does not have ${model}${hint} The package has ${known.join(", ")}; give a directory for others`);
}

function checkOpenAi({ url, apiKeyEnv, firstTokenMs, totalMs }: OpenAiSection, place: Place): void {
  const problem = urlProblem(url);
  if (problem !== undefined) trouble(inside(place, "url"), problem);
  if (apiKeyEnv !== undefined && !VARIABLE.test(apiKeyEnv)) {
    // Not shown: it may be the key.
    trouble(
      inside(place, "apiKeyEnv"),
      "must be the name of an environment variable; the key itself belongs in no file",
    );
  }
  if (firstTokenMs > totalMs) {
    trouble(inside(place, "firstTokenMs"), `is ${firstTokenMs}, more than totalMs: ${totalMs}`);
  }
}

function urlProblem(text: string): string | undefined {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) {
    return "must be an address such as http://127.0.0.1:8000/v1";
  }
  if (url.username !== "" || url.password !== "") return "must not hold a password; name a variable in `apiKeyEnv`";
  if (url.search !== "" || url.hash !== "") return "must end with its path, such as /v1";
  if (/\/(?:chat\/)?completions\/?$/.test(url.pathname))
    return "must end before `/chat/completions`, which is added to it";
  return undefined;
}

function checkExec({ command, environment = [] }: ExecSection, place: Place): void {
  for (const [index, part] of command.entries()) {
    if (part.includes("\0")) trouble(inside(inside(place, "command"), index), "must not hold the character U+0000");
  }
  for (const [index, name] of environment.entries()) {
    if (VARIABLE.test(name)) continue;
    trouble(
      inside(inside(place, "environment"), index),
      "must be the name of an environment variable, without a value",
    );
  }
}
