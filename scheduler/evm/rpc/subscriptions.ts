import { randomBytes } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import type { BackendEvent } from "./backend.ts";
import type { ChainChange } from "./chain-index.ts";
import type { RpcFace } from "./face.ts";
import { placedLogsOf } from "./filters.ts";
import { hashHex } from "./hex.ts";
import { aLogFilter, type LogFilter } from "./log-filter.ts";
import { failed, invalid, method, type MethodResult, type MethodTable, result, type Subscriber } from "./method.ts";
import { aBoolean, aHash, anything, aText, isRecord, needed, optional } from "./parameters.ts";
import { CODES, type RpcError } from "./problems.ts";
import { headView, logView, transactionView } from "./views.ts";

const NOT_HERE: RpcError = {
  code: CODES.methodNotFound,
  message: "notifications not supported",
  data: {
    kind: "no-notifications",
    advice: "Subscribe over a WebSocket (ws:// at the same address); over HTTP use filters.",
  },
};

const TOO_MANY: RpcError = {
  code: CODES.limitExceeded,
  message: "limit exceeded: too many subscriptions",
  data: {
    kind: "too-many-subscriptions",
    advice: "End subscriptions that are not needed, or open another connection.",
  },
};

interface Follower {
  readonly subscriber: Subscriber;
  readonly id: string;
}

type LogFollower = Follower & { readonly filter: LogFilter };

/** A change and who is to be told of it: those who were there when it came. */
interface Telling {
  readonly change: ChainChange;
  readonly heads: readonly Follower[];
  readonly logs: readonly LogFollower[];
}

/** Changes that wait to be told; with more of them the node cannot keep up. */
const MAX_TELLINGS = 256;
/** How long followers are told things before everybody else has a turn. */
const SLICE_MS = 5;

type PipeFollower = Follower & { readonly transaction: string | undefined };

/**
 * Who is told what as it happens. Each text is made once, however many are told it. Blocks never wait for it: the chain's changes are
 * told afterwards, a slice of time at once. Who cannot be told is cut off.
 */
export class Subscriptions {
  readonly #face: RpcFace;
  readonly #heads = new Set<Follower>();
  readonly #logs = new Set<LogFollower>();
  readonly #pending = new Set<Follower & { readonly full: boolean }>();
  readonly #pipe = new Set<PipeFollower>();
  readonly #leave: readonly (() => void)[];
  #tellings: Telling[] = [];
  #isTelling = false;
  /** Those that have only been promised count, too. */
  #count = 0;

