import type { Place } from "../../scheduler/files/check.ts";
import { inside, trouble } from "../../scheduler/files/check.ts";
import type { Plain, PlainSection } from "../../scheduler/fields/fields.ts";
import { isSection } from "../../scheduler/fields/fields.ts";
import { lognormalFromMeanAndP95, lognormalFromMedianAndP95 } from "./lognormal.ts";
import type { Experiment, FleetSpec, NodeClassSpec, ServiceSpec } from "./types.ts";

/** The checked keys in the one form that the simulator reads; `undefined` when a short form has no solution. */
export function normalise(checked: PlainSection, place: Place): Experiment | undefined {
  const service = normaliseService(checked["service"] as PlainSection, inside(place, "service"));
  const fleet = normaliseFleet(checked["fleet"] as PlainSection, inside(place, "fleet"));
  if (service === undefined || fleet === undefined) return undefined;
  const { deadlineMs, warmup, placement, jobs, budget } = checked;
  const experiment = {
    ...checked,
    service,
    warmup: warmup ?? Math.ceil((jobs as number) / 10),
    deadlineMs: deadlineMs === "none" ? undefined : deadlineMs,
    placement: placement ?? { kind: "random" },
    budget: isSection(budget) ? withoutNone(budget) : budget,
    fleet,
  };
  // The table of the format describes this type; the tests of the parser hold the two together.
  return experiment as unknown as Experiment;
}

function withoutNone(section: PlainSection): PlainSection {
  return Object.fromEntries(Object.entries(section).filter(([, value]) => value !== "none"));
}

function normaliseFleet(fleet: PlainSection, place: Place): FleetSpec | undefined {
  const { nodes, operators, classes } = fleet;
  if (!Array.isArray(classes)) {
    if (nodes === undefined) return trouble(inside(place, "nodes"), "is missing, and there are no classes either");
    return { ...fleet, operators: operators ?? nodes } as unknown as FleetSpec;
  }
  const read = classes.map((one: PlainSection, index) => normaliseClass(one, inside(inside(place, "classes"), index)));
  if (!read.every((one) => one !== undefined)) return undefined;
  const sums = sumsOf(read);
  for (const key of ["nodes", "operators"] as const) {
    const given = fleet[key];
    if (given !== undefined && given !== sums[key]) {
      trouble(inside(place, key), `is ${JSON.stringify(given)}, but classes make it ${sums[key]}; leave it out`);
    }
  }
  return { ...fleet, ...sums, classes: read } as unknown as FleetSpec;
}

function sumsOf(classes: readonly NodeClassSpec[]): Pick<FleetSpec, "nodes" | "operators"> {
  const named = new Set(classes.flatMap(({ operator }) => operator ?? []));
  const alone = classes.filter(({ operator }) => operator === undefined);
  const count = (of: readonly NodeClassSpec[]): number => of.reduce((sum, one) => sum + one.count, 0);
  return { nodes: count(classes), operators: named.size + count(alone) };
}

function normaliseClass(one: PlainSection, place: Place): NodeClassSpec | undefined {
  if (!isSection(one["service"])) return one as unknown as NodeClassSpec;
  const service = normaliseService(one["service"], inside(place, "service"));
  return service === undefined ? undefined : ({ ...one, service } as unknown as NodeClassSpec);
}

/** Lognormals by mean and coefficient of variation, also within other services. */
export function normaliseService(service: PlainSection, place: Place): ServiceSpec | undefined {
  if (service["kind"] === "lognormal") return normaliseLognormal(service, place);
  const inner: Record<string, Plain> = {};
  for (const key of ["of", "tokens"]) {
    const value = service[key];
    if (!isSection(value)) continue;
    const normalised = normaliseService(value, inside(place, key));
    if (normalised === undefined) return undefined;
    inner[key] = normalised as unknown as Plain;
  }
  return { ...service, ...inner } as unknown as ServiceSpec;
}

function normaliseLognormal(service: PlainSection, place: Place): ServiceSpec | undefined {
  const { meanMs, cv, p50Ms, p95Ms } = service as { readonly [key: string]: number | undefined };
  if (meanMs !== undefined && cv !== undefined) return { kind: "lognormal", meanMs, cv };
  if (p95Ms === undefined) return undefined;
  const law =
    p50Ms !== undefined
      ? lognormalFromMedianAndP95({ p50Ms, p95Ms })
      : lognormalFromMeanAndP95({ meanMs: meanMs as number, p95Ms });
  return typeof law === "string" ? trouble(inside(place, "p95Ms"), law) : { kind: "lognormal", ...law };
}
