import type { NodeMessage } from "../live/transport.ts";

interface Held {
  readonly nonce: number;
  readonly sinceMs: number;
  hasEnded: boolean;
}

/** What a copy's dispatch means to the node that has it already, or not. */
export type Asked =
  | "new"
  /** The same assignment again, maybe by the next leader: the node knows what to do. */
  | "again"
  /** Another assignment under the number of one that is still running. */
  | "other";

/**
 * Which copies a node holds, and for whom. When another leader follows, those of the last one are *orphans*: they go on, and
 * nobody is told of them, until the new leader gives the same assignment (copy and nonce) or the time for that is over. A leader
 * that goes on from its predecessor's journal gives again what is not finished, so that nothing is computed twice.
 */
export class HeldCopies {
  readonly #limit: number;
  readonly #held = new Map<number, Held>();
  readonly #orphans = new Map<number, Held>();

  /** Remembers at most `limit` copies, running or ended. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get hasOrphans(): boolean {
    return this.#orphans.size > 0;
  }

  ask(copy: number, nonce: number, nowMs: number): Asked {
    const known = this.#held.get(copy) ?? this.#orphans.get(copy);
    this.#orphans.delete(copy);
    this.#held.delete(copy);
    const isSame = known?.nonce === nonce;
    this.#held.set(copy, isSame ? known : { nonce, sinceMs: nowMs, hasEnded: false });
    const oldest = this.#held.keys().next();
    if (this.#held.size > this.#limit && oldest.done !== true) this.#held.delete(oldest.value);
    if (isSame) return "again";
    return known === undefined || known.hasEnded ? "new" : "other";
  }

  /** For how long a copy that ends now has been here, the first time; otherwise `undefined`. */
  end(copy: number, nowMs: number): number | undefined {
    const held = this.#held.get(copy) ?? this.#orphans.get(copy);
    this.#orphans.delete(copy);
    if (held === undefined || held.hasEnded) return undefined;
    held.hasEnded = true;
    return nowMs - held.sinceMs;
  }

  /** Whether the leader asked for what the message is about. */
  concerns(message: NodeMessage): boolean {
    return !("copy" in message) || this.#held.has(message.copy);
  }

  /** Another leader follows. What has ended is left to the node's own memory of last words. */
  orphan(): void {
    for (const [copy, held] of this.#held) if (!held.hasEnded) this.#orphans.set(copy, held);
    this.#held.clear();
  }

  /** The orphans, which nobody wants any more. */
  abandon(): number[] {
    const orphans = [...this.#orphans.keys()];
    this.#orphans.clear();
    return orphans;
  }
}
