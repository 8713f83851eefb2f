import type { Place } from "./check.ts";
import { inside, trouble } from "./check.ts";
import type { Plain, PlainSection } from "./fields.ts";
import { isSection } from "./fields.ts";
import { lognormalFromMeanAndP95, lognormalFromMedianAndP95 } from "./lognormal.ts";
import type { Experiment, ServiceSpec } from "./types.ts";

/** The checked keys in the one form that the simulator reads; `undefined` when a short form has no solution. */
export function normalise(checked: PlainSection, place: Place): Experiment | undefined {
  const service = normaliseService(checked["service"] as PlainSection, inside(place, "service"));
  if (service === undefined) return undefined;
  const { deadlineMs, warmup, fleet, placement, jobs } = checked;
  const nodes = fleet as PlainSection;
  const experiment = {
    ...checked,
    service,
    warmup: warmup ?? Math.ceil((jobs as number) / 10),
    deadlineMs: deadlineMs === "none" ? undefined : deadlineMs,
    placement: placement ?? { kind: "random" },
    fleet: { ...nodes, operators: nodes["operators"] ?? nodes["nodes"] },
  };
  // The table of the format describes this type; the tests of the parser hold the two together.
  return experiment as unknown as Experiment;
}

/** Lognormals by mean and coefficient of variation, also within other services. */
function normaliseService(service: PlainSection, place: Place): ServiceSpec | undefined {
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
