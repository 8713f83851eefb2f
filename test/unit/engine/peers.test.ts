import { describe, expect, it } from "vitest";
import { DEFAULTS, type LeafSpec } from "../../../policies/index.ts";
import type { CopyView } from "../../../scheduler/engine/commands.ts";
import { Engine } from "../../../scheduler/engine/engine.ts";
import { Bench, dispatched } from "./bench.ts";

const POLICIES: readonly LeafSpec[] = [
  { ...DEFAULTS["grpc-hedging"], maxTokens: 2, pushbackMs: 100 },
  { ...DEFAULTS.finagle, maxExtraLoad: 0.2, minRetriesPerSec: 1 },
  { ...DEFAULTS.cassandra, retry: "75p", timeoutMs: 1_000 },
  { ...DEFAULTS.envoy, perTryTimeoutMs: 400, numRetries: 2, minRetryConcurrency: 1 },
  { ...DEFAULTS.spark, stageJobs: 5, multiplier: 1 },
  DEFAULTS.mantri,
  { kind: "single-r", budget: 0.5, deadlineMs: 900 },
];

/** A bench, and the commands that came of what it was told. */
class Told {
  readonly bench: Bench;
  readonly commands: string[] = [];
  readonly running: CopyView[] = [];
  #nonce = 0;
  #height = 1;

  constructor(policy: LeafSpec) {
    this.bench = new Bench({ policy, nodes: ["a", "b", "c", "d", "e"] });
  }

  note(commands: Parameters<typeof dispatched>[0]): void {
    this.running.push(...dispatched(commands));
    this.commands.push(JSON.stringify(commands, (key, value) => (key === "race" ? undefined : value)));
  }

  /** The transaction is carried by a block, so that a sender may have many. */
  #nextBlock(hash: string): void {
    const { bench } = this;
    this.note(bench.complete(hash));
    this.note(bench.seal(this.#height));
    this.note(bench.commit(this.#height));
    // The block after the time that went by.
    this.#height += 1;
    this.note(bench.tell({ kind: "block-opened", height: this.#height, sealAtUs: bench.nowUs + 500_000 }));
  }

  /** Races that take longer and longer, of which some fail on the way. */
  live(rounds: number): void {
    const { bench, running } = this;
    for (let round = 0; round < rounds; round++) {
      running.length = 0;
      running.push(...bench.race({ nonce: this.#nonce }));
      this.note(bench.wait(150));
      if (round % 3 === 1 && running[0] !== undefined) this.note(bench.fail(running[0]));
      this.note(bench.wait(100 * (1 + (round % 7))));
      const last = running.at(-1);
      if (last !== undefined) this.note(bench.win(last));
      this.note(bench.wait(700));
      this.#nextBlock(`alice/${this.#nonce++}`);
    }
  }
}

describe("a policy that remembers, in the engine", () => {
  it.each(POLICIES)("decides the same from a snapshot as if nothing had been: $kind", (policy) => {
    const [plain, restored] = [new Told(policy), new Told(policy)];
    for (let part = 0; part < 4; part++) {
      plain.live(9);
      restored.live(9);
      const { bench } = restored;
      bench.engine = Engine.restore(bench.engine.config, JSON.parse(JSON.stringify(bench.engine.snapshot())));
      expect(bench.engine.snapshot()).toEqual(plain.bench.engine.snapshot());
    }
    expect(restored.commands).toEqual(plain.commands);
  });

  it.each(POLICIES.filter(({ kind }) => kind !== "mantri" && kind !== "single-r"))(
    "has its memory in the snapshot, with the class that it is of: $kind",
    (policy) => {
      const told = new Told(policy);
      told.live(3);
      const { policies } = told.bench.engine.snapshot().races;
      expect(policies.memories).toMatchObject([{ policy, model: "m", mode: "vanilla" }]);
    },
  );

  it.each(POLICIES)("launches a further copy sooner or later: $kind", (policy) => {
    const told = new Told(policy);
    told.live(36);
    expect(told.bench.engine.counters.speculativeCopies).toBeGreaterThan(0);
  });
});
