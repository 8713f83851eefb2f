import { expect, test } from "vitest";
import { DEFAULT_CONFIG, type EngineConfig } from "../../../scheduler/engine/config.ts";
import { Engine } from "../../../scheduler/engine/engine.ts";
import type { EngineEvent } from "../../../scheduler/engine/events.ts";
import { type Command, Recorder } from "../../../scheduler/engine/recorder.ts";
import type { CallTerms, NodeTerms, TransactionTerms } from "../../../scheduler/shared/vocabulary.ts";

/** What a hostile user, node or producer may tell the engine: it refuses, forgets, or goes on, and never grows. */

const LIMITS = DEFAULT_CONFIG.limits;

class Bench {
  readonly engine: Engine;
  nowUs = 1_000_000;
  readonly #recorder = new Recorder();

  constructor(config: Partial<EngineConfig> = {}) {
    this.engine = new Engine({ ...DEFAULT_CONFIG, ...config });
  }

  tell(event: EngineEvent): Command[] {
    this.engine.step(this.nowUs, event, this.#recorder);
    return this.#recorder.take();
  }

  submit(changes: Partial<TransactionTerms>): Command[] {
    return this.tell({ kind: "submitted", transaction: { ...ORDINARY, ...changes } });
  }
}

const ORDINARY: TransactionTerms = {
  hash: "t",
  sender: "alice",
  nonce: 0,
  gasPriceGwei: 0,
  ttlBlocks: 10,
  escrowGwei: 0,
  calls: [],
};

const CALL: CallTerms = {
  model: "m",
  mode: "vanilla",
  digest: "d",
  inputHash: "i",
  tokensIn: 1,
  tokensOut: 1,
  maxFeeGwei: 10,
  conflict: { kind: "first-valid" },
  validityBlocks: 8,
};

function node(id: string, changes: Partial<NodeTerms> = {}): NodeTerms {
  const offers = [{ model: "m", mode: "vanilla", priceGwei: 10 }] as const;
  return { id, key: "", operator: id, region: "r", hardware: "h", slots: 1, queueLimit: 0, offers, ...changes };
}

function rejections(commands: readonly Command[]) {
  return commands.flatMap((command) => (command.kind === "rejected" ? [command.rejection] : []));
}

test("P11: senders without a deposit cannot use up the accounts: beyond the limit they are refused, and made-up ones end", () => {
  const bench = new Bench({ limits: { ...LIMITS, maxAccounts: 2 } });
  bench.tell({ kind: "block-opened", height: 1, sealAtUs: 2_000_000 });
  expect(rejections(bench.submit({ hash: "a", sender: "a", ttlBlocks: 1 }))).toEqual([]);
  expect(rejections(bench.submit({ hash: "b", sender: "b", ttlBlocks: 1 }))).toEqual([]);
  expect(rejections(bench.submit({ hash: "c", sender: "c" }))).toEqual([{ reason: "too-many-accounts", limit: 2 }]);
  bench.tell({ kind: "block-opened", height: 2, sealAtUs: 3_000_000 });
  expect(rejections(bench.submit({ hash: "c", sender: "c" }))).toEqual([]);
  expect(bench.engine.account("a")).toBeUndefined();
});

test("a transaction at no gas price is replaced by one that offers more, not again and again by one that does not", () => {
  const bench = new Bench();
  bench.submit({ hash: "first" });
  expect(rejections(bench.submit({ hash: "second" }))).toEqual([
    { reason: "underpriced-replacement", minimumGasPriceGwei: 1 },
  ]);
  expect(rejections(bench.submit({ hash: "third", gasPriceGwei: 1 }))).toEqual([]);
});

test("P11: committing a block commits those before it, so that no early one keeps all later ones from being final", () => {
  const bench = new Bench({ limits: { ...LIMITS, maxReorgDepth: 2 } });
  const seal = (height: number): void => {
    bench.tell({ kind: "block-opened", height, sealAtUs: bench.nowUs });
    bench.tell({ kind: "seal-requested", height, maxTransactions: 10, order: "arrival" });
  };
  seal(1);
  seal(2);
  const committed = bench.tell({ kind: "block-committed", height: 2 });
  expect(committed.filter(({ kind }) => kind === "committed")).toEqual([
    { kind: "committed", height: 1 },
    { kind: "committed", height: 2 },
  ]);
  expect(bench.tell({ kind: "block-committed", height: 1 })).toEqual([]);
  for (let height = 3; height < 40; height++) {
    seal(height);
    bench.tell({ kind: "block-committed", height });
  }
  expect(bench.engine.snapshot().blocks.sealed).toHaveLength(2);
});

test("P8: with every node gone a transaction enters the slow lane and is refunded when its time is over", () => {
  const bench = new Bench();
  bench.tell({ kind: "node-joined", node: node("n") });
  bench.tell({ kind: "deposited", account: "alice", amountGwei: 10 });
  bench.tell({ kind: "block-opened", height: 1, sealAtUs: 2_000_000 });
  bench.submit({ calls: [CALL], escrowGwei: 10, ttlBlocks: 2 });
  bench.tell({ kind: "calls-discovered", tx: 0, round: 1, calls: [CALL] });
  bench.tell({ kind: "node-left", node: "n" });
  expect(bench.engine.status("t")?.lane).toBe("slow");
  bench.tell({ kind: "block-opened", height: 1 + 2 ** 40, sealAtUs: 3_000_000 });
  expect(bench.engine.status("t")).toBeUndefined();
  expect(bench.engine.account("alice")?.depositGwei).toBe(10);
  expect(bench.engine.nextWakeUs()).toBe(Number.MAX_SAFE_INTEGER);
});
