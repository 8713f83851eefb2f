import { expect, test } from "vitest";
import type { Commands } from "../../scheduler/engine/commands.ts";
import type { EngineEvent } from "../../scheduler/engine/events.ts";
import { createLiveClock } from "../../scheduler/live/clock.ts";
import type { Batch } from "../../scheduler/live/journal-format.ts";
import { DEFAULT_LIVE_LIMITS, type LiveLimits } from "../../scheduler/live/limits.ts";
import { Loop, type SteppedBatch, type SteppedEngine } from "../../scheduler/live/loop.ts";

/** Answers each `block-committed` with a `committed` of the same height, and wakes when it is told to. */
class EchoEngine implements SteppedEngine {
  wakeUs = Number.POSITIVE_INFINITY;
  readonly stepped: { readonly atUs: number; readonly event: EngineEvent }[] = [];

  step(nowUs: number, event: EngineEvent, out: Commands): void {
    this.stepped.push({ atUs: nowUs, event });
    if (event.kind === "block-committed") out.committed(event.height);
    if (event.kind === "woken") this.wakeUs = Number.POSITIVE_INFINITY;
  }

  nextWakeUs(): number {
    return this.wakeUs;
  }
}

/** A journal whose appends become durable when the test says so. */
class HeldJournal {
  readonly held: { readonly batch: Batch; readonly resolve: () => void; readonly reject: (error: Error) => void }[] =
    [];

  append(batch: Batch): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.held.push({ batch, resolve, reject });
    return promise;
  }
}

function setUp(limits: Partial<LiveLimits> = {}) {
  const engine = new EchoEngine();
  const journal = new HeldJournal();
  const carriedOut: number[] = [];
  const snapshots: number[] = [];
  const failures: Error[] = [];
  const loop = new Loop({
    engine,
    clock: createLiveClock(0),
    limits: { ...DEFAULT_LIVE_LIMITS, ...limits },
    journal,
    firstBatch: 1,
    carryOut: ({ n }: SteppedBatch) => void carriedOut.push(n),
    takeSnapshot: async ({ n }) => void snapshots.push(n),
    failureOf: (cause) => new Error(`over: ${String(cause)}`),
    onFailure: (error) => void failures.push(error),
  });
  return { engine, journal, carriedOut, snapshots, failures, loop };
}

const commit = (height: number): EngineEvent => ({ kind: "block-committed", height });
const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

test("nothing leaves before its batch is durable, also when the next one is stepped meanwhile", async () => {
  const { engine, journal, carriedOut, loop } = setUp();
  const first = loop.ask(commit(1), [], true);
  await turn();
  const second = loop.ask(commit(2), [], true);
  await turn();
  expect(engine.stepped).toHaveLength(2);
  expect(carriedOut).toEqual([]);
  journal.held[0]?.resolve();
  expect(await first).toEqual([{ kind: "committed", height: 1 }]);
  expect(carriedOut).toEqual([1]);
  journal.held[1]?.resolve();
  expect(await second).toEqual([{ kind: "committed", height: 2 }]);
  expect(carriedOut).toEqual([1, 2]);
});

test("who looks at the engine hears nothing that is not durable", async () => {
  const { engine, journal, loop } = setUp();
  loop.reply(commit(1));
  await turn();
  let heard = false;
  const look = loop
    .read(() => engine.stepped.length)
    .then((count) => {
      heard = true;
      return count;
    });
  await turn();
  expect(heard).toBe(false);
  journal.held[0]?.resolve();
  expect(await look).toBe(1);
});

test("a batch has one time, and replies come before messages before requests", async () => {
  const { engine, journal, loop } = setUp();
  void loop.ask({ kind: "withdrawn", hash: "a" }, [], false);
  loop.message({ kind: "node-left", node: "b" }, []);
  loop.reply(commit(3));
  await turn();
  expect(engine.stepped.map(({ event }) => event.kind)).toEqual(["block-committed", "node-left", "withdrawn"]);
  expect(new Set(engine.stepped.map(({ atUs }) => atUs)).size).toBe(1);
  expect(journal.held).toHaveLength(1);
});

