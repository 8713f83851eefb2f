import { describe, expect, it } from "vitest";
import { KaplanMeier } from "../../../policies/index.ts";
import { DEFAULT_CONFIG } from "../../../scheduler/engine/config.ts";
import { Engine } from "../../../scheduler/engine/engine.ts";
import type { EngineEvent } from "../../../scheduler/engine/events.ts";
import { Recorder } from "../../../scheduler/engine/recorder.ts";
import { call, node } from "./bench.ts";

const CALL = call("d");

function transaction(hash: string): EngineEvent {
  const terms = { hash, sender: "alice", nonce: 0, gasPriceGwei: 0, ttlBlocks: 10, escrowGwei: 10, calls: [CALL] };
  return { kind: "submitted", transaction: terms };
}

function engineWith(events: readonly EngineEvent[]) {
  const races = { ...DEFAULT_CONFIG.races, maxNodes: 1, redundancyFloor: 1 };
  const engine = new Engine({ ...DEFAULT_CONFIG, races, policy: { kind: "fixed", copies: 1 } });
  const recorder = new Recorder();
  for (const event of events) engine.step(1_000_000, event, recorder);
  return { engine, recorder };
}

const RACING: readonly EngineEvent[] = [
  { kind: "node-joined", node: node("a") },
  { kind: "deposited", account: "alice", amountGwei: 100 },
  transaction("t"),
  { kind: "calls-discovered", tx: 0, round: 1, calls: [CALL] },
];

describe("a node that left", () => {
  it("is not forgotten while a race remembers a copy on it, so that a snapshot can name it", () => {
    const { engine, recorder } = engineWith([
      ...RACING,
      { kind: "copy-answered", copy: 0, node: "a", outputHash: "o", answerHash: "h" },
      { kind: "node-left", node: "a" },
      { kind: "node-joined", node: node("b") },
    ]);
    expect(recorder.take()).toContainEqual({ kind: "alarm", alarm: { kind: "fleet-full", node: "b", limit: 1 } });
    const restored = Engine.restore(engine.config, JSON.parse(JSON.stringify(engine.snapshot())));
    expect(restored.snapshot()).toEqual(engine.snapshot());
  });

  it("is forgotten when its last race is over", () => {
    const { engine } = engineWith([
      ...RACING,
      { kind: "node-left", node: "a" },
      { kind: "withdrawn", hash: "t" },
      { kind: "node-joined", node: node("b") },
    ]);
    expect(engine.snapshot().fleet.nodes.map(({ id }) => id)).toEqual(["b"]);
  });
});

describe("what is known of durations", () => {
  it("ends with the longest observation, also where that one was cut off", () => {
    const times = new KaplanMeier();
    times.ended(1_000_000);
    times.censored(2_000_000);
    // Half of them for a second, half for two, within the 8 % of a bucket.
    expect(times.meanUs()).toBeGreaterThan(1_350_000);
    expect(times.meanUs()).toBeLessThan(1_650_000);
  });

  it("is nothing as long as every copy was cut off, for a running job as for one that is not launched (P14)", () => {
    const { engine } = engineWith([
      ...RACING,
      { kind: "withdrawn", hash: "t" },
      transaction("t2"),
      { kind: "calls-discovered", tx: 2 ** 22, round: 1, calls: [CALL] },
    ]);
    expect(engine.status("t2")?.state).toBe("racing");
    expect(engine.estimate("t2", 1_000_000).every(({ probability }) => probability === 1)).toBe(true);
  });
});
