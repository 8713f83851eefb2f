import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Credits, type CreditTerms } from "../../../scheduler/live/verify-credits.ts";
import { FairQueue } from "../../../scheduler/live/verify-queue.ts";

const TERMS: CreditTerms = { fullUs: 10_000, refillUsPerSecond: 20_000, maxDebtUs: 50_000, maxRemembered: 8 };

interface Item {
  readonly node: string;
  readonly costUs: number;
  readonly n: number;
}

/** A queue on a clock that the test sets. */
function queueAt(clock: { us: number }, terms: Partial<CreditTerms> = {}) {
  const nowUs = () => clock.us;
  const credits = new Credits({ ...TERMS, ...terms }, nowUs);
  return { credits, queue: new FairQueue<Item>({ credits, quantumUs: 100, idleUsPerSecond: 50_000, nowUs }) };
}

/** Takes all that there is to take now, and gives back what each cost, as for valid proofs. */
function serveValid({ queue, credits }: ReturnType<typeof queueAt>): Item[] {
  const served: Item[] = [];
  for (let item = queue.take(); item !== undefined; item = queue.take()) {
    served.push(item);
    credits.charge(item.node, -item.costUs);
  }
  return served;
}

describe("credit", () => {
  it("comes back with time, never beyond full, and debt has an end", () => {
    const clock = { us: 0 };
    const { credits } = queueAt(clock);
    expect(credits.balanceUs("a")).toBe(10_000);
    credits.charge("a", 4_000);
    expect(credits.balanceUs("a")).toBe(6_000);
    clock.us = 100_000;
    expect(credits.balanceUs("a")).toBe(8_000);
    clock.us = 1e9;
    expect(credits.balanceUs("a")).toBe(10_000);
    credits.charge("a", 1e9);
    expect(credits.balanceUs("a")).toBe(-50_000);
    expect(credits.has("a")).toBe(false);
  });

  it("is remembered only where some is missing, and for so many nodes (P11)", () => {
    const clock = { us: 0 };
    const { credits } = queueAt(clock);
    for (let i = 0; i < 1_000; i++) {
      clock.us += 1;
      credits.charge(`node-${i}`, 20_000);
    }
    expect(credits.size).toBe(8);
    expect(credits.has("node-999")).toBe(false);
    credits.charge("honest", 100);
    credits.charge("honest", -100);
    expect(credits.size).toBe(7);
  });
});

