import type { FleetSpec, NetworkSpec } from "../experiment/types.ts";
import type { EventHeap } from "../kernel/event-heap.ts";
import type { Stream } from "../kernel/streams.ts";
import { BEFALLS, PRIORITY } from "./payloads.ts";

/** Whom the weather acts upon. */
export interface Struck {
  /** The node runs at so many times its speed from now on; 0: it stands still, and says nothing until it moves again. */
  setCondition(node: number, condition: number): void;
  /** The node is gone with all that it has; `drains`: it gives that back first. */
  leave(node: number, drains: boolean): void;
  comeBack(node: number): void;
}

/** What befalls nodes, each by itself: exponential times in health and in trouble. */
interface Trouble {
  readonly stream: Stream;
  readonly everyUs: number;
  readonly lastsUs: number;
  /** By node: whether it is in it. */
  readonly on: Uint8Array;
  readonly set: (node: number, on: boolean) => void;
}

/** What befalls many at a given time. */
interface Spell {
  readonly fromUs: number;
  readonly toUs: number;
  readonly set: (on: boolean) => void;
}

const US = 1_000_000;

/**
 * What befalls the fleet over time, whatever the scheduler does: slow states, crashes, hangs, churn, slowdowns, partitions.
 * Each kind has random numbers of its own, of which none depends on load or policy, so that two policies live through the
 * same weather. It begins in the middle of things: a node is in trouble at first with the share of time that trouble takes.
 */
export class Weather {
  readonly #heap: EventHeap;
  readonly #struck: Struck;
  readonly #nodes: number;
  readonly #troubles: readonly Trouble[];
  readonly #spells: readonly Spell[];
  /** By node: how many times as long everything takes; whether it hangs; how many reasons it has to be away. */
  readonly #slow: Float64Array;
  readonly #hung: Uint8Array;
  readonly #away: Uint8Array;
  /** Factors of the slowdowns, and operators of the partitions, that are on. */
  readonly #slowdowns: number[] = [];
  readonly #partitions: number[] = [];
  #unreachable = 0;

  constructor(parts: {
    readonly fleet: FleetSpec;
    readonly network: NetworkSpec;
    readonly heap: EventHeap;
    readonly struck: Struck;
    readonly streamFor: (purpose: string) => Stream;
  }) {
    const { fleet, network, heap, struck, streamFor } = parts;
    this.#heap = heap;
    this.#struck = struck;
    this.#nodes = fleet.nodes;
    this.#slow = new Float64Array(fleet.nodes).fill(1);
    this.#hung = new Uint8Array(fleet.nodes);
    this.#away = new Uint8Array(fleet.nodes);
    this.#troubles = this.#troublesOf(fleet, streamFor);
    this.#spells = this.#spellsOf(fleet, network);
  }

