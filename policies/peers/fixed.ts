import { NEVER } from "../../scheduler/shared/vocabulary.ts";
import { type Policy, type PolicySpec, racing } from "../policy.ts";

/** That many copies at once. A lost one is replaced, so that the race keeps its width. */
export function fixed(spec: PolicySpec & { kind: "fixed" }): Policy {
  return {
    spec,
    decide(race, _surroundings, decision) {
      decision.launch = Math.max(0, spec.copies - racing(race));
      decision.lookAtUs = NEVER;
    },
  };
}