test("P11: batches, batches in flight, requests and messages are bounded; requests keep a share of each batch", async () => {
  const { engine, journal, loop } = setUp({
    maxBatchEvents: 8,
    maxBatchesInFlight: 2,
    maxWaitingMessages: 20,
    maxWaitingRequests: 3,
  });
  for (let i = 0; i < 30; i++) loop.message({ kind: "node-left", node: `n${i}` }, []);
  expect(loop.inbox.dropped).toBe(10);
  const asked = Array.from({ length: 5 }, (_, i) => loop.ask({ kind: "withdrawn", hash: `h${i}` }, [], false));
  expect(asked.map((answer) => answer !== undefined)).toEqual([true, true, true, false, false]);
  await turn();
  expect(journal.held.map(({ batch }) => batch.events.length)).toEqual([8, 8]);
  expect(engine.stepped.slice(0, 8).filter(({ event }) => event.kind === "withdrawn")).toHaveLength(2);
  for (const { resolve } of journal.held) resolve();
  await turn();
  expect(engine.stepped).toHaveLength(23);
});

test("a wake-up comes when it is due, once, and is journalled like every event", async () => {
  const { engine, journal, loop } = setUp();
  engine.wakeUs = Date.now() * 1000 + 40_000;
  loop.ring();
  await turn();
  expect(engine.stepped).toHaveLength(0);
  await new Promise((resolve) => setTimeout(resolve, 80));
  expect(engine.stepped.map(({ event }) => event.kind)).toEqual(["woken"]);
  expect(engine.stepped[0]?.atUs).toBeGreaterThanOrEqual(Date.now() * 1000 - 80_000);
  expect(journal.held[0]?.batch.events).toEqual([{ kind: "woken" }]);
});

test("a failed append ends the loop: nothing of it or after it leaves, and everybody is told", async () => {
  const { journal, carriedOut, failures, loop } = setUp();
  const first = loop.ask(commit(1), [], true);
  await turn();
  const second = loop.ask(commit(2), [], true);
  await turn();
  const third = loop.ask(commit(3), [], true);
  journal.held[0]?.reject(new Error("disk full"));
  journal.held[1]?.resolve();
  await expect(first).rejects.toThrow("disk full");
  await expect(second).rejects.toThrow("disk full");
  await expect(third).rejects.toThrow("disk full");
  await expect(loop.ask(commit(4), [], true)).rejects.toThrow("disk full");
  await expect(loop.read(() => 1)).rejects.toThrow("disk full");
  expect(carriedOut).toEqual([]);
  expect(failures.map(({ message }) => message)).toEqual(["over: Error: disk full"]);
});

test("an engine that throws ends the loop, and whoever waits is told", async () => {
  const { engine, failures, loop } = setUp();
  engine.step = () => {
    throw new Error("a bug");
  };
  const answers = [loop.ask(commit(1), [], true), loop.ask(commit(2), [], true)];
  for (const answer of answers) await expect(answer).rejects.toThrow("a bug");
  expect(failures).toHaveLength(1);
});

test("a snapshot is taken when every batch before it is carried out, and before anything is stepped after it", async () => {
  const { engine, journal, carriedOut, snapshots, loop } = setUp({ batchesPerSnapshot: 2 });
  for (let height = 1; height <= 2; height++) {
    loop.reply(commit(height));
    await turn();
  }
  loop.reply(commit(3));
  await turn();
  expect(engine.stepped).toHaveLength(2);
  for (const { resolve } of journal.held) resolve();
  await turn();
  expect(carriedOut).toEqual([1, 2]);
  expect(snapshots).toEqual([2]);
  expect(engine.stepped).toHaveLength(3);
});

test("stopping finishes what was asked", async () => {
  const { journal, carriedOut, loop } = setUp();
  const answer = loop.ask(commit(1), [], true);
  const stopped = loop.stop();
  await turn();
  journal.held[0]?.resolve();
  await stopped;
  expect(await answer).toHaveLength(1);
  loop.reply(commit(2));
  await turn();
  expect(carriedOut).toEqual([1]);
});

test("time goes on from the journal's last, also when the machine's clock was set back", () => {
  const aheadUs = (Date.now() + 3_600_000) * 1000;
  const clock = createLiveClock(aheadUs);
  let lastUs = aheadUs;
  for (let i = 0; i < 1_000; i++) {
    const nowUs = clock.nowUs();
    expect(Number.isSafeInteger(nowUs)).toBe(true);
    expect(nowUs).toBeGreaterThanOrEqual(lastUs);
    lastUs = nowUs;
  }
});
