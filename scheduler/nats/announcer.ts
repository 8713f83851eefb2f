import type { RegistrationEpoch } from "../live/transport.ts";
import type { SigningKey } from "../proofs/keys.ts";
import { writeAnnouncement } from "./announcement.ts";
import type { NatsLimits } from "./limits.ts";

export interface AnnouncerOptions {
  readonly chainId: string;
  readonly shard: string;
  readonly epoch: number;
  readonly key: SigningKey;
  readonly sessionKey: string;
  readonly startedMs: number;
  readonly limits: NatsLimits;
  readonly nowMs: () => number;
  readonly publish: (bytes: Uint8Array) => void;
}

/** Says who leads: by the clock, when something changed, and when a node asks. Knows which of it may still be answered. */
export class Announcer {
  readonly #options: AnnouncerOptions;
  /** When which announcement was made, by digest, the oldest first. */
  readonly #made = new Map<string, number>();
  #registration: RegistrationEpoch | undefined;
  #sequence = 0;
  #lastMs = Number.NEGATIVE_INFINITY;
  #asked: NodeJS.Timeout | undefined;

  constructor(options: AnnouncerOptions) {
    this.#options = options;
  }

  /** Announces, with this registration epoch from now on. */
  register(registration: RegistrationEpoch | undefined): void {
    this.#registration = registration;
    this.announce();
  }

  announce(): void {
    const { chainId, shard, epoch, key, sessionKey, startedMs, nowMs, publish } = this.#options;
    clearTimeout(this.#asked);
    this.#asked = undefined;
    this.#lastMs = nowMs();
    const registration = this.#registration && { epoch: this.#registration.epoch, seed: this.#registration.seed };
    const about = { chainId, shard, epoch, scheduler: key.publicKeyHex, sessionKey, startedMs };
    const announcement = {
      ...about,
      sequence: this.#sequence,
      ...(registration === undefined ? {} : { registration }),
    };
    this.#sequence += 1;
    const { bytes, digest } = writeAnnouncement(announcement, key);
    this.#forgetOld();
    this.#made.set(digest, this.#lastMs);
    publish(bytes);
  }

  /** A node asks. Those who ask together get one answer. */
  ask(): void {
    if (this.#asked !== undefined) return;
    const waitMs = Math.max(0, this.#lastMs + this.#options.limits.minAnnounceMs - this.#options.nowMs());
    this.#asked = setTimeout(() => this.announce(), waitMs);
  }

  /** Announces when it is time. */
  tick(): void {
    if (this.#options.nowMs() - this.#lastMs >= this.#options.limits.announceMs) this.announce();
  }

  mayBeAnswered(digest: string): boolean {
    const madeMs = this.#made.get(digest);
    return madeMs !== undefined && this.#options.nowMs() - madeMs <= this.#options.limits.joinWindowMs;
  }

  stop(): void {
    clearTimeout(this.#asked);
  }

  /** At most `joinWindowMs / minAnnounceMs` of them are kept, and those of `register`, of which there is one in a while. */
  #forgetOld(): void {
    for (const [digest, madeMs] of this.#made) {
      if (this.#options.nowMs() - madeMs <= this.#options.limits.joinWindowMs) return;
      this.#made.delete(digest);
    }
  }
}
