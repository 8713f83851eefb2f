import type { ZkmlRules } from "../model-rules.ts";

/**
 * Where a model's verification key says that it comes from: whoever shows the key, or what was verified with it, shows this too.
 * A *test setup* has to say so here.
 */
export function setupOf({ verificationKey }: Pick<ZkmlRules, "verificationKey">): string {
  try {
    const { setup } = JSON.parse(verificationKey) as { readonly setup?: unknown };
    return typeof setup === "string" ? setup : NOT_TOLD;
  } catch {
    return NOT_TOLD;
  }
}

const NOT_TOLD = "a setup that is not told";
