import { BareEngine } from "../../scheduler/engine/bare-engine.ts";
import type { CopyView } from "../../scheduler/engine/commands.ts";
import { BARE_RACES, DEFAULT_RACES } from "../../scheduler/engine/config.ts";
import { after, type CallTerms, NEVER } from "../../scheduler/shared/vocabulary.ts";
import { tokensAsked } from "./job-table.ts";
import { World, type WorldParts } from "./world.ts";

/** Races alone: what is compared with queueing theory. A job is over when its race is decided. */
export class BareWorld extends World {
  protected readonly engine: BareEngine;
  /** Every job asks the same, but for its tokens where arrivals come from a trace. */
  readonly #call: CallTerms;
  readonly #targetUs: number;
  #seq = 0;

  constructor(parts: WorldParts, engineSeed: number) {
    super(parts);
    const { policy, placement, budget, mode } = parts.experiment;
    const races = this.watched ? { ...DEFAULT_RACES, redundancyFloor: 0 } : BARE_RACES;
    this.engine = new BareEngine({ seed: engineSeed, policy, placement, budget, races });
    const { deadlineMs, verification } = parts.experiment;
    this.#targetUs = deadlineMs === undefined ? NEVER : 1_000 * (deadlineMs - verification.ms);
    this.#call = {
      model: "model",
      mode,
      digest: "job",
      inputHash: "input",
      tokensIn: 0,
      tokensOut: 0,
      maxFeeGwei: 0,
      conflict: { kind: "first-valid" },
      validityBlocks: 0,
    };
    for (const { terms: node } of this.fleet) this.engine.step(0, { kind: "node-joined", node }, this);
  }

  protected enter(job: number): void {
    this.engineEvents++;
    const owner = { id: job, hash: "", seq: this.#seq++, sender: "", nonce: 0 };
    const tokens = this.jobs.tokens[job] as number;
    const call = tokens < 0 ? this.#call : { ...this.#call, tokensOut: tokensAsked(tokens) };
    const targetUs = after(this.nowUs, this.#targetUs);
    this.engine.step(this.nowUs, { kind: "job-opened", owner, call, targetUs }, this);
  }

  protected jobOf(view: CopyView): number {
    return view.race.tx.id;
  }

  protected won(job: number): void {
    this.measured.over(this.jobs.number[job] as number);
    this.jobs.close(job);
  }

  protected happen(): void {}
  protected settle(): void {}
}
