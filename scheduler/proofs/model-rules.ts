import type { AttestationRules } from "./nitro/rules.ts";
import type { OutputForm } from "./output-number.ts";

/**
 * What the model registry says of one model, as far as judging an answer needs to know it. Plain JSON: it goes to verifiers
 * and into the registry log. It comes from the registry alone, never from a node.
 */
export interface ModelRules {
  /** SHA-256 of the model's file. */
  readonly digest: string;
  readonly output: OutputForm;
  /** Which enclaves may answer; missing for a model that is not offered in mode `tee`. */
  readonly tee?: AttestationRules;
  /** Missing for a model that is not offered in mode `zkml`. */
  readonly zkml?: ZkmlRules;
}

export interface ZkmlRules {
  /** The proof system's name. */
  readonly system: string;
  /** The verification key's JSON text. */
  readonly verificationKey: string;
  /** SHA-256 of that text. */
  readonly keyHash: string;
}
