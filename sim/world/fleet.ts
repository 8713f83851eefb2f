import type { Mode, NodeTerms } from "../../scheduler/shared/vocabulary.ts";
import type { FleetSpec, ServiceSpec } from "../experiment/types.ts";

/** Room that no run uses up. */
const UNLIMITED = 1_000_000;
/** What a modelled node asks for an answer where nothing else is said. */
const USUAL_GWEI = 10;

/** One modelled node: how it registers with the engine, and what only the world knows of it. */
export interface ModelledNode {
  readonly terms: NodeTerms;
  readonly speed: number;
  /** Number of its operator, in the order in which operators first appear. */
  readonly operator: number;
  /** `undefined`: that of the experiment. */
  readonly service: ServiceSpec | undefined;
}

/** The fleet, node by node. Queues are the nodes' own, so the engine may always send more. */
export function modelledNodes(spec: FleetSpec, mode: Mode): readonly ModelledNode[] {
  const operators: string[] = [];
  return kindsOf(spec).map(({ speed, operator, hardware, priceGwei, service }, index) => {
    if (!operators.includes(operator)) operators.push(operator);
    const terms = {
      id: `node-${index}`,
      key: "",
      operator,
      region: `region-${index % 3}`,
      hardware,
      slots: spec.slots === "unlimited" ? UNLIMITED : spec.slots,
      queueLimit: UNLIMITED,
      offers: [{ model: "model", mode, priceGwei }],
    };
    return { terms, speed, operator: operators.indexOf(operator), service };
  });
}

/** What the dearest node asks, and so the least that a call has to offer to be raced by all. */
export function highestPriceGwei({ classes }: FleetSpec): number {
  return classes === "none" ? USUAL_GWEI : Math.max(...classes.map(({ priceGwei }) => priceGwei));
}

interface Kind {
  readonly speed: number;
  readonly operator: string;
  readonly hardware: string;
  readonly priceGwei: number;
  readonly service: ServiceSpec | undefined;
}

function kindsOf({ classes, nodes, speeds, operators }: FleetSpec): readonly Kind[] {
  if (classes === "none") {
    return Array.from({ length: nodes }, (_, index) => ({
      speed: speeds[index % speeds.length] as number,
      operator: `operator-${index % operators}`,
      hardware: "modelled",
      priceGwei: USUAL_GWEI,
      service: undefined,
    }));
  }
  const placed = classes.flatMap(({ name, count, operator, ...rest }) =>
    Array.from({ length: count }, (_, index) => ({
      // Of each class the same share among the first so many nodes, whatever their number.
      position: (index + 0.5) / count,
      kind: { ...rest, hardware: name, operator: operator ?? `${name}-${index}`, service: rest.service },
    })),
  );
  return placed.toSorted((a, b) => a.position - b.position).map(({ kind }) => kind);
}
