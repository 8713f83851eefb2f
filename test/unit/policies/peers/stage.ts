import { type LeafSpec, policyOf, type PolicyMemory, type RacePicture } from "../../../../policies/index.ts";
import type { CopyEnd, CopyOutcome } from "../../../../policies/memory.ts";
import type { CopyPicture, Decision } from "../../../../policies/policy.ts";
import { NOTHING_KNOWN, type ServiceTimes } from "../../../../policies/service-times.ts";
import { Random } from "../../../../scheduler/shared/random.ts";
import { NEVER } from "../../../../scheduler/shared/vocabulary.ts";

const CALL: RacePicture["call"] = {
  model: "m",
  mode: "vanilla",
  digest: "d",
  inputHash: "i",
  tokensIn: 1,
  tokensOut: 1,
  maxFeeGwei: 10,
  conflict: { kind: "first-valid" },
  validityBlocks: 8,
};

interface StagedCopy extends CopyPicture {
  live: boolean;
  endedUs: number;
  outcome: CopyOutcome | undefined;
}

/**
 * A policy on a stage: one race at a time in front, as many as it takes behind it, with the memory that all of them share. It
 * is asked as the engine asks: after the first copy is on its way, after a loss, and at each look.
 */
export class Stage {
  nowUs = 1_000_000_000;
  memory: PolicyMemory | undefined;
  serviceTimes: ServiceTimes = NOTHING_KNOWN;
  deadlineUs = NEVER;
  id = 1;
  readonly #spec: LeafSpec;
  readonly #decision: Decision = { launch: 0, lookAtUs: NEVER };
  #copies: StagedCopy[] = [];
  #openedUs = 0;
  #lookUs = NEVER;

  constructor(spec: LeafSpec) {
    this.#spec = spec;
    this.memory = policyOf(spec).remember?.();
  }

  get launched(): number {
    return this.#copies.length;
  }

  /** Milliseconds after the opening at which copies were launched. */
  get launchesMs(): number[] {
    return this.#copies.map(({ launchedUs }) => (launchedUs - this.#openedUs) / 1_000);
  }

  /** When the policy asked to look again, in milliseconds after the opening. */
  get lookMs(): number | "never" {
    return this.#lookUs === NEVER ? "never" : (this.#lookUs - this.#openedUs) / 1_000;
  }

  /** A race opens, and its first copy is launched. */
  open(): this {
    this.id++;
    this.#copies = [];
    this.#openedUs = this.nowUs;
    this.memory?.opened(this.picture, this.nowUs);
    this.#launch(false);
    this.ask();
    return this;
  }

  /** Time passes; the policy looks when it asked to. */
  wait(ms: number): this {
    const untilUs = this.nowUs + ms * 1_000;
    while (this.#lookUs <= untilUs) {
      this.nowUs = Math.max(this.nowUs, this.#lookUs);
      this.ask();
    }
    this.nowUs = untilUs;
    return this;
  }

  /** A copy of the race ends without having won. */
  lose(index: number, outcome: CopyOutcome): this {
    this.#end(this.#copies[index] as StagedCopy, outcome);
    this.ask();
    return this;
  }

  /** A copy of the race wins, the others are cancelled. */
  win(index = 0): this {
    const winner = this.#copies[index] as StagedCopy;
    this.#end(winner, "accepted");
    for (const copy of this.#copies) if (copy.live) this.#end(copy, "cancelled");
    this.memory?.decided(this.nowUs - this.#openedUs, this.nowUs);
    this.#lookUs = NEVER;
    return this;
  }

  /** Races of these durations one after another, each with its first copy as the winner; nothing is asked. */
  history(...durationsMs: readonly number[]): this {
    for (const ms of durationsMs) {
      const launchedUs = this.nowUs;
      this.memory?.opened(this.picture, launchedUs);
      this.memory?.launched({ speculative: false }, launchedUs);
      this.nowUs += ms * 1_000;
      this.#told({ outcome: "accepted", speculative: false, launchedUs, endedUs: this.nowUs });
      this.memory?.decided(ms * 1_000, this.nowUs);
    }
    return this;
  }

  /** Ends that belong to other races, at this moment. */
  elsewhere(...outcomes: readonly CopyOutcome[]): this {
    for (const outcome of outcomes) {
      this.memory?.launched({ speculative: false }, this.nowUs);
      this.#told({ outcome, speculative: false, launchedUs: this.nowUs, endedUs: this.nowUs });
    }
    return this;
  }

  /** The memory goes through its snapshot, as JSON. */
  restore(): this {
    const snapshot = JSON.parse(JSON.stringify(this.memory?.snapshot()));
    this.memory = policyOf(this.#spec).remember?.(snapshot);
    return this;
  }

  get picture(): RacePicture {
    const live = this.#copies.filter((copy) => copy.live).length;
    return {
      id: this.id,
      call: CALL,
      lane: "fast",
      openedUs: this.#openedUs,
      deadlineUs: this.deadlineUs,
      targetUs: this.deadlineUs,
      firstBlockUs: NEVER,
      blockUs: NEVER,
      askedGwei: 0,
      live,
      missing: 1,
      launched: this.#copies.length,
      lost: this.#copies.length - live,
      copies: this.#copies,
      memory: this.memory,
      learning: undefined,
      room: { busy: 0, slots: 9, idle: 9 },
    };
  }

  ask(): void {
    const { nowUs, serviceTimes } = this;
    const surroundings = { nowUs, serviceTimes, budgetUs: NEVER, domains: 9, random: new Random(1) };
    policyOf(this.#spec).decide(this.picture, surroundings, this.#decision);
    this.#lookUs = this.#decision.lookAtUs;
    for (let count = this.#decision.launch; count > 0; count--) {
      this.#launch(this.#copies.some(({ live }) => live));
    }
  }

  #launch(speculative: boolean): void {
    const ends = { held: false, endedUs: NEVER, answeredUs: NEVER, outcome: undefined };
    const node = { id: `node-${this.#copies.length}`, slots: 1 };
    const { nowUs: launchedUs } = this;
    this.#copies.push({ ...ends, live: true, node, launchedUs, startedUs: launchedUs, ahead: 0, speculative });
    this.memory?.launched({ speculative }, this.nowUs);
  }

  #end(copy: StagedCopy, outcome: CopyOutcome): void {
    copy.live = false;
    copy.endedUs = this.nowUs;
    copy.outcome = outcome;
    this.#told({ outcome, speculative: copy.speculative, launchedUs: copy.launchedUs, endedUs: this.nowUs });
  }

  #told(end: CopyEnd): void {
    this.memory?.ended(end, this.nowUs);
  }
}
