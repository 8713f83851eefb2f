import { setTimeout as sleep } from "node:timers/promises";
import type { PoolEntry, TransactionPool } from "../../mempool/evm/transaction-pool.ts";
import type { Pipe, PipeEvent } from "../index.ts";
import type { Outcomes } from "./outcomes.ts";
import type { EvmPreExecutor } from "./pre-executor.ts";
import type { BackendEvent } from "./rpc/backend.ts";

export interface FollowingParts {
  readonly pipe: Pick<Pipe, "events" | "status">;
  readonly pool: TransactionPool;
  readonly outcomes: Outcomes;
  readonly preExecutor: EvmPreExecutor;
  readonly tell: (event: BackendEvent) => void;
}

type TransactionEvent = Extract<PipeEvent, { readonly kind: "transaction" }>;
type Left = "refunded" | "replaced" | "withdrawn";

const LEFT: ReadonlySet<string> = new Set<Left>(["refunded", "replaced", "withdrawn"]);

/** After which what the scheduler does not know was not just on its way to it. */
const SETTLED_MS = 2_000;

/** Takes transactions that the scheduler gave up out of the pool, and passes on what it says. Ends with the scheduler. */
export async function followPipe(parts: FollowingParts): Promise<void> {
  const { pipe, preExecutor, tell } = parts;
  for await (const event of pipe.events()) {
    if (event.kind === "transaction") {
      const { hash, state, lane, refundReason, calls } = event;
      tell({ kind: "pipe", event: { event: state, transaction: hash, lane, calls, reason: refundReason } });
      if (!LEFT.has(state)) continue;
      preExecutor.forget(hash);
      await left(event, parts);
    } else if (event.kind === "decided") {
      const { txHash, callIndex, node, model, mode, feeGwei } = event.result;
      tell({ kind: "pipe", event: { event: "decided", transaction: txHash, callIndex, node, model, mode, feeGwei } });
    } else if (event.kind === "lagged") void takeOutUnknown(parts).catch(() => undefined);
  }
}

async function left({ hash, state, refundReason }: TransactionEvent, parts: FollowingParts): Promise<void> {
  const { pool, pipe } = parts;
  const entry = pool.get(hash);
  if (entry?.kind !== "inference") return;
  // Who withdraws or replaces takes it out of the pool first: what is there now was sent again, unless the scheduler was told
  // by somebody else.
  if (state !== "refunded" && (await knownTo(pipe, hash))) return;
  takeOut(entry, { state: state as Left, reason: reasonOf(refundReason) }, parts);
}

function takeOut(
  entry: PoolEntry,
  { state, reason }: { readonly state: Left; readonly reason: string | undefined },
  { pool, outcomes }: FollowingParts,
): void {
  const { hash } = entry.transaction;
  if (pool.get(hash) !== entry) return;
  pool.remove(hash);
  const said = reason ?? outcomes.failureOf(hash) ?? GIVEN_UP;
  outcomes.note(hash, { state, reason: said, advice: "Its escrow is back on deposit." });
}

/** For what the pre-executor cannot know. */
const GIVEN_UP =
  "it asks for more rounds, questions or state than the scheduler follows, or what no node was ever there for";

/** `undefined` where the last run tells more. */
function reasonOf(refundReason: TransactionEvent["refundReason"]): string | undefined {
  switch (refundReason) {
    case "expired":
      return "no block could carry it within its time to live";
    case "withdrawn":
    case "replaced":
      return `it was ${refundReason}`;
    default:
      return undefined;
  }
}

/** Events were missed: what the scheduler does not know any more has left. */
async function takeOutUnknown(parts: FollowingParts): Promise<void> {
  const { pool, pipe, preExecutor } = parts;
  const unknown = async (entries: readonly PoolEntry[]): Promise<PoolEntry[]> => {
    const known = await Promise.all(entries.map(({ transaction }) => knownTo(pipe, transaction.hash)));
    return entries.filter((_, place) => known[place] === false);
  };
  const first = await unknown([...pool.entries()].filter(({ kind }) => kind === "inference"));
  if (first.length === 0) return;
  await sleep(SETTLED_MS, undefined, { ref: false });
  for (const entry of await unknown(first)) {
    preExecutor.forget(entry.transaction.hash);
    takeOut(entry, { state: "refunded", reason: undefined }, parts);
  }
}

/** A scheduler that is closed is taken to know everything. */
function knownTo(pipe: Pick<Pipe, "status">, hash: string): Promise<boolean> {
  return pipe.status(hash).then(
    (view) => view !== undefined,
    () => true,
  );
}
