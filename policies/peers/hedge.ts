import { NEVER } from "../../scheduler/shared/vocabulary.ts";
import { type Policy, type PolicySpec, racing } from "../policy.ts";

/**
 * One copy at first, then one more each `delayMs` for as long as the job lingers, up to `maxCopies`. A lost copy brings the
 * next one forward, as in gRPC's proposal A6: waiting on for a copy that cannot win helps nobody.
 */
export function hedge(spec: PolicySpec & { kind: "hedge" }): Policy {
  const delayUs = Math.round(spec.delayMs * 1_000);
  return {
    spec,
    decide(race, { nowUs }, decision) {
      const due = Math.min(spec.maxCopies, 1 + Math.floor((nowUs - race.openedUs) / delayUs));
      decision.launch = Math.max(0, due - racing(race));
      // Copies that are live without being due yet (launched early for lost ones) do not shift the schedule.
      decision.lookAtUs = due < spec.maxCopies ? race.openedUs + due * delayUs : NEVER;
    },
  };
}
