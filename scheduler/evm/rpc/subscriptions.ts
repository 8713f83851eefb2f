import { randomBytes } from "node:crypto";
import type { BackendEvent } from "./backend.ts";
import type { ChainChange } from "./chain-index.ts";
import type { RpcFace } from "./face.ts";
import { logsOfChange } from "./filters.ts";
import { hashHex } from "./hex.ts";
import { aLogFilter, type LogFilter } from "./log-filter.ts";
import { failed, invalid, method, type MethodResult, type MethodTable, result, type Subscriber } from "./method.ts";
import { aBoolean, aHash, anything, aText, isRecord, needed, optional } from "./parameters.ts";
import { CODES, type RpcError } from "./problems.ts";
import { headView, transactionView } from "./views.ts";

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

type PipeFollower = Follower & { readonly transaction: string | undefined };

/** Who is told what as it happens. Each text is made once, however many are told it. */
export class Subscriptions {
  readonly #face: RpcFace;
  readonly #heads = new Set<Follower>();
  readonly #logs = new Set<Follower & { readonly filter: LogFilter }>();
  readonly #pending = new Set<Follower & { readonly full: boolean }>();
  readonly #pipe = new Set<PipeFollower>();
  readonly #leave: readonly (() => void)[];

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
          if (!subscriber.hasRoom) return failed(TOO_MANY);
          const id = `0x${randomBytes(16).toString("hex")}`;
          const begin = this.#prepare(kind, options, { subscriber, id });
          if (typeof begin !== "function") return begin;
          // It takes its room now, and is told things once its id is.
          let end: () => void = () => undefined;
          subscriber.add(id, () => end());
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
    if (change.kind === "appended" && this.#heads.size > 0) {
      const text = JSON.stringify(headView(change.block));
      for (const { subscriber, id } of this.#heads) subscriber.notify(id, text);
    }
    for (const { subscriber, id, filter } of this.#logs) {
      for (const log of logsOfChange(change, filter)) subscriber.notify(id, JSON.stringify(log));
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