describe("the queue", () => {
  it("gives turns, so that one who sends much waits for itself", () => {
    const rig = queueAt({ us: 0 }, { fullUs: 1e9 });
    for (let n = 0; n < 100; n++) rig.queue.push({ node: "much", costUs: 100, n });
    for (let n = 0; n < 2; n++) rig.queue.push({ node: "little", costUs: 100, n });
    const served = serveValid(rig);
    expect(served.slice(0, 5).map(({ node }) => node)).toEqual(["much", "little", "much", "little", "much"]);
    expect(served).toHaveLength(102);
  });

  it("measures turns in time, not in numbers", () => {
    const rig = queueAt({ us: 0 }, { fullUs: 1e9 });
    for (let n = 0; n < 50; n++) rig.queue.push({ node: "dear", costUs: 100, n });
    for (let n = 0; n < 200; n++) rig.queue.push({ node: "cheap", costUs: 25, n });
    const served = serveValid(rig).slice(0, 50);
    expect(served.filter(({ node }) => node === "dear")).toHaveLength(10);
  });

  it("leaves nodes without credit what nobody wants, and of that a small share", () => {
    const clock = { us: 0 };
    const { queue } = queueAt(clock, { refillUsPerSecond: 1 });
    const costUs = 100;
    for (let n = 0; n < 10_000; n++) queue.push({ node: "junk", costUs, n });
    let junk = 0;
    // A worker for ten seconds; none of the junk is valid, so that its credit is gone after 10 ms of it.
    for (; clock.us < 10e6; clock.us += costUs) if ((queue.take() ?? queue.takeIdle()) !== undefined) junk += 1;
    // A hundred on credit; then 50 ms of each second's time.
    expect(junk).toBeGreaterThanOrEqual(100 + 10 * 490);
    expect(junk).toBeLessThanOrEqual(102 + 10 * 501);
    queue.push({ node: "honest", costUs, n: 0 });
    expect(queue.take()?.node).toBe("honest");
    expect(queue.take()).toBeUndefined();
  });

  it("lets a node stand with the others again when it has got credit back", () => {
    const clock = { us: 0 };
    const { queue, credits } = queueAt(clock);
    credits.charge("late", 11_000);
    for (let n = 0; n < 2; n++) queue.push({ node: "late", costUs: 100, n });
    expect(queue.hasFunded).toBe(false);
    expect(queue.take()).toBeUndefined();
    clock.us += 60_000;
    expect(queue.hasFunded).toBe(true);
    expect(queue.take()).toMatchObject({ node: "late", n: 0 });
  });

  it("puts back in front, and gives back what that cost", () => {
    const { queue, credits } = queueAt({ us: 0 });
    for (let n = 0; n < 3; n++) queue.push({ node: "a", costUs: 100, n });
    const [first, second] = [queue.take() as Item, queue.take() as Item];
    queue.putBack(second);
    queue.putBack(first);
    expect(credits.balanceUs("a")).toBe(10_000);
    expect([queue.take()?.n, queue.take()?.n, queue.take()?.n]).toEqual([0, 1, 2]);
  });

  it("serves everything once, each node's in order, and lets nobody wait for more than the others' turns", () => {
    const push = fc.record({ node: fc.integer({ min: 0, max: 5 }), costUs: fc.integer({ min: 1, max: 100 }) });
    fc.assert(
      fc.property(fc.array(push, { maxLength: 200 }), (pushes) => {
        const rig = queueAt({ us: 0 }, { fullUs: 1e9 });
        for (const [n, { node, costUs }] of pushes.entries()) rig.queue.push({ node: `node-${node}`, costUs, n });
        expect(rig.queue.length).toBe(pushes.length);
        const served = serveValid(rig);
        expect(rig.queue.length).toBe(0);
        for (let index = 0; index <= 5; index++) {
          const node = `node-${index}`;
          const own = served.filter((item) => item.node === node).map(({ n }) => n);
          expect(own).toEqual([...pushes.entries()].flatMap(([n, one]) => (one.node === index ? [n] : [])));
          // Between two of its own it sees at most two turns of each other node.
          let othersUs = 0;
          for (const item of served.slice(
            0,
            served.findLastIndex((one) => one.node === node),
          )) {
            othersUs = item.node === node ? 0 : othersUs + item.costUs;
            expect(othersUs).toBeLessThanOrEqual(5 * 2 * 100);
          }
        }
      }),
    );
  });
});

describe("a flood", () => {
  /** One worker as a queueing model: seven honest nodes with an answer every 2 ms, and one with junk. The honest waits, sorted. */
  function honestWaits(junkPerSecond: number): readonly number[] {
    const clock = { us: 0 };
    const { queue, credits } = queueAt(clock, { fullUs: 500_000, maxDebtUs: 10_000_000 });
    const waits: number[] = [];
    const arrivedUs: number[] = [];
    let [honestUs, junkUs] = [0, junkPerSecond > 0 ? 0 : Number.POSITIVE_INFINITY];
    while (clock.us < 20e6) {
      for (; honestUs <= clock.us; honestUs += 2_003) {
        queue.push({ node: `honest-${arrivedUs.length % 7}`, costUs: 100, n: arrivedUs.length });
        arrivedUs.push(honestUs);
      }
      // As in the pool: only so much of one node waits.
      for (; junkUs <= clock.us; junkUs += 1e6 / junkPerSecond)
        if (queue.lengthOf("junk") < 256) queue.push({ node: "junk", costUs: 100, n: -1 });
      const item = queue.take() ?? queue.takeIdle();
      if (item === undefined) clock.us = Math.min(honestUs, junkUs);
      else {
        clock.us += 100;
        if (item.n < 0) continue;
        waits.push(clock.us - (arrivedUs[item.n] ?? 0));
        credits.charge(item.node, -item.costUs);
      }
    }
    return waits.toSorted((a, b) => a - b);
  }

  it.each([1_000, 10_000, 100_000])("of %i junk proofs per second does not double the honest p99", (junkPerSecond) => {
    const [quiet, flooded] = [honestWaits(0), honestWaits(junkPerSecond)];
    expect(Math.abs(flooded.length - quiet.length)).toBeLessThanOrEqual(1);
    const p99 = (waits: readonly number[]) => waits[Math.floor(waits.length * 0.99)] ?? 0;
    expect(p99(flooded)).toBeGreaterThan(0);
    expect(p99(flooded)).toBeLessThanOrEqual(2 * p99(quiet));
  });
});
