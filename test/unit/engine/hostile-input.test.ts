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

const OFFER = { model: "m", mode: "vanilla", priceGwei: 10 } as const;

function node(id: string, changes: Partial<NodeTerms> = {}): NodeTerms {
  const base = { key: "", region: "r", hardware: "h", slots: 1, queueLimit: 0, offers: [OFFER] };
  return { id, operator: id, ...base, ...changes };
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
  const optimistic = { ...DEFAULT_CONFIG.optimistic, challengeBlocks: 0 };
  const bench = new Bench({ limits: { ...LIMITS, maxReorgDepth: 2 }, optimistic });
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

test("P11: jobs that wait for a node they can afford do not fill the ordering log meanwhile, and start when it has room", () => {
  const bench = new Bench({ policy: { kind: "fixed", copies: 1 } });
  bench.tell({ kind: "node-joined", node: node("cheap") });
  bench.tell({ kind: "node-joined", node: node("dear", { slots: 64, offers: [{ ...OFFER, priceGwei: 20 }] }) });
  // Without slots it has no room, whatever it lets wait.
  bench.tell({ kind: "node-joined", node: node("none", { slots: 0, queueLimit: 99 }) });
  bench.tell({ kind: "block-opened", height: 1, sealAtUs: 2_000_000 });
  bench.tell({ kind: "deposited", account: "alice", amountGwei: 160 });
  const calls = Array.from({ length: 16 }, (_, index) => ({ ...CALL, digest: `d${index}` }));
  bench.submit({ calls, escrowGwei: 160, ttlBlocks: 1_000 });
  const opened = bench.tell({ kind: "calls-discovered", tx: 0, round: 1, calls });
  bench.tell({ kind: "copy-accepted", copy: 0, node: "cheap" });
  const entries: string[] = [];
  for (const untilUs = bench.nowUs + 10_000_000; bench.engine.nextWakeUs() < untilUs; ) {
    bench.nowUs = bench.engine.nextWakeUs();
    for (const command of bench.tell({ kind: "woken" }))
      if (command.kind === "ordered") entries.push(command.entry.entry);
  }
  expect(opened.filter(({ kind }) => kind === "dispatch")).toHaveLength(1);
  expect(entries).toEqual([]);
  bench.tell({ kind: "copy-failed", copy: 0, node: "cheap", reason: "error" });
  bench.nowUs += 1_000_000;
  const launched = bench.tell({ kind: "woken" }).filter(({ kind }) => kind === "dispatch");
  expect(launched.length + bench.engine.sizes.copies).toBeGreaterThan(0);
});

test.each(["overloaded", "drained", "left"] as const)(
  "a node that takes copies only to give them back (%s) comes to rest",
  (way) => {
    const bench = new Bench({
      policy: { kind: "fixed", copies: 1 },
      races: { ...DEFAULT_CONFIG.races, redundancyFloor: 0 },
    });
    bench.tell({ kind: "node-joined", node: node("sink", { slots: 64 }) });
    bench.tell({ kind: "deposited", account: "alice", amountGwei: 2_000 });
    let rests = 0;
    for (let n = 0; n < 200 && rests === 0; n++) {
      const calls = [{ ...CALL, digest: `d${n}` }];
      const asked = bench.submit({ hash: `t${n}`, calls, escrowGwei: 10 });
      const tx = asked.flatMap((command) => (command.kind === "preExecute" ? [command.transaction.id] : []))[0] ?? -1;
      const opened = bench.tell({ kind: "calls-discovered", tx, round: 1, calls });
      const said: Command[] = [];
      for (const command of opened) {
        if (command.kind !== "dispatch") continue;
        const { id: copy } = command.copy;
        if (way === "left") said.push(...bench.tell({ kind: "node-left", node: "sink" }));
        else said.push(...bench.tell({ kind: "copy-failed", copy, node: "sink", reason: way }));
      }
      said.push(...bench.tell({ kind: "node-joined", node: node("sink", { slots: 64 }) }));
      rests = said.filter(({ kind }) => kind === "alarm").length;
      bench.tell({ kind: "withdrawn", hash: `t${n}` });
    }
    expect(rests).toBeGreaterThan(0);
  },
);

test("P11: models that nodes make up are forgotten with them; one that is offered or raced is not", () => {
  const bench = new Bench();
  bench.tell({ kind: "node-joined", node: node("n") });
  for (let round = 0; round < 50; round++) {
    const offers = Array.from({ length: 256 }, (_, index) => ({ ...OFFER, model: `made-up-${round}-${index}` }));
    bench.tell({ kind: "node-joined", node: node("liar", { offers }) });
  }
  const { fleet } = bench.engine.snapshot();
  expect(fleet.classes.length).toBeLessThanOrEqual(4_096);
  expect(fleet.classes.map(({ model }) => model)).toContain("m");
  expect(fleet.classes.map(({ model }) => model)).toContain("made-up-49-255");
  const restored = Engine.restore(bench.engine.config, JSON.parse(JSON.stringify(bench.engine.snapshot())));
  expect(restored.snapshot()).toEqual(bench.engine.snapshot());
});

test("P11: more models at once than are kept are left out, openly", () => {
  const bench = new Bench();
  const alarms: Command[] = [];
  for (let n = 0; n < 17; n++) {
    const offers = Array.from({ length: 256 }, (_, index) => ({ ...OFFER, model: `model-${n}-${index}` }));
    const said = bench.tell({ kind: "node-joined", node: node(`node-${n}`, { offers }) });
    alarms.push(...said.filter((command) => command.kind === "alarm" && command.alarm.kind === "too-many-models"));
  }
  expect(alarms).toEqual([{ kind: "alarm", alarm: { kind: "too-many-models", node: "node-16", limit: 4_096 } }]);
  const restored = Engine.restore(bench.engine.config, JSON.parse(JSON.stringify(bench.engine.snapshot())));
  expect(restored.snapshot()).toEqual(bench.engine.snapshot());
});
