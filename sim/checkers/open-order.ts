import type { OrderEntry } from "../../scheduler/engine/commands.ts";
import type { Books } from "./books.ts";
import type { Checker, Report } from "./checker.ts";

interface Place {
  readonly seq: number;
  readonly callIndex: number;
}

/**
 * P12: ordered in the open, audited from the log alone. Positions are given without gaps; a job is launched only when no job
 * queued before it for the same model and mode waits; every race has its launch in the log; and what is sealed was admitted.
 */
export function openOrder(books: Books, report: Report): Checker {
  const positions = new Map<string, number>();
  const present = new Set<string>();
  const queues = new Map<string, Map<string, Place>>();
  const launched = new Set<string>();
  const seenRaces = new Set<number>();
  let lastSeq: number | undefined;

  function entered(entry: OrderEntry): void {
    const { txHash, seq, callIndex } = entry;
    const job = `${txHash}/${callIndex}`;
    if (entry.atUs !== books.nowUs) report(`a log entry dated ${entry.atUs} at ${books.nowUs}`);
    if (entry.entry !== "admitted" && positions.get(txHash) !== seq)
      report(`${entry.entry} of ${txHash} at ${seq}, admitted at ${positions.get(txHash)}`);
    switch (entry.entry) {
      case "admitted":
        if (lastSeq !== undefined && seq !== lastSeq + 1) report(`position ${seq} given after ${lastSeq}`);
        lastSeq = seq;
        positions.set(txHash, seq);
        present.add(txHash);
        return;
      case "returned":
        if (present.has(txHash)) report(`${txHash} returned without having left`);
        present.add(txHash);
        return;
      case "left":
        if (!present.delete(txHash)) report(`${txHash} left without being there`);
        for (const queue of queues.values()) {
          for (const key of queue.keys()) if (key.startsWith(`${txHash}/`)) queue.delete(key);
        }
        return;
      case "queued":
        if (!present.has(txHash)) report(`${job} queued without being admitted`);
        queueOf(entry.queue).set(job, { seq, callIndex });
        return;
      case "dequeued":
        if (!queueOf(entry.queue).delete(job)) report(`${job} dequeued without being queued`);
        return;
      case "launched":
        return launch(entry, job);
    }
  }

  function launch(entry: OrderEntry, job: string): void {
    const queue = queueOf(entry.queue);
    if (!queue.delete(job)) report(`${job} launched without being queued`);
    for (const [waiting, place] of queue) {
      const before = place.seq < entry.seq || (place.seq === entry.seq && place.callIndex < entry.callIndex);
      if (before) report(`${job} launched before ${waiting}, which waits for ${entry.queue} since earlier`);
    }
    launched.add(job);
  }

  function queueOf(name: string): Map<string, Place> {
    let queue = queues.get(name);
    if (queue === undefined) {
      queue = new Map();
      queues.set(name, queue);
    }
    return queue;
  }

  return {
    promise: "P12",
    event() {
      launched.clear();
    },
    command(command) {
      if (command.kind === "ordered") entered(command.entry);
      else if (command.kind === "accepted") {
        if (positions.get(command.transaction.hash) !== command.transaction.seq)
          report(`${command.transaction.hash} accepted at a position that the log does not give`);
      } else if (command.kind === "dispatch") {
        const { race } = command.copy;
        const job = `${race.tx.hash}/${race.callIndex}`;
        // The log must not show who is challenged.
        const challenge = books.copies.get(command.copy.id)?.challenge === true;
        if (!challenge && !seenRaces.has(race.id) && !launched.has(job))
          report(`the first copy of ${job} was sent without a launch in the log`);
        seenRaces.add(race.id);
      } else if (command.kind === "sealed") {
        for (const { hash } of command.block.transactions)
          if (!positions.has(hash)) report(`${hash} sealed without being admitted`);
      }
    },
  };
}
