import type { CallResult, Mode, PipeEvent, SubmitProblem } from "../index.ts";

type ChallengeOutcome = Extract<PipeEvent, { kind: "challengeEnded" }>["outcome"];

/** Races of one mode that were decided. */
export interface ModeTally {
  /** From the race's opening to its decision. */
  readonly latenciesMs: number[];
  wins: number;
}

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
  readonly byMode = new Map<Mode, ModeTally>();
  /** Answers that others had to back: how many calls, and how many accepted answers did not fit. */
  backed = 0;
  outvoted = 0;
  /** Challenges that ended, by verdict. */
  readonly challenges = new Map<string, number>();
  forfeitedGwei = 0;
  /** Nodes whose answers did not hold, or who stood alone against two. */
  readonly caught = new Map<string, number>();
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
      case "challengeEnded":
        return this.#challengeEnded(event.outcome);
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
    const mode = this.byMode.get(result.mode) ?? { latenciesMs: [], wins: 0 };
    this.byMode.set(result.mode, mode);
    mode.wins++;
    mode.latenciesMs.push((result.decidedUs - result.openedUs) / 1_000);
    if (result.supporters.length > 0) this.backed++;
    this.outvoted += result.rivals.filter(({ end }) => end === "outvoted").length;
    this.#over(result);
  }

  #challengeEnded(outcome: ChallengeOutcome): void {
    const { verdict, node, dissenter, forfeitedGwei } = outcome;
    add(this.challenges, verdict);
    this.forfeitedGwei += forfeitedGwei;
    if (verdict === "overturned") add(this.caught, node);
    else if (dissenter !== "") add(this.caught, dissenter);
    this.#over(outcome);
  }

  /** The copies of a race have ended with it. */
  #over(race: { readonly txHash: string; readonly callIndex: number }): void {
    const job = jobOf(race);
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
