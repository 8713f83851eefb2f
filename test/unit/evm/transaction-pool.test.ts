import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { EvmTransaction } from "../../../mempool/evm/transaction.ts";
import {
  DEFAULT_POOL_LIMITS,
  type PoolEntry,
  type PoolLimits,
  tipOf,
  type TransactionKind,
  TransactionPool,
} from "../../../mempool/evm/transaction-pool.ts";
import { holds } from "../../support/reproducible.ts";

const FILE = "test/unit/evm/transaction-pool.test.ts";

function transaction(sender: string, nonce: number, changes: Partial<EvmTransaction> = {}): EvmTransaction {
  const fees = { gasLimit: 21_000n, maxFeePerGas: 100n, maxPriorityFeePerGas: 10n, value: 0n };
  const raw = new Uint8Array(0);
  return { hash: `${sender}/${nonce}`, raw, sender, nonce, to: "0x", options: {}, ...fees, ...changes };
}

function poolOf(limits: Partial<PoolLimits> = {}): TransactionPool {
  return new TransactionPool({ ...DEFAULT_POOL_LIMITS, ...limits });
}

function put(pool: TransactionPool, tx: EvmTransaction, kind: TransactionKind = "ordinary", chainNonce = 0): void {
  pool.add(tx, { chainNonce, height: 0 });
  pool.classify(tx.hash, kind);
}

/** The block that the pool makes when everything that it gives is executed. */
function blockOf(pool: TransactionPool, ready: ReadonlySet<string> = new Set(), baseFeePerGas = 1n): string[] {
  const nonces = new Map<string, number>();
  const chosen: string[] = [];
  const selection = {
    baseFeePerGas,
    isReady: (entry: PoolEntry) => ready.has(entry.transaction.hash),
    nextNonce: (sender: string, chainNonce: number) => nonces.get(sender) ?? chainNonce,
  };
  const senders = [...ready].map((hash) => pool.get(hash)?.transaction.sender ?? "");
  for (const { transaction: tx } of pool.select(selection, senders)) {
    chosen.push(tx.hash);
    nonces.set(tx.sender, tx.nonce + 1);
  }
  return chosen;
}

describe("what may be in the next block", () => {
  it("goes by what it pays above the base fee, each sender's in the order of nonces, ties by arrival", () => {
    const pool = poolOf();
    put(pool, transaction("a", 0, { maxPriorityFeePerGas: 1n }));
    put(pool, transaction("a", 1, { maxPriorityFeePerGas: 90n }));
    put(pool, transaction("b", 0, { maxPriorityFeePerGas: 20n }));
    put(pool, transaction("c", 0, { maxPriorityFeePerGas: 20n }));
    // Its fee cap leaves less than it offers.
    put(pool, transaction("d", 0, { maxPriorityFeePerGas: 50n, maxFeePerGas: 51n }));
    expect(blockOf(pool, new Set(), 40n)).toEqual(["b/0", "c/0", "d/0", "a/0", "a/1"]);
  });

  it("leaves out what does not pay the base fee, and with it the sender's later ones", () => {
    const pool = poolOf();
    put(pool, transaction("a", 0, { maxFeePerGas: 5n }));
    put(pool, transaction("a", 1));
    put(pool, transaction("b", 0));
    expect(blockOf(pool, new Set(), 6n)).toEqual(["b/0"]);
  });

  it("has one that asks a model only with its results, and its sender's later ones only after it", () => {
    const pool = poolOf();
    put(pool, transaction("a", 0), "inference");
    put(pool, transaction("a", 1));
    put(pool, transaction("b", 0));
    put(pool, transaction("c", 0), "undetermined");
    expect(blockOf(pool)).toEqual(["b/0"]);
    expect(blockOf(pool, new Set(["a/0"]))).toEqual(["a/0", "a/1", "b/0"]);
  });

  it("is found without a look at those that wait for a model (P7)", () => {
    const pool = poolOf();
    for (let i = 0; i < 1_000; i++) put(pool, transaction(`w${i}`, 0), "inference");
    put(pool, transaction("b", 0));
    const looked: string[] = [];
    const nextNonce = (sender: string, chainNonce: number) => {
      looked.push(sender);
      return sender === "b" && looked.length > 1 ? 1 : chainNonce;
    };
    const given = [...pool.select({ baseFeePerGas: 1n, isReady: () => false, nextNonce }, [])];
    expect(given.map(({ transaction: tx }) => tx.hash)).toEqual(["b/0"]);
    expect(new Set(looked)).toEqual(new Set(["b"]));
  });

  it("no longer has what was replaced or left while others were executed", () => {
    const pool = poolOf();
    put(pool, transaction("a", 0, { maxPriorityFeePerGas: 50n }));
    put(pool, transaction("b", 0));
    const selection = { baseFeePerGas: 1n, isReady: () => false, nextNonce: (_: string, nonce: number) => nonce };
    const given = pool.select(selection, []);
    expect(given.next().value?.transaction.hash).toBe("a/0");
    pool.remove("b/0");
    expect(given.next().done).toBe(true);
  });
});

