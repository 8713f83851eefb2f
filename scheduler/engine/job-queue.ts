import { NEVER } from "../shared/vocabulary.ts";
import type { Commands } from "./commands.ts";
import type { RaceConfig } from "./config.ts";
import type { FleetClass } from "./fleet.ts";
import type { FleetNode } from "./fleet-node.ts";
import type { Launcher } from "./launcher.ts";
import type { OrderWriter } from "./order-writer.ts";
import type { Race } from "./race.ts";

/**
 * Jobs that wait for their first copy. First copies of a class are launched in the order (seq, callIndex) of those that wait
 * (P12); only a job that may be given to no node with room (by its price, bond or conflict rule) steps aside, openly.
 */
export class JobQueue {
  readonly #config: RaceConfig;
  readonly #order: OrderWriter;
  readonly #launcher: Launcher;
  readonly #started: (race: Race, nowUs: number, out: Commands) => void;
  readonly #arm: (race: Race) => void;

  constructor(parts: {
    config: RaceConfig;
    order: OrderWriter;
    launcher: Launcher;
    /** The first copy is on its way. */
    started: (race: Race, nowUs: number, out: Commands) => void;
    arm: (race: Race) => void;
  }) {
    this.#config = parts.config;
    this.#order = parts.order;
    this.#launcher = parts.launcher;
    this.#started = parts.started;
    this.#arm = parts.arm;
  }

  enter(race: Race, nowUs: number, out: Commands): void {
    race.served.enqueue(race);
    this.#order.write("queued", race, nowUs, out);
    this.#pump(race.served, nowUs, out);
    if (race.queued) this.#arm(race);
  }

  leave(race: Race, nowUs: number, out: Commands): void {
    if (!race.queued) return;
    race.served.unqueue(race);
    this.#order.write("dequeued", race, nowUs, out);
  }

  /** A node came, rested, or has room or bond again: jobs that wait may start. */
  roomOn(node: FleetNode, nowUs: number, out: Commands): void {
    for (const served of node.classes) if (served.waitingCount > 0) this.#pump(served, nowUs, out);
  }

  /** Starts waiting jobs in order until one has to wait on. */
  #pump(served: FleetClass, nowUs: number, out: Commands): void {
    for (let race = served.nextWaiting(); race !== undefined; race = served.nextWaiting()) {
      const node = this.#launcher.choose(race);
      if (node !== undefined) {
        served.unqueue(race);
        this.#launcher.launch(race, node, false, nowUs, out);
        this.#started(race, nowUs, out);
      } else if (this.#launcher.isAloneInWaiting(race)) this.#park(race, nowUs, out);
      else return;
    }
  }

  /** A node has room, but none that may be given this call: the others need not wait behind it. */
  #park(race: Race, nowUs: number, out: Commands): void {
    this.leave(race, nowUs, out);
    race.parked = true;
    race.lookUs = nowUs + this.#config.retryUs;
    this.#arm(race);
  }

  /** Stays out without a word until a node that may be given it has room; the longer it waits, the less often it looks. */
  unpark(race: Race, nowUs: number, out: Commands): void {
    if (!this.#launcher.hasPlaceFor(race)) {
      const { retryUs, slowRetryUs } = this.#config;
      race.lookUs = nowUs + Math.max(retryUs, Math.min(slowRetryUs, Math.floor((nowUs - race.openedUs) / 4)));
      return this.#arm(race);
    }
    race.parked = false;
    race.lookUs = NEVER;
    this.enter(race, nowUs, out);
  }
}
