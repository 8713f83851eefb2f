import { unreachable } from "../scheduler/shared/assert.ts";
import { deadline } from "./deadline/deadline.ts";
import { cassandra } from "./peers/cassandra.ts";
import { envoy } from "./peers/envoy.ts";
import { finagle } from "./peers/finagle.ts";
import { fixed } from "./peers/fixed.ts";
import { grpcHedging } from "./peers/grpc-hedging.ts";
import { hedge } from "./peers/hedge.ts";
import { mantri } from "./peers/mantri.ts";
import { singleD, singleR } from "./peers/single.ts";
import { spark } from "./peers/spark.ts";
import type { LeafSpec, Policy } from "./policy.ts";

export type { Asked, Candidate, Placement, PlacementSpec } from "./placement.ts";
export { PLACEMENT_BOUNDS, PLACEMENT_DEFAULTS, placementOf, requirePlacement } from "./placement.ts";
export { DEFAULTS } from "./defaults.ts";
export { formatPolicy, parsePolicy } from "./short-form.ts";
export { NodeRecord } from "./placement/node-record.ts";
export type { CopyEnd, CopyOutcome, PlainData, PolicyMemory } from "./memory.ts";
export type {
  CopyPicture,
  Decision,
  Explanation,
  LeafSpec,
  Policy,
  PolicySpec,
  RacePicture,
  Surroundings,
} from "./policy.ts";
export type { RuleConditions, RuleSpec, RulesSpec } from "./rules.ts";
export type { ServiceTimes } from "./service-times.ts";
export { KaplanMeier } from "./service-times.ts";
export type { BudgetSpec } from "./work-budget.ts";
export { WorkBudget } from "./work-budget.ts";

/** The policy that a specification names. */
export function policyOf(spec: LeafSpec): Policy {
  switch (spec.kind) {
    case "fixed":
      return fixed(spec);
    case "hedge":
      return hedge(spec);
    case "deadline":
      return deadline(spec);
    case "grpc-hedging":
      return grpcHedging(spec);
    case "finagle":
      return finagle(spec);
    case "cassandra":
      return cassandra(spec);
    case "envoy":
      return envoy(spec);
    case "spark":
      return spark(spec);
    case "mantri":
      return mantri(spec);
    case "single-d":
      return singleD(spec);
    case "single-r":
      return singleR(spec);
    default:
      return unreachable(spec);
  }
}
