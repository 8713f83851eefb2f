import type { SigningKey } from "../proofs/keys.ts";
import { createSession, joinOf, writeJoin } from "./handshake.ts";
import type { Leader } from "./leadership.ts";
import type { NatsLimits } from "./limits.ts";
import type { Refusal } from "./refusals.ts";
import { Session, sessionIdOf } from "./session.ts";
import type { Terms } from "./wire.ts";

export interface NodeSessionOptions {
  readonly node: string;
  readonly key: SigningKey;
  readonly limits: NatsLimits;
  /** Publishes a join. */
  readonly publish: (join: Uint8Array) => void;
  /** The scheduler has taken a join: what is said from now on is heard. */
  readonly onSession: () => void;
}

/**
 * A node's sessions with the leader that it follows: the one it speaks in, the one before it, in which something may still
 * come, and one that it has asked for. A join that nobody answers is repeated, ever more slowly.
 */
export class NodeSession {
  readonly #options: NodeSessionOptions;
  #leader: Leader | undefined;
  #said: Terms | undefined;
  #current: Session | undefined;
  #previous: Session | undefined;
  #pending: Session | undefined;
  #retry: NodeJS.Timeout | undefined;
  #pauseMs = 0;
  #number = 0;
  #closed = false;

  constructor(options: NodeSessionOptions) {
    this.#options = options;
  }

  /** Where to seal what is said; `undefined` while there is no session. */
  get current(): Session | undefined {
    return this.#current;
  }

  get isJoining(): boolean {
    return this.#retry !== undefined;
  }

  /** Ends every session, and joins this leader as soon as it is known with what. */
  follow(leader: Leader): void {
    this.#leader = leader;
    this.#current = undefined;
    this.#previous = undefined;
    this.#pending = undefined;
    clearTimeout(this.#retry);
    this.#retry = undefined;
    if (this.#said !== undefined) this.join();
  }

  /** The leader has announced itself again: a join answers the latest. */
  renew(leader: Leader): void {
    this.#leader = leader;
  }

  /** What a join says of the node. */
  set said(said: Terms) {
    const isFirst = this.#said === undefined;
    this.#said = said;
    if (isFirst && this.#leader !== undefined) this.join();
  }

  /** Asks for a session, in place of the one that there is. */
  join(): void {
    this.#pauseMs = this.#options.limits.firstRejoinMs;
    this.#askAgain();
  }

  /** What a sealed message says, or why it cannot be told. */
  open(subject: string, sealed: Uint8Array): Uint8Array | Refusal {
    const id = sessionIdOf(sealed);
    if (id === undefined) return "malformed";
    const session = [this.#current, this.#pending, this.#previous].find((known) => known?.id === id);
    if (session === undefined) return "unknown-session";
    const plain = session.open(subject, sealed);
    if (typeof plain !== "string" && session === this.#pending) this.#begin(session);
    return plain;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
  }

  #begin(session: Session): void {
    this.#previous = this.#current;
    this.#current = session;
    this.#pending = undefined;
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#options.onSession();
  }

  #askAgain(): void {
    clearTimeout(this.#retry);
    if (this.#closed) return;
    this.#retry = setTimeout(() => this.#askAgain(), this.#pauseMs);
    this.#pauseMs = Math.min(2 * this.#pauseMs, this.#options.limits.maxRejoinMs);
    void this.#ask();
  }

  async #ask(): Promise<void> {
    const leader = this.#leader;
    if (leader === undefined) return;
    const { node, key, limits, publish } = this.#options;
    const { digest, announcement } = leader;
    this.#number = Math.max(Date.now(), this.#number + 1);
    const number = this.#number;
    const made = await createSession({ announcement: digest, node }, announcement.sessionKey).catch(() => undefined);
    // A leader whose key is none has no sessions; and much may have happened while the keys were made.
    const isLate = number !== this.#number || this.#leader?.announcement.sessionKey !== announcement.sessionKey;
    const said = this.#said;
    if (made === undefined || said === undefined || isLate || this.#closed) return;
    this.#pending = new Session("node", made.keys, limits.maxSessionMessages);
    publish(writeJoin(joinOf(said, digest, made.encapsulated, number), key));
  }
}
