import { randomBytes } from "node:crypto";
import type { BackendEvent } from "./backend.ts";
import { type ChainChange, matchingLogs, type PlacedLog } from "./chain-index.ts";
import type { RpcFace } from "./face.ts";
import { hashHex } from "./hex.ts";
import { aLogFilter, type LogFilter, searchLogs } from "./log-filter.ts";
import { failed, method, type MethodResult, type MethodTable, result } from "./method.ts";
import { aText, needed } from "./parameters.ts";
import { CODES, type RpcError } from "./problems.ts";
import { Ring } from "./ring.ts";
import { logView } from "./views.ts";

/** Changes of the chain that filters can be told later: at 500 ms a block, eight minutes. */
const KEPT_CHANGES = 1_024;

type Filter = { cursor: number; askedMs: number } & (
  | { readonly kind: "blocks" | "pending" }
  | { readonly kind: "logs"; readonly filter: LogFilter }
);

const NOT_FOUND: RpcError = {
  code: CODES.server,
  message: "filter not found",
  data: {
    kind: "unknown-filter",
    advice:
      "It was taken away, or was not asked for so long that changes are lost to it. Make another, and search the blocks between.",
  },
};

const TOO_MANY: RpcError = {
  code: CODES.limitExceeded,
  message: "limit exceeded: too many filters",
  data: { kind: "too-many-filters", advice: "Take away filters that are not needed; those that nobody asks expire." },
};

/**
 * Filters for clients that ask again and again. A filter is a place in a ring of what happened, so that one that nobody asks costs
 * nothing; one that is so far behind that the ring has dropped what comes next is not found any more.
 */
export class Filters {
  readonly #face: RpcFace;
  readonly #now: () => number;
  readonly #changes = new Ring<ChainChange>(KEPT_CHANGES);
  readonly #pending: Ring<string>;
  readonly #filters = new Map<string, Filter>();
  readonly #leave: readonly (() => void)[];

  /** `now` in milliseconds, of a clock that does not jump. */
  constructor(face: RpcFace, now: () => number) {
    this.#face = face;
    this.#now = now;
    this.#pending = new Ring(face.limits.keptPendingHashes);
    this.#leave = [
      face.index.onChange((change) => this.#changes.push(change)),
      face.backend.follow((event: BackendEvent) => {
        if (event.kind === "pending") this.#pending.push(event.transaction.hash);
      }),
    ];
  }

  get size(): number {
    return this.#filters.size;
  }

  methods(): MethodTable {
    const id = needed("filterId", aText);
    return {
      eth_newFilter: method([needed("filter", aLogFilter(this.#face.limits.maxFilterAlternatives))], ([filter]) =>
        filter.blocks.kind === "hash"
          ? failed({
              code: CODES.invalidParams,
              message: "invalid argument 0 (filter): expected a range, got a blockHash",
            })
          : this.#install({ kind: "logs", filter }),
      ),
      eth_newBlockFilter: method([], () => this.#install({ kind: "blocks" })),
      eth_newPendingTransactionFilter: method([], () => this.#install({ kind: "pending" })),
      eth_uninstallFilter: method([id], ([of]) => result(this.#filters.delete(of))),
      eth_getFilterChanges: method([id], ([of]) => this.#changesFor(of)),
      eth_getFilterLogs: method([id], ([of]) => {
        const filter = this.#find(of);
        return filter?.kind === "logs" ? searchLogs(this.#face, filter.filter) : failed(NOT_FOUND);
      }),
    };
  }

  close(): void {
    for (const leave of this.#leave) leave();
    this.#filters.clear();
  }

  #install(
    what: { readonly kind: "blocks" | "pending" } | { readonly kind: "logs"; readonly filter: LogFilter },
  ): MethodResult {
    if (this.#filters.size >= this.#face.limits.maxFilters) this.#expire();
    if (this.#filters.size >= this.#face.limits.maxFilters) return failed(TOO_MANY);
    // Nobody guesses it, since whoever knows it can take the filter's changes away.
    const id = `0x${randomBytes(16).toString("hex")}`;
    const cursor = what.kind === "pending" ? this.#pending.end : this.#changes.end;
    this.#filters.set(id, { ...what, cursor, askedMs: this.#now() });
    return result(id);
  }

  #expire(): void {
    for (const [id, filter] of this.#filters) if (this.#isExpired(filter)) this.#filters.delete(id);
  }

  #isExpired({ askedMs }: Filter): boolean {
    return this.#now() - askedMs > this.#face.limits.filterExpiryMs;
  }

  #find(id: string): Filter | undefined {
    const filter = this.#filters.get(id);
    if (filter === undefined) return undefined;
    if (this.#isExpired(filter)) {
      this.#filters.delete(id);
      return undefined;
    }
    filter.askedMs = this.#now();
    return filter;
  }

  #changesFor(id: string): MethodResult {
    const filter = this.#find(id);
    const ring = filter?.kind === "pending" ? this.#pending : this.#changes;
    if (filter === undefined || filter.cursor < ring.begin) {
      this.#filters.delete(id);
      return failed(NOT_FOUND);
    }
    if (filter.kind === "pending") {
      const hashes = this.#pending.since(filter.cursor).map(hashHex);
      filter.cursor = this.#pending.end;
      return result(hashes);
    }
    const found: unknown[] = [];
    // What is beyond the limit comes the next time; a block is never divided.
    while (filter.cursor < this.#changes.end && found.length < this.#face.limits.maxLogs) {
      const change = this.#changes.at(filter.cursor++);
      if (filter.kind === "logs") {
        for (const log of logsOfChange(change, filter.filter)) found.push(log);
      } else if (change.kind === "appended") {
        found.push(hashHex(change.block.hash));
      }
    }
    return result(found);
  }
}

/** The logs of a change that a filter takes: of a block that was taken back they come again, as removed. */
function logsOfChange(change: ChainChange, filter: LogFilter): unknown[] {
  return Array.from(placedLogsOf(change, filter), (log) => logView(log, change.kind === "taken-back"));
}

/** The same, as they stand in their blocks. */
export function* placedLogsOf(change: ChainChange, { match, blocks }: LogFilter): Generator<PlacedLog> {
  for (const block of change.kind === "taken-back" ? change.blocks : [change.block]) {
    if (blocks.kind === "range") {
      if (blocks.from.by === "number" && block.number < blocks.from.number) continue;
      if (blocks.to.by === "number" && block.number > blocks.to.number) continue;
    }
    yield* matchingLogs(block, match);
  }
}
