import type { Learning } from "../../policies/learning/learning.ts";
import type { CopyOutcome } from "../../policies/memory.ts";
import { type CancelReason, NEVER } from "../shared/vocabulary.ts";
import type { Copy } from "./race.ts";

/** What the end of a copy says of durations, nodes, and whether nodes answer. */
export function learnFrom(learning: Learning, copy: Copy, outcome: CopyOutcome, nowUs: number): void {
  const { node, race, startedUs, answeredUs } = copy;
  if (outcome === "cancelled") {
    if (startedUs !== NEVER) learning.cut(race.call, node.id, Math.min(nowUs, answeredUs) - startedUs);
  } else if (outcome !== "accepted" && outcome !== "refused") learning.silent(node.id);
}

/** What the winner and those that it outran say of what copies of one job have in common. */
export function compareCopies(winner: Copy, nowUs: number): void {
  const { race } = winner;
  const { learning } = race.served;
  if (learning?.known !== true || race.live < 2 || winner.startedUs === NEVER) return;
  const { call } = race;
  const won = learning.probabilityBy(call, winner.node.id, winner.answeredUs - winner.startedUs);
  for (const { live, node, startedUs, answeredUs } of race.copies) {
    if (!live || node === winner.node || startedUs === NEVER) continue;
    const ranUs = Math.min(nowUs, answeredUs) - startedUs;
    if (learning.paces.alive(node.id) > MOSTLY_ALIVE && ranUs > 0)
      learning.correlation.pair(won, learning.probabilityBy(call, node.id, ranUs));
  }
}

/** Silence of a node that often keeps silent says little of the job. */
const MOSTLY_ALIVE = 0.9;

/** What a Cancel says of its copy. */
export function outcomeOf(reason: CancelReason): CopyOutcome {
  return OUTCOMES[reason];
}

const OUTCOMES: { readonly [R in CancelReason]: CopyOutcome } = {
  "race-decided": "cancelled",
  "transaction-left": "cancelled",
  "lease-expired": "silent",
  budget: "silent",
  "node-left": "refused",
};
