import { connect, type NatsConnection, type NodeConnectionOptions, type Status } from "@nats-io/transport-node";
import { connectionTo, type NatsAuthentication, type NatsTls } from "./authentication.ts";
import type { NatsLimits } from "./limits.ts";
import { unreachable, unreachableBy } from "./unreachable.ts";

/** What becomes of a connection. Everything but `closed` passes by itself. */
export type NatsStatus =
  | { readonly kind: "connected"; readonly server: string }
  | { readonly kind: "disconnected"; readonly server: string }
  | { readonly kind: "reconnecting" }
  /** The server does not take what is sent as fast as it is said; what is said waits. */
  | { readonly kind: "slow"; readonly unconfirmedBytes: number }
  /** The server refuses something, such as a subject that it does not permit. */
  | { readonly kind: "error"; readonly error: Error }
  /** The connection has ended for good. */
  | { readonly kind: "closed"; readonly error: Error | undefined };

export interface LinkOptions {
  readonly servers: string | readonly string[];
  readonly authentication: NatsAuthentication | undefined;
  readonly tls: NatsTls | undefined;
  /** Shown by the server's monitoring. */
  readonly name: string;
  readonly limits: NatsLimits;
  readonly onStatus: (status: NatsStatus) => void;
  /** The server takes messages again. */
  readonly onReady: () => void;
}

export type LinkMessage = { readonly subject: string; readonly data: Uint8Array; readonly reply: string | undefined };

/** How often the server is asked to confirm what it got. */
const CONFIRM_MS = 250;
/** Without a confirmation for this long, silence is the server's. */
const ALIVE_MS = 1_000;
/** Bytes after which a confirmation is asked for at once. */
const CONFIRM_BYTES = 256 * 1024;

/**
 * One connection to the broker, that comes back for as long as it is open. It knows whether the server takes what is sent:
 * the client library would keep it all in memory.
 */
export class Link {
  readonly #options: LinkOptions;
  readonly #connection: NatsConnection;
  readonly #ended = Promise.withResolvers<Error | undefined>();
  readonly #confirming: NodeJS.Timeout;
  readonly #refused = new Map<string, (message: LinkMessage) => void>();
  #connected = true;
  #closing = false;
  #sentBytes = 0;
  #confirmedBytes = 0;
  #confirmedMs = performance.now();
  /** While the server was away, and for some time after it, nobody can be blamed for silence. */
  #awaySinceMs: number | undefined;
  #excusedUntilMs = 0;
  #asking = false;
  #slow = false;
  #over = false;

  /** Rejects with `NatsUnreachable` when no server is reached in time, at once when asking again would help nothing. */
  static async open(options: LinkOptions): Promise<Link> {
    const untilMs = performance.now() + options.limits.connectMs;
    for (;;) {
      const backoff = new Backoff(options.limits);
      try {
        return new Link(options, await connect(connectionOptions(options, backoff)), backoff);
      } catch (cause) {
        const { isFinal } = unreachableBy(cause);
        const isLast = performance.now() + options.limits.firstReconnectMs > untilMs;
        if (isFinal || isLast) throw unreachable(options.servers, cause);
        await new Promise((resolve) => setTimeout(resolve, options.limits.firstReconnectMs));
      }
    }
  }

  private constructor(options: LinkOptions, connection: NatsConnection, backoff: Backoff) {
    this.#options = options;
    this.#connection = connection;
    void this.#watch(backoff);
    void connection.closed().then((error) => this.#end(error ?? undefined));
    this.#confirming = setInterval(() => this.#confirm(), CONFIRM_MS);
    options.onStatus({ kind: "connected", server: connection.getServer() });
  }

  /** Resolves when the connection has ended for good, by `close` without an error. */
  get ended(): Promise<Error | undefined> {
    return this.#ended.promise;
  }

  /** Whether the server takes messages now. */
  get isReady(): boolean {
    return this.#connected && !this.#slow && !this.#closing;
  }

  /**
   * Whether somebody who is silent is so by himself: the server has confirmed something lately, and has been back for as long as
   * it was away. By then others, who wait twice as long before each attempt, have found it again, too.
   */
  get isAlive(): boolean {
    const nowMs = performance.now();
    return this.#connected && nowMs - this.#confirmedMs < ALIVE_MS && nowMs >= this.#excusedUntilMs;
  }

  /** The largest message that the server takes. */
  get maxBytes(): number {
    return this.#connection.info?.max_payload ?? Number.POSITIVE_INFINITY;
  }

  /** Sends, or loses it: whoever must not lose it asks `isReady` first. False when it is larger than the server takes. */
  publish(subject: string, data: Uint8Array): boolean {
    if (this.#closing || !this.#connected) return true;
    if (data.length > this.maxBytes) return false;
    this.#connection.publish(subject, data);
    this.#sentBytes += data.length;
    const unconfirmed = this.#sentBytes - this.#confirmedBytes;
    if (unconfirmed >= CONFIRM_BYTES) this.#confirm();
    if (!this.#slow && unconfirmed > this.#options.limits.maxUnconfirmedBytes) {
      this.#slow = true;
      this.#options.onStatus({ kind: "slow", unconfirmedBytes: unconfirmed });
    }
    return true;
  }

  /**
   * Each message is handled as it comes, so that none waits in this process. A subscription that the server does not permit is
   * asked for again with each new connection.
   */
  subscribe(subject: string, receive: (message: LinkMessage) => void): void {
    this.#connection.subscribe(subject, {
      callback: (error, message) => {
        // The refusal itself comes as a status, too.
        if (error !== null) return void this.#refused.set(subject, receive);
        try {
          receive({ subject: message.subject, data: message.data, reply: message.reply });
        } catch (bug) {
          // Thrown from here, a bug of ours would end the client's reader without a word.
          queueMicrotask(() => {
            throw bug;
          });
        }
      },
    });
  }

