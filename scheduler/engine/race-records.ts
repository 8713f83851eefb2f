import { assert } from "../shared/assert.ts";
import type { Slab } from "../shared/slab.ts";
import { NEVER } from "../shared/vocabulary.ts";
import type { CallResult, Rival, Support } from "./commands.ts";
import type { Fleet } from "./fleet.ts";
import type { FleetNode } from "./fleet-node.ts";
import type { PolicyShelf } from "./policy-shelf.ts";
import { Copy, Race, type RaceOwner } from "./race.ts";

/** The decision as it goes into a receipt. */
export function resultOf(
  winner: Copy,
  supporters: readonly Copy[],
  at: { readonly nowUs: number; readonly height: number; readonly challengeBlocks: number },
): CallResult {
  const { nowUs, height } = at;
  const { race } = winner;
  const { call } = race;
  // Of its final length at once: an array that grows keeps room for sixteen, for as long as the receipt is kept.
  const rivals = new Array<Rival>(race.copies.length - 1 - supporters.length);
  let place = 0;
  for (const copy of race.copies) {
    if (copy === winner || copy.state === "supported") continue;
    rivals[place++] = { node: copy.node.id, end: copy.state, speculative: copy.speculative };
  }
  return {
    txHash: race.tx.hash,
    callIndex: race.callIndex,
    digest: call.digest,
    model: call.model,
    mode: call.mode,
    inputHash: call.inputHash,
    lane: race.lane,
    copy: winner.id,
    node: winner.node.id,
    nonce: winner.nonce,
    speculative: winner.speculative,
    outputHash: winner.outputHash,
    answerHash: winner.answerHash,
    maxFeeGwei: race.capGwei,
    feeGwei: winner.feeGwei,
    openedUs: race.openedUs,
    launchedUs: winner.launchedUs,
    answeredUs: winner.answeredUs,
    decidedUs: nowUs,
    decidedHeight: height,
    validUntilHeight: height + call.validityBlocks,
    bondGwei: winner.bondGwei,
    challengeBlocks: call.mode === "optimistic" ? at.challengeBlocks : 0,
    supporters: supporters.length === 0 ? NOBODY : supporters.map(supportOf),
    rivals,
  };
}

const NOBODY: readonly Support[] = [];

/** An accepted answer as results and challenges name it. */
export function supportOf(copy: Copy): Support {
  const { id, nonce, outputHash, answerHash, feeGwei, answeredUs } = copy;
  return { copy: id, node: copy.node.id, nonce, outputHash, answerHash, feeGwei, answeredUs };
}

/** Of each node on which copies wait, their handles in the order in which they will start: handles alone do not tell it. */
export function linesOf(copies: Slab<Copy>): readonly (readonly number[])[] {
  const nodes = new Set<FleetNode>();
  for (const { executing, startedUs, node } of copies.values()) if (executing && startedUs === NEVER) nodes.add(node);
  return [...nodes].map((node) => node.line().map(({ id }) => id));
}

/** Gives nodes back the copies that are on them. */
export function readmitCopies(copies: Slab<Copy>, lines: ReturnType<typeof linesOf>): void {
  for (const copy of copies.values()) if (copy.executing && copy.startedUs !== NEVER) copy.node.readmit(copy);
  for (const id of lines.flat()) {
    const copy = copies.get(id);
    assert(copy !== undefined, "snapshot: a copy that waits is missing");
    copy.node.readmit(copy);
  }
}

/** A race as plain data, with its owner, class, nodes and policy by name. */
export function plainRace(race: Race) {
  const { tx, served, policy, placement, memory, copies, timed, heapIndex, label, copyCapGwei, ...fields } = race;
  return {
    ...fields,
    label: label ?? null,
    tx: tx.id,
    policy: policy.spec,
    placement: placement.spec,
    copies: copies.map(({ node, race: _, value, outcome, ...copy }) => ({
      ...copy,
      value: value ?? null,
      outcome: outcome ?? null,
      node: node.id,
    })),
  };
}

type PlainRace = ReturnType<typeof plainRace>;

export function reviveRace(plain: PlainRace, tx: RaceOwner, parts: { fleet: Fleet; shelf: PolicyShelf }): Race {
  const { copies, call, label, ...fields } = plain;
  const { fleet, shelf } = parts;
  const [policy, placement] = [shelf.policy(plain.policy), shelf.placement(plain.placement)];
  const served = fleet.class(call.model, call.mode);
  assert(served !== undefined, "snapshot: a race without its class");
  const race = new Race({ ...fields, label: label ?? undefined, call, tx, served, policy, placement });
  const { lane, live, held, missing, launched, lost, fanOut, queued, parked, lookUs, wakeUs, wakeSeq } = fields;
  Object.assign(race, { lane, live, held, missing, launched, lost, fanOut, queued, parked, lookUs, wakeUs, wakeSeq });
  for (const { node: id, ...copyFields } of copies) {
    const node = fleet.node(id);
    assert(node !== undefined, "snapshot: a copy without its node");
    const { state, startedUs, answeredUs, acceptedUs, endedUs, outputHash, answerHash, equivocated, suspicions } =
      copyFields;
    const [value, outcome] = [copyFields.value ?? undefined, copyFields.outcome ?? undefined];
    const ends = { startedUs, answeredUs, acceptedUs, endedUs, outcome };
    const copy = new Copy({ ...copyFields, node, race });
    race.copies.push(Object.assign(copy, { state, ...ends, outputHash, answerHash, value, equivocated, suspicions }));
  }
  return race;
}
