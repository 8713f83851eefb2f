import type { CallResult, PipeEvent, SubmitProblem } from "../index.ts";

/** What the demonstration counts while it follows the scheduler's events. */
export class DemoTally {
  submitted = 0;
  accepted = 0;
  /** By reason. */
  readonly refused = new Map<string, number>();
  sealed = 0;
  sealedWithCalls = 0;
  /** Sealed, but in the slow lane. */
  sealedSlow = 0;
  readonly refunded = new Map<string, number>();
  launched = 0;
  speculative = 0;
  decided = 0;
  speculativeWins = 0;
  cancelled = 0;
  /** Copies that ended without a proof that counts, by reason. */
  readonly lost = new Map<string, number>();
  quarantines = 0;
  missedEvents = 0;
  blocks = 0;
  /** Copies that have not ended, by handle. */
  readonly running = new Map<number, { readonly node: string; readonly job: string }>();
  readonly wonBy = new Map<string, number>();
  readonly lostBy = new Map<string, number>();
  #height = 0;
  /** Blocks between the one open at admission and the one that carried it, of transactions with calls. */
  readonly blocksWaited: number[] = [];

  outcome(problem: SubmitProblem | undefined): void {
    this.submitted++;
    if (problem === undefined) this.accepted++;
    else add(this.refused, problem.kind === "rejected" ? problem.rejection.reason : problem.kind);
  }

  note(event: PipeEvent): void {
    switch (event.kind) {
      case "launched":
        this.launched++;
        this.running.set(event.copy, { node: event.node, job: jobOf(event) });
        if (event.speculative) this.speculative++;
        return;
      case "cancelled":
        this.running.delete(event.copy);
        if (event.reason === "race-decided") this.cancelled++;
        return;
      case "decided":
        return this.#decided(event.result);
      case "lost":
        this.running.delete(event.copy);
        add(this.lostBy, event.node);
        return add(this.lost, event.reason);
      case "sealed":
        this.#height = event.height;
        this.blocks++;
        return;
      case "transaction":
        return this.#transaction(event);
      case "alarm":
        if (event.alarm.kind === "node-quarantined") this.quarantines++;
        return;
      case "lagged":
        this.missedEvents += event.missed;
        return;
      default:
        return;
    }
  }

  #decided(result: CallResult): void {
    this.decided++;
    if (result.speculative) this.speculativeWins++;
    add(this.wonBy, result.node);
    const job = jobOf(result);
    for (const [copy, running] of this.running) if (running.job === job) this.running.delete(copy);
  }

  #transaction(event: PipeEvent & { kind: "transaction" }): void {
    if (event.refundReason !== undefined) add(this.refunded, event.refundReason);
    if (event.state !== "sealed") return;
    this.sealed++;
    if (event.lane === "slow") this.sealedSlow++;
    if (event.calls === 0) return;
    this.sealedWithCalls++;
    this.blocksWaited.push(this.#height - event.admittedHeight);
  }
}

function jobOf({ txHash, callIndex }: { readonly txHash: string; readonly callIndex: number }): string {
  return `${txHash}/${callIndex}`;
}

function add(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

export function sum(counts: ReadonlyMap<string, number>): number {
  let total = 0;
  for (const count of counts.values()) total += count;
  return total;
}