  /** Waits until the server has everything that was sent, or the time is up, and ends. */
  async close(): Promise<void> {
    if (this.#closing) return void (await this.#ended.promise);
    this.#closing = true;
    clearInterval(this.#confirming);
    const { farewellMs } = this.#options.limits;
    if (this.#connected) await withinMs(farewellMs, this.#connection.flush());
    await withinMs(farewellMs, this.#connection.close());
    this.#end(undefined);
  }

  #end(error: Error | undefined): void {
    if (this.#over) return;
    this.#over = true;
    clearInterval(this.#confirming);
    this.#connected = false;
    const why = this.#closing ? undefined : (error ?? new Error("the connection was closed"));
    this.#ended.resolve(why);
    this.#options.onStatus({ kind: "closed", error: why });
  }

  /** One question at a time; the answer confirms everything that was sent before it. */
  #confirm(): void {
    if (this.#asking || !this.#connected || this.#closing) return;
    this.#asking = true;
    const sentBytes = this.#sentBytes;
    this.#connection.flush().then(
      () => {
        this.#asking = false;
        this.#confirmed(sentBytes);
      },
      // The connection is gone; the next one begins with nothing unconfirmed.
      () => {
        this.#asking = false;
      },
    );
  }

  #confirmed(sentBytes: number): void {
    this.#confirmedBytes = Math.max(this.#confirmedBytes, sentBytes);
    this.#confirmedMs = performance.now();
    if (!this.#slow || this.#sentBytes - this.#confirmedBytes > this.#options.limits.maxUnconfirmedBytes / 2) return;
    this.#slow = false;
    this.#options.onReady();
  }

  #subscribeAgain(): void {
    const refused = [...this.#refused];
    this.#refused.clear();
    for (const [subject, receive] of refused) this.subscribe(subject, receive);
  }

  #excuse(): void {
    const nowMs = performance.now();
    const { greetingMs, maxReconnectMs } = this.#options.limits;
    const awayMs = nowMs - (this.#awaySinceMs ?? nowMs);
    this.#excusedUntilMs = nowMs + Math.min(awayMs, maxReconnectMs + greetingMs);
    this.#awaySinceMs = undefined;
  }

  /** Statuses are few; following them all keeps the library from collecting them. */
  async #watch(backoff: Backoff): Promise<void> {
    for await (const status of this.#connection.status()) this.#hear(status, backoff);
  }

  #hear(status: Status, backoff: Backoff): void {
    const { onStatus, onReady } = this.#options;
    if (this.#closing) return;
    switch (status.type) {
      case "disconnect":
        this.#connected = false;
        this.#awaySinceMs ??= performance.now();
        return onStatus({ kind: "disconnected", server: status.server });
      case "reconnecting":
        return onStatus({ kind: "reconnecting" });
      case "reconnect":
        backoff.reset();
        this.#connected = true;
        this.#excuse();
        this.#subscribeAgain();
        this.#slow = false;
        this.#confirmedBytes = this.#sentBytes;
        this.#confirm();
        onStatus({ kind: "connected", server: status.server });
        return onReady();
      case "error":
        return onStatus({ kind: "error", error: status.error });
      default:
        return;
    }
  }
}

/** Pauses between attempts to reconnect: doubled with each, with some chance so that a fleet does not come at once. */
class Backoff {
  readonly #limits: NatsLimits;
  #attempts = 0;

  constructor(limits: NatsLimits) {
    this.#limits = limits;
  }

  next(): number {
    const { firstReconnectMs, maxReconnectMs } = this.#limits;
    const longest = Math.min(firstReconnectMs * 2 ** this.#attempts, maxReconnectMs);
    this.#attempts = Math.min(this.#attempts + 1, 30);
    return Math.round(longest * (0.5 + Math.random() / 2));
  }

  reset(): void {
    this.#attempts = 0;
  }
}

function connectionOptions(options: LinkOptions, backoff: Backoff): NodeConnectionOptions {
  const { name, limits } = options;
  return {
    ...connectionTo(options),
    name,
    timeout: limits.greetingMs,
    pingInterval: limits.pingMs,
    maxPingOut: 2,
    maxReconnectAttempts: -1,
    // Credentials may be renewed while the service lives.
    ignoreAuthErrorAbort: true,
    reconnectDelayHandler: () => backoff.next(),
    noEcho: true,
  };
}

/** Resolves when the work has ended, one way or the other, or the time is up. */
async function withinMs(limitMs: number, work: Promise<unknown>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, limitMs);
  work.then(
    () => resolve(),
    () => resolve(),
  );
  await promise;
  clearTimeout(timer);
}
