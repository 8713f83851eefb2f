/** Why something that came was not taken, in the order in which it is looked for. Nothing that comes from a broker throws. */
export const REFUSALS = [
  /** The subject is none of the protocol's, or names no node. */
  "unknown-subject",
  "oversized",
  /** It is not the CBOR that its kind asks for. */
  "malformed",
  /** A node names another one than its subject does. */
  "wrong-node",
  /** Of announcements: a scheduler that this node was not told to trust, another chain, another shard. */
  "unknown-scheduler",
  "wrong-chain",
  "wrong-shard",
  /** A leader that another one has followed, or a second one that claims the same epoch. */
  "lower-epoch",
  "other-leader",
  /** An announcement that was heard before, or that came before one that was. */
  "old-announcement",
  /** Of joins: it answers no announcement of this scheduler, or none of the last minute. */
  "stale-join",
  "repeated-join",
  /** The name is registered, or in use, under another key. */
  "other-key",
  "too-many-joins",
  "too-many-nodes",
  "bad-signature",
  /** Of sealed messages. */
  "unknown-session",
  "flood",
  "replayed",
  "bad-seal",
] as const;
export type Refusal = (typeof REFUSALS)[number];

/** Why something that was to be said was not: leases end what it was about. */
export const LOSSES = [
  /** There is no session with the node, or with a scheduler. */
  "no-session",
  /** The server was away or slow for too long. */
  "waited-too-long",
  "too-many-waiting",
  /** It is nothing that the protocol has a form for, such as too large an input. */
  "unsayable",
  /** It is larger than the server takes. */
  "too-large",
  /** The session's keys are used up. */
  "session-used-up",
] as const;
export type Loss = (typeof LOSSES)[number];

export type Mishap = Refusal | Loss;

/** How often what went wrong. */
export class Mishaps {
  readonly #counts = new Map<Mishap, number>();

  count(mishap: Mishap, times = 1): void {
    if (times > 0) this.#counts.set(mishap, (this.#counts.get(mishap) ?? 0) + times);
  }

  /** Those that happened. */
  get counts(): Readonly<Partial<Record<Mishap, number>>> {
    return Object.fromEntries(this.#counts);
  }
}
