import { describe, expect, it } from "vitest";
import { Engine } from "../../../scheduler/engine/engine.ts";
import { Starts } from "../../../scheduler/engine/starts.ts";
import type { Copy } from "../../../scheduler/engine/race.ts";
import { NEVER } from "../../../scheduler/shared/vocabulary.ts";
import { Bench } from "./bench.ts";

type Waiting = Pick<Copy, "executing" | "startedUs"> & { executing: boolean; startedUs: number };

function waiting(): Waiting & Copy {
  return { executing: true, startedUs: NEVER } as Waiting & Copy;
}

function ended(starts: Starts, copy: Waiting & Copy, slots = 1, nowUs = 1): void {
  starts.release(copy, slots, nowUs);
  copy.executing = false;
}

describe("copies that wait on a node", () => {
  it("start when it registers again with more slots, before those that come later", () => {
    const starts = new Starts();
    const [first, second, third] = [waiting(), waiting(), waiting()];
    for (const copy of [first, second]) starts.take(copy, 1, 0);
    starts.fill(2, 5);
    starts.take(third, 2, 6);
    expect([first.startedUs, second.startedUs, third.startedUs]).toEqual([0, 5, NEVER]);
  });

  // A node that sits on one copy for the length of its lease had everything kept that was sent to it and cancelled meanwhile.
  it("are forgotten when they are cancelled, however long the one that runs takes", () => {
    const starts = new Starts();
    starts.take(waiting(), 1, 0);
    for (let sent = 0; sent < 10_000; sent++) {
      const copy = waiting();
      starts.take(copy, 1, sent);
      ended(starts, copy);
    }
    const last = waiting();
    starts.take(last, 1, 0);
    expect(starts.kept).toBeLessThan(100);
    expect(starts.line).toEqual([last]);
  });

  // Handles are used again, last come first: of two copies of one moment the later one may have the smaller handle.
  it("start in the order of their launch after a restart, too", () => {
    const bench = new Bench({ policy: { kind: "fixed", copies: 1 }, nodes: [], races: { redundancyFloor: 0 } });
    bench.join("a", { slots: 1, queueLimit: 8 });
    const race = (nonce: number) => bench.race({ nonce, ttlBlocks: 100 });
    for (const copy of [0, 1, 2, 3].flatMap(race)) bench.win(copy);
    const [running] = [4, 5, 6, 7].flatMap(race);
    if (running === undefined) throw new Error("no copy was sent");
    const restored = Engine.restore(bench.engine.config, again(bench.engine.snapshot()));
    const wentOn = bench.engine;
    for (const engine of [restored, wentOn]) {
      bench.engine = engine;
      bench.win(running);
    }
    expect(again(restored.snapshot())).toEqual(again(wentOn.snapshot()));
  });
});

function again<T>(plain: T): T {
  return JSON.parse(JSON.stringify(plain)) as T;
}
