import type { Random } from "../scheduler/shared/random.ts";
import { unreachable } from "../scheduler/shared/assert.ts";

/** Which node gets the next copy, as data. */
export type PlacementSpec =
  /** The least loaded one, warm before cold; ties by the engine's generator. */
  | { readonly kind: "least-loaded" }
  /** Any node that the race does not use yet and that has room, uniformly, whatever its failure domain: for studies. */
  | { readonly kind: "random" };

/** What placement sees of a node that could take the copy: it offers the (model, mode) at a fee within the call's. */
export interface Candidate {
  readonly operator: string;
  readonly region: string;
  /** Copies sent to it and not ended, or its own report if that is higher. */
  readonly load: number;
  readonly slots: number;
  readonly queueLimit: number;
  isWarm(model: string): boolean;
}

/**
 * Chooses among candidates those in failure domains that the race does not use yet: another operator if possible, and among
 * those another region if possible. Then the specification decides. Returns an index, or −1 when nobody has room.
 */
export interface Placement {
  readonly spec: PlacementSpec;
  choose(candidates: readonly Candidate[], taken: readonly Candidate[], model: string, random: Random): number;
}

export function placementOf(spec: PlacementSpec): Placement {
  switch (spec.kind) {
    case "least-loaded":
      return { spec, choose: leastLoaded };
    case "random":
      return { spec, choose: uniformly };
    default:
      return unreachable(spec);
  }
}

/** Sharing an operator is worse than sharing a region, and both are worse than any load. */
const SHARED_OPERATOR = 2 ** 20;
const SHARED_REGION = 2 ** 19;
/** Loading a model takes about as long as two copies queued in front. */
const COLD = 2;

function leastLoaded(
  candidates: readonly Candidate[],
  taken: readonly Candidate[],
  model: string,
  random: Random,
): number {
  let best = -1;
  let bestScore = Number.MAX_VALUE;
  let ties = 0;
  for (let index = 0; index < candidates.length; index++) {
    const candidate = candidates[index] as Candidate;
    if (!hasRoom(candidate)) continue;
    let score = candidate.load / candidate.slots + (candidate.isWarm(model) ? 0 : COLD);
    let used = false;
    for (const other of taken) {
      if (other === candidate) used = true;
      else if (other.operator === candidate.operator) score += SHARED_OPERATOR;
      else if (other.region === candidate.region) score += SHARED_REGION;
    }
    if (used) continue;
    if (score < bestScore) {
      best = index;
      bestScore = score;
      ties = 1;
    } else if (score === bestScore && random.below(++ties) === 0) {
      // Reservoir sampling: each of the equally good ones is kept with the same probability.
      best = index;
    }
  }
  return best;
}

/** Guesses before a scan: enough for any fleet that is not nearly used up. */
const GUESSES = 16;

function uniformly(
  candidates: readonly Candidate[],
  taken: readonly Candidate[],
  _model: string,
  random: Random,
): number {
  if (candidates.length === 0) return -1;
  // Guessing until one is eligible is uniform over the eligible ones, and does not look at the whole fleet.
  for (let guess = 0; guess < GUESSES; guess++) {
    const index = random.below(candidates.length);
    const candidate = candidates[index] as Candidate;
    if (hasRoom(candidate) && !taken.includes(candidate)) return index;
  }
  let chosen = -1;
  let eligible = 0;
  for (let index = 0; index < candidates.length; index++) {
    const candidate = candidates[index] as Candidate;
    if (hasRoom(candidate) && !taken.includes(candidate) && random.below(++eligible) === 0) chosen = index;
  }
  return chosen;
}

function hasRoom(candidate: Candidate): boolean {
  return candidate.slots > 0 && candidate.load < candidate.slots + candidate.queueLimit;
}
