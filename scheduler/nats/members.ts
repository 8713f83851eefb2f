import { Frame } from "./frame.ts";
import type { NatsLimits } from "./limits.ts";
import { RateLimit } from "./rate-limit.ts";
import type { Session } from "./session.ts";
import type { Terms } from "./wire.ts";

/** A node that has joined, and maybe left. Times are those of `Members`, which stand still while the server is away. */
export interface Member {
  readonly node: string;
  readonly key: string;
  /** What it said of itself last. */
  said: Terms;
  /** Number of its last join. */
  joinNumber: number;
  session: Session;
  /** What was sealed before the last join may still come. */
  previous: Session | undefined;
  isPresent: boolean;
  heardMs: number;
  /** When it was last told anything. */
  toldMs: number;
  readonly rate: RateLimit;
  /** What it is told as soon as whoever speaks now has finished. */
  readonly frame: Frame;
}

/**
 * The nodes with a session, and who of them is there. The clock of silence runs only while the server is there to bring what
 * nodes say, so that a broker that dies does not make a whole fleet leave.
 */
export class Members {
  readonly #limits: NatsLimits;
  readonly #send: (node: string, items: readonly Uint8Array[]) => void;
  readonly #byNode = new Map<string, Member>();
  readonly #bySession = new Map<string, Member>();
  /** When which session began, by id, the oldest first: a join that is repeated would use its keys a second time. */
  readonly #begun = new Map<string, number>();
  #clockMs = 0;

  /** `send`: sends a full frame to the node. */
  constructor(limits: NatsLimits, send: (node: string, items: readonly Uint8Array[]) => void) {
    this.#limits = limits;
    this.#send = send;
  }

  get clockMs(): number {
    return this.#clockMs;
  }

  get present(): number {
    let count = 0;
    for (const { isPresent } of this.#byNode.values()) if (isPresent) count += 1;
    return count;
  }

  get isFull(): boolean {
    return this.#byNode.size >= this.#limits.maxNodes;
  }

  node(node: string): Member | undefined {
    return this.#byNode.get(node);
  }

  session(id: string): { readonly member: Member; readonly session: Session } | undefined {
    const member = this.#bySession.get(id);
    if (member === undefined) return undefined;
    if (member.session.id === id) return { member, session: member.session };
    return member.previous?.id === id ? { member, session: member.previous } : undefined;
  }

  /** Whether the session is new, and takes it down. A join is refused as stale before its session is forgotten here. */
  begin(id: string, nowMs: number): boolean {
    for (const [begun, sinceMs] of this.#begun) {
      if (nowMs - sinceMs <= 2 * this.#limits.joinWindowMs) break;
      this.#begun.delete(begun);
    }
    if (this.#begun.has(id)) return false;
    this.#begun.set(id, nowMs);
    return true;
  }

  /** Takes a join: of a node that is new, under another key than before, or in a new session. */
  join(node: string, said: Terms, joinNumber: number, session: Session): Member {
    const known = this.#byNode.get(node);
    const { key } = said.terms;
    if (known !== undefined && known.key === key) {
      if (known.previous !== undefined) this.#bySession.delete(known.previous.id);
      known.previous = known.session;
      known.session = session;
      known.said = said;
      known.joinNumber = joinNumber;
      this.#bySession.set(session.id, known);
      this.hear(known);
      return known;
    }
    if (known !== undefined) this.#forget(known);
    const heardMs = this.#clockMs;
    const rate = new RateLimit(this.#limits.maxMessagesPerSecond);
    const frame = new Frame((items) => this.#send(node, items));
    const presence = { isPresent: true, heardMs, toldMs: 0 };
    const member = { node, key, said, joinNumber, session, previous: undefined, ...presence, rate, frame };
    this.#byNode.set(node, member);
    this.#bySession.set(session.id, member);
    return member;
  }

  /** The node said something. True when it had left. */
  hear(member: Member): boolean {
    const wasAway = !member.isPresent;
    member.heardMs = this.#clockMs;
    member.isPresent = true;
    return wasAway;
  }

  /** Time passes. `leave` is told of each node that has been silent for too long. */
  tick(elapsedMs: number, leave: (member: Member) => void): void {
    this.#clockMs += elapsedMs;
    for (const member of this.#byNode.values()) {
      const silentMs = this.#clockMs - member.heardMs;
      if (member.isPresent && silentMs > this.#limits.maxSilenceMs) {
        member.isPresent = false;
        leave(member);
      }
      if (!member.isPresent && silentMs > this.#limits.forgetMs) this.#forget(member);
    }
  }

  /** Those who are there and were told nothing for so long. */
  untold(forMs: number): Member[] {
    return [...this.#byNode.values()].filter(({ isPresent, toldMs }) => isPresent && this.#clockMs - toldMs >= forMs);
  }

  #forget({ node, session, previous }: Member): void {
    this.#byNode.delete(node);
    this.#bySession.delete(session.id);
    if (previous !== undefined) this.#bySession.delete(previous.id);
  }
}
