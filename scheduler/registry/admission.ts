import type { NodeTerms, Offer } from "../shared/vocabulary.ts";
import type { Equivalence, RegisteredModel, RegisteredNode } from "./registry.ts";

/** What becomes of a node that wants to join. */
export type Admission =
  /** `terms` with the registry's word for who it is, and of its offers those that count. */
  | { readonly ok: true; readonly terms: NodeTerms; readonly stripped: readonly StrippedOffer[] }
  | { readonly ok: false; readonly reason: AdmissionFault; readonly advice: string };

export type AdmissionFault = "not-listed" | "wrong-key";

export interface StrippedOffer {
  readonly model: string;
  readonly mode: string;
  readonly reason: "unknown-model" | "mode-not-allowed" | "unknown-hardware" | "offered-twice" | "too-many-offers";
}

/** What of a registry decides. */
interface Rules {
  readonly admission: "open" | "listed";
  readonly offersPerNode: number;
  readonly models: ReadonlyMap<string, RegisteredModel>;
  readonly nodes: ReadonlyMap<string, RegisteredNode>;
}

export function admission(rules: Rules, terms: NodeTerms): Admission {
  const listed = rules.nodes.get(terms.id);
  if (listed === undefined && rules.admission === "listed") {
    const advice = `The registry does not list the node ${terms.id}. Add it with its key, or let the admission be open.`;
    return { ok: false, reason: "not-listed", advice };
  }
  if (listed !== undefined && listed.key !== terms.key) {
    const advice = `The registry lists the node ${terms.id} under another key. Start it with that one, or list the new one.`;
    return { ok: false, reason: "wrong-key", advice };
  }
  const { operator, region, hardware } = listed ?? terms;
  const offers = new Map<string, Offer>();
  const stripped: StrippedOffer[] = [];
  for (const { model, mode, priceGwei } of terms.offers) {
    const known = rules.models.get(model);
    const reason = strip({ known, mode, hardware });
    const name = `${model}/${mode}`;
    if (reason !== undefined) stripped.push({ model, mode, reason });
    else if (offers.has(name)) stripped.push({ model, mode, reason: "offered-twice" });
    else if (offers.size >= rules.offersPerNode) stripped.push({ model, mode, reason: "too-many-offers" });
    else offers.set(name, { model, mode, priceGwei, ...labelOf(known?.equivalence, hardware) });
  }
  return { ok: true, terms: { ...terms, operator, region, hardware, offers: [...offers.values()] }, stripped };
}

function strip(offer: {
  readonly known: RegisteredModel | undefined;
  readonly mode: Offer["mode"];
  readonly hardware: string;
}): StrippedOffer["reason"] | undefined {
  const { known, mode, hardware } = offer;
  if (known === undefined) return "unknown-model";
  if (!known.modes.includes(mode)) return "mode-not-allowed";
  const { equivalence } = known;
  return typeof equivalence !== "string" && !equivalence.has(hardware) ? "unknown-hardware" : undefined;
}

/** Missing where any two nodes are expected to give the same output. */
function labelOf(equivalence: Equivalence | undefined, hardware: string): { readonly equivalence?: string } {
  if (equivalence === undefined || equivalence === "any") return {};
  return { equivalence: equivalence === "hardware" ? hardware : (equivalence.get(hardware) ?? hardware) };
}
