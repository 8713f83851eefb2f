import type { NodeTerms } from "../../scheduler/shared/vocabulary.ts";
import type { FleetSpec } from "../experiment/types.ts";

/** Room that no run uses up. */
const UNLIMITED = 1_000_000;

/** The modelled nodes as they register with the engine. Their queues are their own, so the engine may always send more. */
export function nodeTermsOf(spec: FleetSpec): NodeTerms[] {
  return Array.from({ length: spec.nodes }, (_, index) => ({
    id: `node-${index}`,
    key: "",
    operator: `operator-${index % spec.operators}`,
    region: `region-${index % 3}`,
    hardware: "modelled",
    slots: spec.slots === "unlimited" ? UNLIMITED : spec.slots,
    queueLimit: UNLIMITED,
    offers: [{ model: "model", mode: "vanilla" as const, priceGwei: FEE_GWEI }],
  }));
}

/** What every modelled node asks for an answer. */
export const FEE_GWEI = 10;
