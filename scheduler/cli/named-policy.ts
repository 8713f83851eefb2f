import { existsSync } from "node:fs";
import type { PolicySpec } from "../../policies/policy.ts";
import { formatPolicy, parsePolicy } from "../../policies/short-form.ts";
import { loadPolicyFile, PolicyFileError } from "../files/policy-file.ts";
import { SimRefused } from "./sim-experiments.ts";

/** A policy as somebody named it on the command line, to be played or explained. */
export interface NamedPolicy {
  /** What tables call it. */
  readonly name: string;
  readonly policy: PolicySpec | "recorded";
}

/** What was in force in a recorded run, with its changes. */
export const RECORDED: NamedPolicy = { name: "recorded", policy: "recorded" };

/** What the argument says: a short form such as fixed:2, a policy file, or the word `recorded`. Rejects with SimRefused. */
export async function namedPolicy(argument: string, flag: string): Promise<NamedPolicy> {
  if (argument === RECORDED.name) return RECORDED;
  if (existsSync(argument) || /\.(?:ya?ml|json)$/.test(argument)) {
    try {
      return { name: argument, policy: await loadPolicyFile(argument) };
    } catch (error) {
      if (!(error instanceof PolicyFileError)) throw error;
      throw new SimRefused(`${flag}${flag === "" ? "" : ":\n"}${error.message}`, { cause: error });
    }
  }
  try {
    const policy = parsePolicy(argument);
    return { name: formatPolicy(policy), policy };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const message = `${flag}${flag === "" ? "" : ": "}${error.message} Or give a policy file, such as pipe.policy.yaml.`;
    throw new SimRefused(message, { cause: error });
  }
}
