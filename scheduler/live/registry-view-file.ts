import { RegistryView } from "../proofs/registry-view.ts";
import { Findings, readChain } from "./records-reader.ts";

/**
 * What a validator judges proofs by: the registry log of a scheduler's directory, or of a copy of it. Rejects with an Error
 * that says what is wrong when the log is damaged or cannot be read.
 */
export async function readRegistryView(directory: string): Promise<RegistryView> {
  const findings = new Findings();
  const view = new RegistryView();
  for await (const { line, body } of readChain(directory, "registry", findings)) {
    const problem = view.add(body);
    if (problem !== undefined) findings.add("registry", line, problem);
  }
  const [first] = findings.kept;
  if (first !== undefined) throw new Error(`${directory}: ${first.file} line ${first.line}: ${first.message}`);
  return view;
}
