import type { EngineEvent } from "../../scheduler/engine/events.ts";
import type { Draw } from "./draw.ts";
import type { FaultTally } from "./faults.ts";

/** How unreliable messages between scheduler and nodes are: chances per message, and the longest extra delay. */
export interface NetworkDraw {
  readonly lose: number;
  readonly duplicate: number;
  readonly reorder: number;
  readonly reorderMs: number;
  /** Chance that a message is said once more, many seconds later. */
  readonly replay: number;
}

export const PERFECT_NETWORK: NetworkDraw = { lose: 0, duplicate: 0, reorder: 0, reorderMs: 0, replay: 0 };

/** Who says it. Verifier and pre-executor live in the scheduler's process, and die with it. */
export type Source = "node" | "verifier" | "executor" | "fleet";

export interface Message {
  readonly atUs: number;
  readonly source: Source;
  /** The copy whose cancel stops this message, −1 for none. */
  readonly copy: number;
  readonly event: EngineEvent;
}

interface Delivery extends Message {
  readonly order: number;
  /** Name of the node at the other end; empty for whoever needs no network. */
  readonly node: string;
}

interface Partition {
  readonly nodes: ReadonlySet<string>;
  readonly untilUs: number;
  /** Messages wait for its end instead of being lost. */
  readonly buffered: boolean;
}

/** What is on its way to the engine, in (time, order of sending), and what happens to it there. */
export class Network {
  readonly #conditions: NetworkDraw;
  readonly #draw: Draw;
  readonly #faults: FaultTally;
  #pending: Delivery[] = [];
  #order = 0;
  #partition: Partition | undefined;
  #healed = false;

  constructor(conditions: NetworkDraw, draw: Draw, faults: FaultTally) {
    this.#conditions = conditions;
    this.#draw = draw;
    this.#faults = faults;
  }

  get nextAtUs(): number | undefined {
    return this.#pending[0]?.atUs;
  }

  /** Takes the next message off the wire. `undefined` when it does not arrive now. */
  take(): EngineEvent | undefined {
    const delivery = this.#pending.shift();
    if (delivery === undefined) return undefined;
    const cut = this.#cutOff(delivery.node, delivery.atUs);
    if (cut === undefined) return delivery.event;
    this.#faults.count("partition");
    if (cut.buffered) this.#insert({ ...delivery, atUs: cut.untilUs + 1 });
    return undefined;
  }

  send(message: Message): void {
    const { source, event } = message;
    const node = source === "node" && "node" in event && typeof event.node === "string" ? event.node : "";
    const delivery: Delivery = { ...message, node, order: this.#order++ };
    if (node === "" || this.#healed) return this.#insert(delivery);
    this.#acrossTheWire(delivery);
  }

  #acrossTheWire(delivery: Delivery): void {
    const { lose, duplicate, reorder, reorderMs, replay } = this.#conditions;
    const { order, atUs } = delivery;
    if (this.#draw("replay", order) < replay) {
      this.#faults.count("message-replayed");
      this.#again(delivery, atUs + 5_000_000 + Math.floor(this.#draw("replay-after", order) * 40_000_000));
    }
    if (this.#draw("lose", order) < lose) return this.#faults.count("message-lost");
    const late = this.#draw("reorder", order) < reorder;
    const extraUs = late ? Math.floor(this.#draw("reorder-by", order) * reorderMs * 1_000) : 0;
    if (late) this.#faults.count("message-reordered");
    this.#insert({ ...delivery, atUs: atUs + extraUs });
    if (this.#draw("duplicate", order) >= duplicate) return;
    this.#faults.count("message-duplicated");
    this.#again(delivery, atUs + Math.floor(this.#draw("duplicate-after", order) * 500_000));
  }

  /** The same words once more; no cancel reaches those. */
  #again(delivery: Delivery, atUs: number): void {
    this.#insert({ ...delivery, atUs, copy: -1, order: this.#order++ });
  }

  /** Whether something that the scheduler sends now gets through to this node. */
  reaches(node: string, nowUs: number, ...name: readonly (string | number)[]): boolean {
    if (this.#healed) return true;
    if (this.#cutOff(node, nowUs) !== undefined) {
      this.#faults.count("partition");
      return false;
    }
    const lost = this.#draw("lose-out", ...name) < this.#conditions.lose;
    if (lost) this.#faults.count("message-lost");
    return !lost;
  }

  #cutOff(node: string, nowUs: number): Partition | undefined {
    const partition = this.#partition;
    const cut = partition !== undefined && node !== "" && nowUs <= partition.untilUs && partition.nodes.has(node);
    return cut ? partition : undefined;
  }

  partition(nodes: readonly string[], untilUs: number, buffered: boolean): void {
    this.#partition = { nodes: new Set(nodes), untilUs, buffered };
  }

  /** Unsaid: the copy was cancelled in time. */
  withdraw(copy: number): void {
    this.#pending = this.#pending.filter((delivery) => delivery.copy !== copy);
  }

  /** A node died: what it had not said yet it never says. Answers how much that was. */
  silence(node: string): number {
    const before = this.#pending.length;
    this.#pending = this.#pending.filter((delivery) => delivery.node !== node);
    return before - this.#pending.length;
  }

  /** A node stood still: what it has to say comes that much later. Answers how much there is. */
  delay(node: string, byUs: number): number {
    const late = this.#pending.filter((delivery) => delivery.node === node);
    this.#pending = this.#pending.filter((delivery) => delivery.node !== node);
    for (const delivery of late) this.#insert({ ...delivery, atUs: delivery.atUs + byUs });
    return late.length;
  }

  /** The verifier died with what it was at. `undefined` in place of a message: nobody hears of it. */
  failVerdicts(instead: (event: EngineEvent & { kind: "verdict" }) => EngineEvent | undefined): number {
    let failed = 0;
    this.#pending = this.#pending.flatMap((delivery) => {
      const { event } = delivery;
      if (delivery.source !== "verifier" || event.kind !== "verdict") return [delivery];
      failed++;
      const other = instead(event);
      return other === undefined ? [] : [{ ...delivery, event: other }];
    });
    return failed;
  }

  /** The scheduler's process died: its verifier and pre-executor with it, and of the nodes' messages this share. */
  crash(lose: number): void {
    this.#pending = this.#pending.filter(
      ({ source, order }) => source === "fleet" || (source === "node" && this.#draw("crash", order) >= lose),
    );
  }

  /** The engine's clock jumped ahead by that much while nothing else happened. */
  postpone(byUs: number): void {
    this.#pending = this.#pending.map((delivery) => ({ ...delivery, atUs: delivery.atUs + byUs }));
  }

  heal(): void {
    this.#healed = true;
    this.#partition = undefined;
  }

  #insert(delivery: Delivery): void {
    let low = 0;
    let high = this.#pending.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#pending[middle] as Delivery).atUs <= delivery.atUs) low = middle + 1;
      else high = middle;
    }
    this.#pending.splice(low, 0, delivery);
  }
}
