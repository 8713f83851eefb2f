import { BareEngine } from "../../scheduler/engine/bare-engine.ts";
import type { CopyView } from "../../scheduler/engine/commands.ts";
import { BARE_RACES, DEFAULT_RACES } from "../../scheduler/engine/config.ts";
import { type CallTerms, NEVER } from "../../scheduler/shared/vocabulary.ts";
import { World, type WorldParts } from "./world.ts";

/** Races alone: what is compared with queueing theory. A job is over when its race is decided. */
export class BareWorld extends World {
  protected readonly engine: BareEngine;
  /** Every job asks the same: only its durations differ. */
  readonly #call: CallTerms;
  #seq = 0;

  constructor(parts: WorldParts, engineSeed: number) {
    super(parts);
    const { policy, placement, budget, mode } = parts.experiment;
    const races = this.watched ? { ...DEFAULT_RACES, redundancyFloor: 0 } : BARE_RACES;
    this.engine = new BareEngine({ seed: engineSeed, policy, placement, budget, races });
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
    this.engine.step(this.nowUs, { kind: "job-opened", owner, call: this.#call, deadlineUs: NEVER }, this);
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
