import type { Random } from "../../scheduler/shared/random.ts";
import type { Mode } from "../../scheduler/shared/vocabulary.ts";
import type { NodeRecord } from "./node-record.ts";

/** What placement sees of a node that could take the copy: it offers the (model, mode) at a fee within the call's. */
export interface Candidate {
  readonly operator: string;
  readonly region: string;
  /** Copies sent to it and not ended. */
  readonly outstanding: number;
  /** The same, or its own report if that is higher. */
  readonly load: number;
  readonly slots: number;
  readonly queueLimit: number;
  /** How it did so far. */
  readonly record: NodeRecord;
  isWarm(model: string): boolean;
  /** What it asks for one answer; 0 for what it does not offer. */
  priceGwei(model: string, mode: Mode): number;
}

/** Which copy is to be placed. */
export interface Asked {
  readonly model: string;
  readonly mode: Mode;
}

/** Chooses a node. Returns its index, or −1 when nobody has room. `taken`: the nodes of the race's other copies. */
export type Choose = (
  candidates: readonly Candidate[],
  taken: readonly Candidate[],
  asked: Asked,
  random: Random,
) => number;

/** Loading a model takes about as long as two copies queued in front. */
export const COLD = 2;

export function hasRoom(candidate: Candidate): boolean {
  return candidate.slots > 0 && candidate.load < candidate.slots + candidate.queueLimit;
}

/** Copies that wait and run there for each slot, and what loading the model is worth. */
export function crowding(candidate: Candidate, model: string): number {
  return candidate.load / candidate.slots + (candidate.isWarm(model) ? 0 : COLD);
}

/** Sharing an operator is worse than sharing a region with any number of copies of the race. */
const OPERATOR = 1_024;

/** How much of its failure domain the race uses already, 0 for nothing; −1 for a node that the race uses itself. */
export function sharing(candidate: Candidate, taken: readonly Candidate[]): number {
  let shared = 0;
  for (const other of taken) {
    if (other === candidate) return -1;
    if (other.operator === candidate.operator) shared += OPERATOR;
    else if (other.region === candidate.region) shared++;
  }
  return shared;
}
