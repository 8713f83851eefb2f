import { bestBy } from "./best.ts";
import { type Choose, COLD } from "./candidate.ts";

/**
 * C3's ranking of replicas (Suresh, Canini, Schmid, Feldmann, NSDI 2015): R̄ − 1/μ̄ + q̂³/μ̄ with q̂ = 1 + os·w + q̄. R̄ is a node's
 * response time, 1/μ̄ its service time, os what we have sent and q̄ what others have; w is the number of schedulers, each of which
 * sees only its own. The cube makes a fast node with a queue worse than a slow one without.
 *
 * As we have it: queues count for each slot, since a node serves several at a time; q̄ is what the node last reported; the queue
 * is multiplied by the tries that an answer takes, or a node that fails at once would win against every one that is busy; and a
 * cold model costs what two more in the queue cost on a usual node. C3's rate control is left out: it
 * slows a client down that sends more than a server takes, and here a node says how many it takes, and the rest waits in the
 * mempool's order.
 */
export function c3(schedulers: number): Choose {
  return bestBy((candidate, { model }) => {
    const { record, outstanding, load, slots } = candidate;
    const queued = (outstanding * schedulers + (load - outstanding)) / slots;
    const length = (1 + queued) * record.tries;
    const cold = candidate.isWarm(model) ? 0 : (1 + COLD) ** 3 - 1;
    return record.response - record.service + length ** 3 * record.service + cold;
  });
}
