import type { Wait } from "./course.ts";
import type { CopyRecord, NodeTook, Recording, Took } from "./recording.ts";

/** So many measurements around a moment are equally good guesses of how busy the machine is then. */
const NEAREST = 4;

/** A thread that computes at length: from a copy's start to its end. */
export interface Computing {
  readonly node: string;
  readonly fromUs: number;
  readonly untilUs: number;
}

/**
 * The machine's waits around any moment, apart for threads that attend to messages and for those that compute at length.
 *
 * - *There*: until the journal is durable, until the node's thread runs, until the scheduler's loop hears that it took the copy. All
 *   of it lies between dispatch and accepted, and is taken for the way there.
 * - *Back*: until the thread attends to a timer that is due, and until the loop hears of it. A report of a changed load is such a
 *   timer: it is due a known time after the word that changed it, and what it comes later is this wait.
 */
export class MachineWaits {
  readonly #alone: Waits;
  readonly #behind: Waits;
  readonly #back: Waits;

  constructor(
    { copies, changeReports }: Pick<Recording, "copies" | "changeReports">,
    { reportDelayUs, computing }: { readonly reportDelayUs: number; readonly computing: readonly Computing[] },
  ) {
    const { alone, behind } = waysThere(copies);
    const byNode = new Map([...Map.groupBy(computing, ({ node }) => node)].map(([node, own]) => [node, unbroken(own)]));
    const computes = ({ node, atUs }: NodeTook): boolean => {
      const spans = byNode.get(node) ?? [];
      const before = spans[firstFrom(spans, atUs + 1, ({ fromUs }) => fromUs) - 1];
      return before !== undefined && atUs < before.untilUs;
    };
    this.#alone = new Waits(alone, computes);
    this.#behind = new Waits(behind, computes);
    // A report in turn may have come before, and says nothing of the timer.
    const onTimer = changeReports.filter(({ us }) => us > reportDelayUs - TIMERS_GRAIN_US);
    const late = onTimer.map(({ node, atUs, us }) => ({
      node,
      atUs: atUs + reportDelayUs,
      us: Math.max(0, us - reportDelayUs),
    }));
    this.#back = new Waits(late, computes);
  }

  /** Of a message with none before it on the way to the node; `u` chooses, 0 to 1. */
  there(atUs: number, u: number): Wait {
    return this.#alone.around(atUs, u);
  }

  /** From the arrival of the message before it, if that is still on its way. */
  behind(atUs: number, u: number): Wait {
    return this.#behind.around(atUs, u);
  }

  back(atUs: number, u: number): Wait {
    return this.#back.around(atUs, u);
  }
}

/** Two messages may come closer together than they were sent. */
const TIMERS_GRAIN_US = 1_500;

/** Dispatch → accepted of every copy that was, in order. */
export function acceptancesOf(copies: readonly CopyRecord[]): readonly NodeTook[] {
  return copies.flatMap(({ node, acceptedUs, launchedUs }) =>
    acceptedUs === undefined ? [] : [{ node, atUs: launchedUs, us: acceptedUs - launchedUs }],
  );
}

/**
 * How long copies took to their nodes. Messages to a node keep their order, so that all wait for the same thing; one after the
 * other, each as long as the first, they would wait for it several times. Hence apart: `alone`, from dispatch on, of those that
 * found none on the way; `behind`, from the arrival of the one before, of those that did.
 */
export function waysThere(copies: readonly CopyRecord[]): {
  readonly alone: readonly NodeTook[];
  readonly behind: readonly NodeTook[];
} {
  const alone: NodeTook[] = [];
  const behind: NodeTook[] = [];
  const lastThereUs = new Map<string, number>();
  for (const took of acceptancesOf(copies)) {
    const { node, atUs, us } = took;
    const lastUs = lastThereUs.get(node) ?? atUs;
    if (lastUs > atUs) behind.push({ node, atUs, us: Math.max(0, atUs + us - lastUs) });
    else alone.push(took);
    lastThereUs.set(node, Math.max(lastUs, atUs + us));
  }
  return { alone, behind };
}

class Waits {
  readonly #idle: Around;
  readonly #computing: Around;

  constructor(measured: readonly NodeTook[], computes: (took: NodeTook) => boolean) {
    const idle = measured.filter((took) => !computes(took));
    const computing = measured.filter(computes);
    // Where all compute, or none does, the one tells of the other.
    this.#idle = new Around(idle.length > 0 ? idle : computing);
    this.#computing = new Around(computing.length > 0 ? computing : idle);
  }

  around(atUs: number, u: number): Wait {
    return { idleUs: this.#idle.us(atUs, u), computingUs: this.#computing.us(atUs, u) };
  }
}

/** Times measured now and then, nearly in order. */
export class Around {
  readonly #measured: readonly Took[];

  constructor(measured: readonly Took[]) {
    this.#measured = measured;
  }

  /** One that was measured around that moment, by `u`, 0 to 1; 0 when nothing was measured. */
  us(atUs: number, u: number): number {
    const measured = this.#measured;
    const middle = firstFrom(measured, atUs, (took) => took.atUs);
    const first = Math.max(0, Math.min(middle - NEAREST / 2, measured.length - NEAREST));
    const count = Math.min(NEAREST, measured.length);
    return measured[first + Math.floor(u * count)]?.us ?? 0;
  }
}

/** Times that overlap put together, in order. */
function unbroken(spans: readonly Computing[]): readonly Computing[] {
  const joined: Computing[] = [];
  for (const span of spans.toSorted((a, b) => a.fromUs - b.fromUs)) {
    const last = joined.at(-1);
    if (last === undefined || last.untilUs < span.fromUs) joined.push(span);
    else if (last.untilUs < span.untilUs) joined[joined.length - 1] = { ...last, untilUs: span.untilUs };
  }
  return joined;
}

/** Where in a list in order of time the first stands that is not before the moment; its length when none is. */
export function firstFrom<T>(list: readonly T[], atUs: number, timeOf: (each: T) => number): number {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (timeOf(list[middle] as T) < atUs) low = middle + 1;
    else high = middle;
  }
  return low;
}
