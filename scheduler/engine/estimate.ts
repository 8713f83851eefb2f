import type { PendingTransaction } from "../../mempool/pending.ts";
import { type CallTerms, quorum } from "../shared/vocabulary.ts";
import type { Fleet, FleetClass } from "./fleet.ts";
import type { Copy, Race } from "./race.ts";

/**
 * How likely it is that answers are there in time (P14). All times are microseconds from now until the proof must be in the
 * verifier's hands. Copies are taken as independent, nodes as honest as they have been so far, and a class of which nothing
 * is known as fast enough: a cold start must admit something to learn from.
 */

/** P(a job that is not yet launched is answered within `availableUs`), waiting in its class's queue included. */
export function probabilityUnlaunched(served: FleetClass, availableUs: number, wanted = 1): number {
  if (served.nodes.length === 0) return 0;
  const domains = wanted === 1 ? served.domains : served.comparableDomains;
  if (domains < wanted) return 0;
  const { times } = served;
  if (!times.known) return 1;
  const runUs = availableUs - queueingUs(served);
  if (runUs <= 0) return 0;
  // One more than is needed, where there is one.
  return atLeast(wanted, Math.min(wanted + 1, domains), 1 - times.survival(runUs));
}

/** P(at least k of n independent trials succeed), each with probability p. */
function atLeast(k: number, n: number, p: number): number {
  let tail = 0;
  let choose = 1;
  for (let i = 0; i <= n; i++) {
    if (i > 0) choose = (choose * (n - i + 1)) / i;
    if (i >= k) tail += choose * p ** i * (1 - p) ** (n - i);
  }
  return Math.min(1, tail);
}

/** Time until the jobs that already wait have been started, were they served one after another by all slots. */
function queueingUs(served: FleetClass): number {
  if (served.waitingCount === 0) return 0;
  let slots = 0;
  for (const node of served.nodes) slots += node.slots;
  return (served.waitingCount * served.times.meanUs()) / Math.max(1, slots);
}

/** P(a race has an accepted answer within `availableUs`), given how long its copies have been running. */
export function probabilityOfRace(race: Race, nowUs: number, availableUs: number): number {
  if (race.live < race.missing) return probabilityUnlaunched(race.served, availableUs, race.missing);
  // By how many of the copies are there in time, one copy after the other (a Poisson binomial distribution).
  const byCount = [1];
  for (const copy of race.copies) {
    if (!copy.live) continue;
    const p = probabilityOfCopy(copy, nowUs, availableUs);
    byCount.push(0);
    for (let i = byCount.length - 1; i >= 0; i--) {
      byCount[i] = (byCount[i] as number) * (1 - p) + (i > 0 ? (byCount[i - 1] as number) * p : 0);
    }
  }
  let enough = 0;
  for (let i = race.missing; i < byCount.length; i++) enough += byCount[i] as number;
  return Math.min(1, enough);
}

function probabilityOfCopy(copy: Copy, nowUs: number, availableUs: number): number {
  // Laplace's rule of succession on what the node has delivered so far.
  const { answered, rejected, failed } = copy.node;
  const honest = (answered + 1) / (answered + rejected + failed + 2);
  if (copy.state === "verifying") return honest;
  const { times } = copy.race.served;
  if (!times.known) return 1;
  if (availableUs <= 0) return 0;
  const elapsedUs = nowUs - copy.launchedUs;
  const survivedSoFar = times.survival(elapsedUs);
  if (survivedSoFar === 0) return 0;
  return honest * (1 - times.survival(elapsedUs + availableUs) / survivedSoFar);
}

/** P(every call of the transaction has its result within `availableUs`). Calls not discovered yet are not in it. */
export function probabilityOfTransaction(
  tx: PendingTransaction,
  parts: { fleet: Fleet; raceOf: (id: number) => Race | undefined; nowUs: number; availableUs: number },
): number {
  if (tx.state === "sealed" || tx.state === "committed") return 1;
  let probability = 1;
  for (const slot of tx.calls) {
    if (slot.result !== undefined) continue;
    const race = parts.raceOf(slot.race);
    probability *=
      race === undefined
        ? probabilityOfCall(slot.terms, parts.fleet, parts.availableUs)
        : probabilityOfRace(race, parts.nowUs, parts.availableUs);
  }
  return probability;
}

export function probabilityOfCall(call: CallTerms, fleet: Fleet, availableUs: number): number {
  const served = fleet.class(call.model, call.mode);
  return served === undefined ? 0 : probabilityUnlaunched(served, availableUs, quorum(call.conflict));
}
