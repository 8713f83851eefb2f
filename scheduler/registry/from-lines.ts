import { type ModelLine, parseRegistryLines, rulesOf } from "../proofs/registry-lines.ts";
import { type RegisteredModel, type RegisteredNode, type RegisteredRoot, Registry } from "./registry.ts";

/** The registry whose lines these are; `undefined` when they are none. */
export function registryFromLines(lines: readonly string[]): Registry | undefined {
  const read = parseRegistryLines(lines);
  const rules = read?.find((line) => line.entry === "rules");
  if (read === undefined || rules === undefined) return undefined;
  const models: RegisteredModel[] = [];
  const roots: RegisteredRoot[] = [];
  const nodes: RegisteredNode[] = [];
  for (const line of read) {
    if (line.entry === "model") models.push(modelOf(line));
    if (line.entry === "root") roots.push({ pem: line.pem, fingerprint: line.fingerprint, emulator: line.emulator });
    if (line.entry === "listed") {
      const { entry: _entry, ...node } = line;
      nodes.push(node);
    }
  }
  return new Registry({ admission: rules.admission, offersPerNode: rules.offersPerNode, models, roots, nodes });
}

function modelOf(line: ModelLine): RegisteredModel {
  const { model: id, modes, limits, equivalence } = line;
  const labels = typeof equivalence === "string" ? equivalence : new Map(equivalence);
  return { id, modes, limits, equivalence: labels, rules: rulesOf(line) };
}