  constructor(face: RpcFace) {
    this.#face = face;
    this.#leave = [
      face.index.onChange((change) => this.#chainChanged(change)),
      face.backend.follow((event) => this.#happened(event)),
    ];
  }

  methods(): MethodTable {
    return {
      eth_subscribe: method(
        [needed("subscription", aText), optional("options", anything, undefined)],
        ([kind, options], caller) => {
          const { subscriber } = caller;
          if (subscriber === undefined) return failed(NOT_HERE);
          if (!subscriber.hasRoom || this.#count >= this.#face.limits.maxSubscriptionsInAll) return failed(TOO_MANY);
          const id = `0x${randomBytes(16).toString("hex")}`;
          const begin = this.#prepare(kind, options, { subscriber, id });
          if (typeof begin !== "function") return begin;
          // It takes its room now, and is told things once its id is.
          let end: () => void = () => undefined;
          this.#count++;
          subscriber.add(id, () => {
            this.#count--;
            end();
          });
          caller.afterAnswer(() => {
            if (subscriber.has(id)) end = begin();
          });
          return result(id);
        },
      ),
      eth_unsubscribe: method([needed("subscriptionId", aText)], ([id], { subscriber }) => {
        if (subscriber === undefined) return failed(NOT_HERE);
        if (subscriber.remove(id)) return result(true);
        const advice = "It was ended, or belongs to another connection.";
        return failed({
          code: CODES.server,
          message: "subscription not found",
          data: { kind: "unknown-subscription", advice },
        });
      }),
    };
  }

  close(): void {
    for (const leave of this.#leave) leave();
    this.#tellings = [];
  }

  /** What begins the subscription, and gives what ends it; or why there is none. */
  #prepare(kind: string, options: unknown, follower: Follower): MethodResult | (() => () => void) {
    switch (kind) {
      case "newHeads":
        return joining(this.#heads, follower);
      case "logs": {
        const filter = aLogFilter(this.#face.limits.maxFilterAlternatives)(options ?? {});
        if (!filter.ok) return invalid(`invalid argument 1 (options): expected ${filter.expected}`);
        if (filter.value.blocks.kind === "hash")
          return invalid("invalid argument 1 (options): a subscription has no blockHash");
        // From now on: what is before is asked for with eth_getLogs.
        return joining(this.#logs, { ...follower, filter: filter.value });
      }
      case "newPendingTransactions": {
        const full = aBoolean(options ?? false);
        if (!full.ok) return invalid(`invalid argument 1 (options): expected ${full.expected}`);
        return joining(this.#pending, { ...follower, full: full.value });
      }
      case "pipe": {
        const asked = options ?? {};
        if (!isRecord(asked))
          return invalid("invalid argument 1 (options): expected an object, with transaction or empty");
        if (asked["transaction"] === undefined) return joining(this.#pipe, { ...follower, transaction: undefined });
        const transaction = aHash(asked["transaction"]);
        if (!transaction.ok)
          return invalid(`invalid argument 1 (options): expected transaction to be ${transaction.expected}`);
        return joining(this.#pipe, { ...follower, transaction: transaction.value });
      }
      default:
        return invalid("invalid argument 0 (subscription): expected newHeads, logs, newPendingTransactions or pipe");
    }
  }

  #chainChanged(change: ChainChange): void {
    const heads = change.kind === "appended" ? [...this.#heads] : [];
    const logs = [...this.#logs];
    if (heads.length + logs.length === 0) return;
    this.#tellings.push({ change, heads, logs });
    if (this.#tellings.length > MAX_TELLINGS) {
      this.#tellings = [];
      for (const { subscriber } of [...this.#heads, ...this.#logs]) subscriber.cut();
    }
    if (!this.#isTelling) void this.#tell();
  }

  async #tell(): Promise<void> {
    this.#isTelling = true;
    await setImmediate();
    let sinceMs = performance.now();
    for (let next = this.#tellings.shift(); next !== undefined; next = this.#tellings.shift()) {
      for (const act of this.#acts(next)) {
        act();
        if (performance.now() - sinceMs < SLICE_MS) continue;
        await setImmediate();
        sinceMs = performance.now();
      }
    }
    this.#isTelling = false;
  }

  /** One for each follower. */
  *#acts({ change, heads, logs }: Telling): Generator<() => void> {
    if (change.kind === "appended" && heads.length > 0) {
      const text = JSON.stringify(headView(change.block));
      for (const head of heads) yield () => this.#heads.has(head) && head.subscriber.notify(head.id, text);
    }
    const texts = new Map<string, string>();
    for (const follower of logs) yield () => this.#tellLogs(follower, change, texts);
  }

  #tellLogs(follower: LogFollower, change: ChainChange, texts: Map<string, string>): void {
    for (const placed of placedLogsOf(change, follower.filter)) {
      // Left, or cut off in the middle.
      if (!this.#logs.has(follower)) return;
      const place = `${placed.block.number}/${placed.logIndex}`;
      const text = texts.get(place) ?? JSON.stringify(logView(placed, change.kind === "taken-back"));
      texts.set(place, text);
      follower.subscriber.notify(follower.id, text);
    }
  }

  #happened(event: BackendEvent): void {
    if (event.kind === "pending") {
      if (this.#pending.size === 0) return;
      const { transaction } = event;
      const hash = JSON.stringify(hashHex(transaction.hash));
      let whole: string | undefined;
      for (const { subscriber, id, full } of this.#pending) {
        if (full) whole ??= JSON.stringify(transactionView(transaction, undefined));
        subscriber.notify(id, full ? (whole ?? hash) : hash);
      }
      return;
    }
    if (this.#pipe.size === 0) return;
    const text = JSON.stringify({ ...event.event, transaction: hashHex(event.event.transaction) });
    for (const { subscriber, id, transaction } of this.#pipe) {
      if (transaction === undefined || transaction === event.event.transaction) subscriber.notify(id, text);
    }
  }
}

function joining<F extends Follower>(followers: Set<F>, follower: F): () => () => void {
  return () => {
    followers.add(follower);
    return () => void followers.delete(follower);
  };
}
