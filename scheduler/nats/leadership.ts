import { type HeardAnnouncement, readAnnouncement } from "./announcement.ts";
import type { Refusal } from "./refusals.ts";
import type { Announcement } from "./wire.ts";

export interface LeadershipOptions {
  readonly chainId: string;
  readonly shard: string;
  /** Ed25519 keys of the schedulers that may lead, hexadecimal. */
  readonly schedulers: readonly string[];
}

/** Whom a node follows, and the latest that it said. */
export interface Leader {
  readonly announcement: Announcement;
  readonly digest: string;
}

/**
 * A node's view of who leads its shard.
 *
 * L1. Only a scheduler that the node was told to trust leads, and only on its own chain and shard.
 * L2. The epoch never goes back, and one epoch has one scheduler: what a deposed leader announces is worth nothing.
 * L3. Within an epoch a later start follows an earlier one, and within a start no announcement counts twice or too late.
 */
export class Leadership {
  readonly #options: LeadershipOptions;
  #leader: Leader | undefined;

  constructor(options: LeadershipOptions) {
    this.#options = options;
  }

  get leader(): Leader | undefined {
    return this.#leader;
  }

  /** `start`: a leader or a start that is new to the node; `again`: the one that it follows, with news or without. */
  hear(bytes: Uint8Array): "start" | "again" | Refusal {
    const heard = readAnnouncement(bytes);
    if (typeof heard === "string") return heard;
    const refusal = this.#refusal(heard.announcement) ?? this.#disorder(heard.announcement);
    if (refusal !== undefined) return refusal;
    if (!heard.isSigned()) return "bad-signature";
    return this.#follow(heard);
  }

  #follow({ announcement, digest }: HeardAnnouncement): "start" | "again" {
    const isNew = this.#leader?.announcement.sessionKey !== announcement.sessionKey;
    this.#leader = { announcement, digest };
    return isNew ? "start" : "again";
  }

  /** L1. */
  #refusal({ scheduler, chainId, shard }: Announcement): Refusal | undefined {
    if (!this.#options.schedulers.includes(scheduler)) return "unknown-scheduler";
    if (chainId !== this.#options.chainId) return "wrong-chain";
    return shard === this.#options.shard ? undefined : "wrong-shard";
  }

  /** L2 and L3. */
  #disorder(next: Announcement): Refusal | undefined {
    const last = this.#leader?.announcement;
    if (last === undefined || next.epoch > last.epoch) return undefined;
    if (next.epoch < last.epoch) return "lower-epoch";
    if (next.scheduler !== last.scheduler) return "other-leader";
    if (next.startedMs > last.startedMs) return undefined;
    const isSameStart = next.startedMs === last.startedMs && next.sessionKey === last.sessionKey;
    return isSameStart && next.sequence > last.sequence ? undefined : "old-announcement";
  }
}
