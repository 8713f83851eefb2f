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
 * What waits for the loop, in four queues. `replies` to the engine's own commands (verdicts, pre-executions) and the block
 * producer's events always have room: there are never more than the engine asked for and the producer sends. `messages` of
 * nodes and `requests` of users are bounded each, in number and in bytes, so that neither can take the other's place (P11).
 * `registrations` are the comings and goings of nodes: nothing would repeat them, so a node's newest always has room, and
 * takes that of the one before.
 */
export class Inbox {
  readonly #limits: LiveLimits;
  readonly #replies: InboxItem[] = [];
  readonly #messages: InboxItem[] = [];
  readonly #requests: InboxItem[] = [];
  readonly #registrations = new Map<string, InboxItem[]>();
  #messageBytes = 0;
  #requestBytes = 0;
  #dropped = 0;

  constructor(limits: LiveLimits) {
    this.#limits = limits;
  }

  get length(): number {
    return this.#replies.length + this.#messages.length + this.#requests.length + this.#registrations.size;
  }

  /** Bytes of inputs that wait with their transactions. */
  get requestBytes(): number {
    return this.#requestBytes;
  }

  /** Node messages that found no room. */
  get dropped(): number {
    return this.#dropped;
  }

  reply(item: InboxItem): void {
    this.#replies.push(item);
  }

  /** `item` tells that this node joined or left. */
  registration(node: string, item: InboxItem): void {
    const waiting = this.#registrations.get(node);
    if (waiting === undefined) {
      if (this.#registrations.size < this.#limits.maxWaitingMessages) this.#registrations.set(node, [item]);
      else this.#dropped += 1;
      return;
    }
    // Whoever leaves has only left, whatever came before; whoever joins twice joined as it said last.
    if (item.event.kind === "node-left") waiting.length = 0;
    else if (waiting.at(-1)?.event.kind === "node-joined") waiting.pop();
    waiting.push(item);
  }

  message(item: InboxItem): void {
    const bytes = this.#messageBytes + bytesOf(item);
    if (this.#messages.length < this.#limits.maxWaitingMessages && bytes <= this.#limits.maxBlobBytes) {
      this.#messages.push(item);
      this.#messageBytes = bytes;
    } else this.#dropped += 1;
  }

  /** False when there is no room: the caller must tell its user so. */
  request(item: InboxItem): boolean {
    if (this.#requests.length >= this.#limits.maxWaitingRequests) return false;
    this.#requests.push(item);
    this.#requestBytes += bytesOf(item);
    return true;
  }

  /**
   * The next batch. Registrations go first, since nodes speak after they joined; then replies, since they free what others
   * wait for; messages leave requests a quarter of the room.
   */
  drain(): InboxItem[] {
    const room = this.#limits.maxBatchEvents;
    const batch: InboxItem[] = [];
    for (const [node, items] of this.#registrations) {
      if (batch.length >= room / 4) break;
      batch.push(...items);
      this.#registrations.delete(node);
    }
    batch.push(...this.#replies.splice(0, Math.max(0, room - batch.length)));
    const left = Math.max(0, room - batch.length);
    const reserved = Math.min(this.#requests.length, Math.ceil(left / 4));
    const messages = this.#messages.splice(0, left - reserved);
    const requests = this.#requests.splice(0, left - messages.length);
    for (const item of messages) this.#messageBytes -= bytesOf(item);
    for (const item of requests) this.#requestBytes -= bytesOf(item);
    batch.push(...messages, ...requests);
    return batch;
  }

  /** Everything that waits, for a loop that ends. */
  clear(): InboxItem[] {
    const registrations = [...this.#registrations.values()].flat();
    this.#registrations.clear();
    this.#messageBytes = 0;
    this.#requestBytes = 0;
    return [...registrations, ...this.#replies.splice(0), ...this.#messages.splice(0), ...this.#requests.splice(0)];
  }
}

function bytesOf({ blobs }: InboxItem): number {
  let bytes = 0;
  for (const blob of blobs) bytes += blob.bytes.length;
  return bytes;
}
