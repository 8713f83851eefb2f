import type { EngineEvent } from "../engine/events.ts";
import type { Command } from "../engine/recorder.ts";
import type { LiveLimits } from "./limits.ts";

/** Bytes that belong to an event and stay at the edge: an input, or an answer. `hash` is their SHA-256. */
export interface Blob {
  readonly hash: string;
  readonly bytes: Uint8Array;
}

/** Who waits for what an event brings about. Exactly one of the two is called, once. */
export interface Asker {
  /** The commands that this very event produced; they are durable and carried out. */
  answered(commands: readonly Command[]): void;
  failed(error: Error): void;
}

export interface InboxItem {
  readonly event: EngineEvent;
  readonly blobs: readonly Blob[];
  readonly asker: Asker | undefined;
}

/**
 * What waits for the loop, in three queues. `replies` to the engine's own commands (verdicts, pre-executions) and the block
 * producer's events always have room: there are never more than the engine asked for and the producer sends. `messages` of
 * nodes and `requests` of users are bounded each, so that neither can take the other's place (P11).
 */
export class Inbox {
  readonly #limits: LiveLimits;
  readonly #replies: InboxItem[] = [];
  readonly #messages: InboxItem[] = [];
  readonly #requests: InboxItem[] = [];
  #dropped = 0;

  constructor(limits: LiveLimits) {
    this.#limits = limits;
  }

  get length(): number {
    return this.#replies.length + this.#messages.length + this.#requests.length;
  }

  /** Node messages that found no room. */
  get dropped(): number {
    return this.#dropped;
  }

  reply(item: InboxItem): void {
    this.#replies.push(item);
  }

  message(item: InboxItem): void {
    if (this.#messages.length < this.#limits.maxWaitingMessages) this.#messages.push(item);
    else this.#dropped += 1;
  }

  /** False when there is no room: the caller must tell its user so. */
  request(item: InboxItem): boolean {
    if (this.#requests.length >= this.#limits.maxWaitingRequests) return false;
    this.#requests.push(item);
    return true;
  }

  /** The next batch. Replies go first, since they free what others wait for; messages leave requests a quarter of the room. */
  drain(): InboxItem[] {
    const room = this.#limits.maxBatchEvents;
    const batch = this.#replies.splice(0, room);
    const reserved = Math.min(this.#requests.length, Math.ceil((room - batch.length) / 4));
    batch.push(...this.#messages.splice(0, room - batch.length - reserved));
    batch.push(...this.#requests.splice(0, room - batch.length));
    return batch;
  }

  /** Everything that waits, for a loop that ends. */
  clear(): InboxItem[] {
    return [...this.#replies.splice(0), ...this.#messages.splice(0), ...this.#requests.splice(0)];
  }
}