  #troublesOf({ stragglers, outages, churn, nodes }: FleetSpec, streamFor: (purpose: string) => Stream): Trouble[] {
    const trouble = (purpose: string, everyS: number, lastsS: number, set: Trouble["set"]): Trouble => ({
      stream: streamFor(purpose),
      everyUs: everyS * US,
      lastsUs: lastsS * US,
      on: new Uint8Array(nodes),
      set,
    });
    const troubles: Trouble[] = [];
    if (stragglers !== "none") {
      const { everyS, lastsS, factor } = stragglers;
      troubles.push(trouble("stragglers", everyS, lastsS, (node, on) => this.#slows(node, on ? factor : 1)));
    }
    if (outages !== "none") {
      const { everyS, lastsS, kind } = outages;
      const set: Trouble["set"] =
        kind === "hang" ? (node, on) => this.#hangs(node, on) : (node, on) => this.#goes(node, on, false);
      troubles.push(trouble("outages", everyS, lastsS, set));
    }
    if (churn !== "none") {
      const { leaveEveryS, returnAfterS } = churn;
      troubles.push(trouble("churn", leaveEveryS, returnAfterS, (node, on) => this.#goes(node, on, true)));
    }
    return troubles;
  }

  #spellsOf({ slowdowns }: FleetSpec, { partition }: NetworkSpec): Spell[] {
    const spell = ({ atS, forS }: { readonly atS: number; readonly forS: number }, set: Spell["set"]): Spell => ({
      fromUs: Math.round(atS * US),
      toUs: Math.round((atS + forS) * US),
      set,
    });
    return [
      ...slowdowns.map((one) => spell(one, (on) => this.#slowsAll(one.factor, on))),
      ...partition.map((one) => spell(one, (on) => this.#parts(one.operators, on))),
    ];
  }

  /** Whether messages to and from the nodes of this operator pass. */
  reaches(operator: number): boolean {
    return operator >= this.#unreachable;
  }

  /** Whether the node is in the fleet. */
  present(node: number): boolean {
    return this.#away[node] === 0;
  }

  hangs(node: number): boolean {
    return this.#hung[node] === 1;
  }

  begin(): void {
    for (const [index, { stream, everyUs, lastsUs }] of this.#troubles.entries()) {
      for (let node = 0; node < this.#nodes; node++) {
        // An exponential time is as long from its middle on as from its beginning.
        if (stream.unit() < lastsUs / (everyUs + lastsUs)) this.#turn(index, node, 0);
        else this.#await(index, node, 0);
      }
    }
    for (const [index, { fromUs, toUs }] of this.#spells.entries()) {
      const payload = BEFALLS + this.#troubles.length * this.#nodes + 2 * index;
      this.#heap.schedule(fromUs, PRIORITY.weather, payload);
      this.#heap.schedule(toUs, PRIORITY.weather, payload + 1);
    }
  }

  /** What it put into the heap as `BEFALLS` with this number. */
  happen(number: number, nowUs: number): void {
    const spell = number - this.#troubles.length * this.#nodes;
    if (spell >= 0) this.#spells[spell >> 1]?.set(spell % 2 === 0);
    else this.#turn(Math.floor(number / this.#nodes), number % this.#nodes, nowUs);
  }

  #turn(index: number, node: number, nowUs: number): void {
    const trouble = this.#troubles[index] as Trouble;
    const on = trouble.on[node] === 0;
    trouble.on[node] = on ? 1 : 0;
    trouble.set(node, on);
    this.#await(index, node, nowUs);
  }

  #await(index: number, node: number, nowUs: number): void {
    const { stream, on, everyUs, lastsUs } = this.#troubles[index] as Trouble;
    const inUs = Math.round((on[node] === 1 ? lastsUs : everyUs) * stream.exponential());
    this.#heap.schedule(nowUs + inUs, PRIORITY.weather, BEFALLS + index * this.#nodes + node);
  }

  #slows(node: number, factor: number): void {
    this.#slow[node] = factor;
    this.#changed(node);
  }

  #hangs(node: number, on: boolean): void {
    this.#hung[node] = on ? 1 : 0;
    this.#changed(node);
  }

  #slowsAll(factor: number, on: boolean): void {
    toggle(this.#slowdowns, factor, on);
    for (let node = 0; node < this.#nodes; node++) this.#changed(node);
  }

  #changed(node: number): void {
    const factor = this.#slowdowns.reduce((product, one) => product * one, this.#slow[node] as number);
    this.#struck.setCondition(node, this.#hung[node] === 1 ? 0 : 1 / factor);
  }

  #goes(node: number, on: boolean, drains: boolean): void {
    const before = this.#away[node] as number;
    const now = before + (on ? 1 : -1);
    this.#away[node] = now;
    if (before === 0) this.#struck.leave(node, drains);
    else if (now === 0) this.#struck.comeBack(node);
  }

  #parts(operators: number, on: boolean): void {
    toggle(this.#partitions, operators, on);
    this.#unreachable = Math.max(0, ...this.#partitions);
  }
}

/** Adds one value to a few, or takes it away. */
function toggle(values: number[], value: number, on: boolean): void {
  if (on) values.push(value);
  else values.splice(values.indexOf(value), 1);
}
