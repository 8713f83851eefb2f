import type { Decision, Explanation, Surroundings, WorkBudget } from "../../policies/index.ts";
import { NOTHING_KNOWN } from "../../policies/service-times.ts";
import type { Random } from "../shared/random.ts";
import { NEVER, type SlowReason } from "../shared/vocabulary.ts";
import type { Commands } from "./commands.ts";
import type { OptimisticConfig, RaceConfig } from "./config.ts";
import type { Launcher } from "./launcher.ts";
import type { Race } from "./race.ts";

/** Challengers of one result at a time: one that keeps silent must not be able to wait for the end of the window. */
const MAX_CHALLENGERS = 3;

/** How challenges use the time that there is for them. */
interface ChallengePace {
  /** A challenger that takes longer than is usual, or than this, gets another beside it. */
  readonly maxLingerUs: number;
  /** After this long nobody else is asked, whatever the chain does. */
  readonly patienceUs: number;
}

/** Asks the policy whether another copy pays, and does what it says; slow-lane races get one copy at a time. */
export class Planner {
  readonly #config: RaceConfig;
  readonly #launcher: Launcher;
  readonly #budget: WorkBudget;
  readonly #pace: ChallengePace;
  readonly #slow: (race: Race, reason: SlowReason, out: Commands) => void;
  readonly #decision: Decision = { launch: 0, lookAtUs: NEVER };
  readonly #surroundings: Surroundings;

  constructor(parts: {
    config: RaceConfig;
    launcher: Launcher;
    budget: WorkBudget;
    random: Random;
    pace: ChallengePace;
    slow: (race: Race, reason: SlowReason, out: Commands) => void;
  }) {
    this.#config = parts.config;
    this.#launcher = parts.launcher;
    this.#budget = parts.budget;
    this.#pace = parts.pace;
    this.#slow = parts.slow;
    const { random } = parts;
    this.#surroundings = { nowUs: 0, serviceTimes: NOTHING_KNOWN, budgetUs: 0, domains: 0, random };
  }

  /** Launches what is due, and sets when to look again. */
  consider(race: Race, nowUs: number, out: Commands): void {
    const decision = this.#decision;
    if (race.purpose === "challenge") this.#considerChallenge(race, nowUs);
    else if (race.lane === "slow") this.#considerSlow(race, nowUs);
    else race.policy.decide(race, this.#around(race, nowUs), decision);
    let lookUs = decision.lookAtUs;
    // The first copy is on its way before the policy is first asked, so the fan-out is what it wants besides; and as many as
    // a quorum needs are not speculation, however slowly they are launched.
    if (race.fanOut === 0) race.fanOut = Math.max(race.missing, race.live + decision.launch);
    for (let wanted = decision.launch; wanted > 0; wanted--) {
      if (race.launched >= this.#config.maxCopies + race.quorum - 1 && race.lane === "fast") {
        // What is left runs to its end: there is nothing more to look for.
        lookUs = NEVER;
        if (race.live === 0) {
          this.#slow(race, "race-exhausted", out);
          lookUs = nowUs + this.#config.slowRetryUs;
        }
        break;
      }
      if (!this.#launchAnother(race, nowUs, out)) {
        // The policy's own look counted on the copy: who asks for the one after it in a microsecond would be asked for ever.
        lookUs = nowUs + this.#config.retryUs;
        break;
      }
    }
    race.lookUs = lookUs <= nowUs ? nowUs + 1 : lookUs;
  }

  /** What the race's policy makes of it; `undefined` when it has nothing to say. */
  explain(race: Race, nowUs: number): Explanation | undefined {
    return race.policy.explain?.(race, this.#around(race, nowUs));
  }

  #around(race: Race, nowUs: number): Surroundings {
    const surroundings = this.#surroundings;
    surroundings.nowUs = nowUs;
    surroundings.serviceTimes = race.served.times;
    surroundings.budgetUs = this.#budget.availableUs(race.served.name, race.tx.sender);
    surroundings.domains = race.served.domains;
    return surroundings;
  }

  #considerSlow(race: Race, nowUs: number): void {
    const decision = this.#decision;
    const last = race.copies[race.copies.length - 1];
    const nextTryUs = last === undefined ? nowUs : last.launchedUs + this.#config.slowRetryUs;
    const due = race.live === 0 && nowUs >= nextTryUs;
    decision.launch = due ? 1 : 0;
    decision.lookAtUs = race.live > 0 || due ? NEVER : nextTryUs;
  }

  #considerChallenge(race: Race, nowUs: number): void {
    const decision = this.#decision;
    decision.launch = 0;
    decision.lookAtUs = NEVER;
    const { maxLingerUs, patienceUs } = this.#pace;
    if (race.live >= MAX_CHALLENGERS || nowUs - race.openedUs >= patienceUs) return;
    const { slowRetryUs } = this.#config;
    const usualUs = race.served.times.quantileUs(0.95) ?? slowRetryUs;
    const lingerUs = Math.min(maxLingerUs, Math.max(slowRetryUs, usualUs));
    const last = race.copies[race.copies.length - 1];
    const dueUs = last === undefined ? nowUs : last.launchedUs + (race.live === 0 ? slowRetryUs : lingerUs);
    if (nowUs >= dueUs) decision.launch = 1;
    decision.lookAtUs = nowUs >= dueUs ? nowUs + lingerUs : dueUs;
  }

  #launchAnother(race: Race, nowUs: number, out: Commands): boolean {
    // Accepted answers that count stand where copies raced before; those that were outvoted are replaced.
    const speculative = race.purpose === "answer" && race.live + race.counted >= race.fanOut;
    const node = this.#launcher.choose(race);
    return node !== undefined && this.#launcher.launch(race, node, speculative, nowUs, out);
  }
}

/** Half of a window for each of those that may be asked beside each other; a stalled chain is waited for four times as long. */
export function paceOf({ challengeBlocks }: OptimisticConfig, blockIntervalUs: number): ChallengePace {
  const windowUs = challengeBlocks * blockIntervalUs;
  return { maxLingerUs: Math.ceil(windowUs / 2), patienceUs: 8 * windowUs };
}