describe("what is refused", () => {
  const refused = (pool: TransactionPool, tx: EvmTransaction, chainNonce = 0) => pool.refusal(tx, chainNonce)?.reason;

  it("is what cannot be in any block, or what takes more than its share of room", () => {
    const pool = poolOf({ maxOrdinary: 3, maxPerSender: 2 });
    put(pool, transaction("a", 0));
    expect(refused(pool, transaction("a", 0))).toBe("already-known");
    expect(refused(pool, transaction("b", 4), 5)).toBe("nonce-too-low");
    expect(refused(pool, transaction("a", 2))).toBe("nonce-too-high");
    put(pool, transaction("a", 1));
    expect(refused(pool, transaction("a", 2), 1)).toBe("sender-limit");
    put(pool, transaction("b", 0));
    expect(refused(pool, transaction("c", 0))).toBe("pool-full");
  });

  it("is a replacement that does not pay a tenth more in both fees", () => {
    const pool = poolOf();
    put(pool, transaction("a", 0));
    const again = (maxFeePerGas: bigint, maxPriorityFeePerGas: bigint) =>
      refused(pool, transaction("a", 0, { hash: "new", maxFeePerGas, maxPriorityFeePerGas }));
    expect(again(110n, 10n)).toBe("replacement-underpriced");
    expect(again(109n, 11n)).toBe("replacement-underpriced");
    expect(again(110n, 11n)).toBeUndefined();
  });

  it("is nothing ordinary because many wait for models (P7)", () => {
    const pool = poolOf({ maxOrdinary: 2 });
    for (let i = 0; i < 100; i++) put(pool, transaction(`w${i}`, 0), "inference");
    expect(refused(pool, transaction("a", 0))).toBeUndefined();
  });
});

describe("a new head", () => {
  it("makes those leave whose nonce it used, and those whose time is over", () => {
    const pool = poolOf({ maxAgeBlocks: 10 });
    put(pool, transaction("a", 0));
    put(pool, transaction("a", 1));
    put(pool, transaction("b", 3));
    const gone = (nonces: ReadonlyMap<string, number>, height: number) =>
      pool.headChanged(nonces, height).map(({ transaction: tx }) => tx.hash);
    expect(gone(new Map([["a", 1]]), 1)).toEqual(["a/0"]);
    expect(blockOf(pool)).toEqual(["a/1"]);
    expect(gone(new Map(), 10).sort()).toEqual(["a/1", "b/3"]);
    expect(pool.size).toBe(0);
  });
});

const STEP = fc.record({
  act: fc.constantFrom("add", "add", "add", "classify", "remove", "head"),
  sender: fc.constantFrom("a", "b", "c"),
  nonce: fc.nat(3),
  tip: fc.bigInt({ min: 1n, max: 40n }),
  kind: fc.constantFrom<TransactionKind>("ordinary", "inference", "undetermined"),
});
type Step = typeof STEP extends fc.Arbitrary<infer A> ? A : never;

/** Takes the pool through the steps, and after each one holds its block against a plain reading of the rule. */
function complaintsOf(steps: readonly Step[]): string[] {
  const pool = poolOf({ maxOrdinary: 6, maxPerSender: 3 });
  const chain = new Map<string, number>();
  const complaints: string[] = [];
  for (const [at, { act, sender, nonce, tip, kind }] of steps.entries()) {
    const chainNonce = chain.get(sender) ?? 0;
    const there = pool.at(sender, nonce)?.transaction.hash ?? "";
    if (act === "add") {
      const tx = transaction(sender, nonce, { hash: `${at}`, maxPriorityFeePerGas: tip, maxFeePerGas: 50n + tip });
      if (pool.refusal(tx, chainNonce) === undefined) pool.add(tx, { chainNonce, height: at });
    } else if (act === "classify") pool.classify(there, kind);
    else if (act === "remove") pool.remove(there);
    else {
      chain.set(sender, chainNonce + 1);
      pool.headChanged(new Map([[sender, chainNonce + 1]]), at);
    }
    const entries = [...pool.entries()];
    if (pool.ordinary !== entries.filter((entry) => entry.kind !== "inference").length) complaints.push(`${at}: count`);
    if (blockOf(pool, readyOf(entries)).join() !== plainBlock(entries, chain).join()) complaints.push(`${at}: block`);
  }
  return complaints;
}

function readyOf(entries: readonly PoolEntry[]): Set<string> {
  return new Set(entries.flatMap(({ kind, transaction: tx }) => (kind === "inference" ? [tx.hash] : [])));
}

/** Of all that could be next the best tip, and of equal ones the first to come, until nothing could be. */
function plainBlock(entries: readonly PoolEntry[], chain: ReadonlyMap<string, number>): string[] {
  const nonces = new Map(chain);
  const block: string[] = [];
  for (;;) {
    const next = entries.filter(({ kind, transaction: tx }) => {
      return kind !== "undetermined" && tx.nonce === (nonces.get(tx.sender) ?? 0);
    });
    next.sort((x, y) => Number(tipOf(y.transaction, 1n) - tipOf(x.transaction, 1n)) || x.seq - y.seq);
    const [best] = next;
    if (best === undefined) return block;
    block.push(best.transaction.hash);
    nonces.set(best.transaction.sender, best.transaction.nonce + 1);
  }
}

it("gives the same block as a plain reading of its rule, whatever was done to it", () => {
  const title = "gives the same block as a plain reading of its rule, whatever was done to it";
  holds(FILE, title, { runs: 500, seconds: 5 }, fc.array(STEP, { maxLength: 40 }), complaintsOf);
});
