import type { PlacementSpec } from "../../policies/placement.ts";
import { type Placement, placementOf, type PlainData, type Policy, policyOf } from "../../policies/index.ts";
import type { LeafSpec, PolicySpec } from "../../policies/policy.ts";
import { ruleFor } from "../../policies/rules.ts";
import { type CallTerms, NEVER } from "../shared/vocabulary.ts";
import type { Fleet, FleetClass } from "./fleet.ts";

/**
 * The policies in force, and those under which older races go on: each of them once, so that races under the same one share
 * what it remembers. Memories stand with their class, since both are forgotten together.
 */
export class PolicyShelf {
  /** What is in force, for races that open from now on. */
  spec: PolicySpec;
  readonly #placement: Placement;
  readonly #policies = new Map<string, Policy>();
  readonly #placements = new Map<string, Placement>();
  /** Of the leaf specifications that were asked for before: writing one down costs more than the rest. */
  readonly #bySpec = new WeakMap<LeafSpec, Policy>();
  readonly #byPlacement = new WeakMap<PlacementSpec, Placement>();

  constructor(policy: PolicySpec, placement: PlacementSpec) {
    this.spec = policy;
    this.#placement = placementOf(placement);
  }

  /** What a race of this call begins and ends under. */
  ruleFor(call: CallTerms, sender: string): { readonly policy: Policy; readonly placement: Placement } {
    const { spec } = this;
    if (spec.kind !== "rules") return { policy: this.policy(spec), placement: this.#placement };
    const { policy, placement } = ruleFor(spec, call, sender);
    return { policy: this.policy(policy), placement: this.placement(placement ?? spec.placement) };
  }

  policy(spec: LeafSpec): Policy {
    const known = this.#bySpec.get(spec);
    if (known !== undefined) return known;
    const text = JSON.stringify(spec);
    let policy = this.#policies.get(text);
    if (policy === undefined) {
      policy = policyOf(spec);
      this.#policies.set(text, policy);
    }
    this.#bySpec.set(spec, policy);
    return policy;
  }

  placement(spec: PlacementSpec | undefined): Placement {
    if (spec === undefined) return this.#placement;
    const known = this.#byPlacement.get(spec);
    if (known !== undefined) return known;
    const text = JSON.stringify(spec);
    const placement = this.#placements.get(text) ?? placementOf(spec);
    this.#placements.set(text, placement);
    this.#byPlacement.set(spec, placement);
    return placement;
  }

  /** Another policy is in force from now on. What nothing runs under any more is forgotten. */
  change(spec: PolicySpec, fleet: Fleet, inUse: ReadonlySet<Policy>): void {
    this.spec = spec;
    const kept = new Set(leavesOf(spec).map((leaf) => this.policy(leaf)));
    for (const [text, policy] of this.#policies) {
      if (kept.has(policy) || inUse.has(policy)) continue;
      this.#policies.delete(text);
      for (const served of fleet.classes()) served.memories.delete(policy);
    }
    this.#placements.clear();
  }

  snapshot(fleet: Fleet) {
    const memories: { policy: LeafSpec; model: string; mode: FleetClass["mode"]; memory: PlainData }[] = [];
    for (const { model, mode, memories: byPolicy } of fleet.classes()) {
      for (const [{ spec: policy }, memory] of byPolicy) {
        memories.push({ policy, model, mode, memory: memory.snapshot() });
      }
    }
    return { spec: this.spec, memories };
  }

  restore(snapshot: PolicyShelfSnapshot, fleet: Fleet): void {
    this.spec = snapshot.spec;
    for (const { policy: spec, model, mode, memory } of snapshot.memories) {
      const policy = this.policy(spec);
      const remembered = policy.remember?.(memory);
      if (remembered !== undefined) fleet.class(model, mode)?.memories.set(policy, remembered);
    }
  }
}

export type PolicyShelfSnapshot = ReturnType<PolicyShelf["snapshot"]>;

function leavesOf(spec: PolicySpec): readonly LeafSpec[] {
  return spec.kind === "rules" ? spec.rules.map(({ policy }) => policy) : [spec];
}

/** When an answer has to be in. */
export interface Targets {
  /** For the last block that may carry it; `NEVER` when any time will do. */
  readonly targetUs: number;
  /** For the block that is open; `NEVER` where there are no blocks. */
  readonly firstBlockUs: number;
}

/** For the block by which the policy wants it sealed. */
export function targetUnder(
  { withinBlocks }: Policy,
  { targetUs, firstBlockUs }: Targets,
  blockIntervalUs: number,
): number {
  if (withinBlocks === undefined || firstBlockUs === NEVER) return targetUs;
  return Math.min(targetUs, firstBlockUs + (withinBlocks - 1) * blockIntervalUs);
}
