import { LifeDriver } from "./engine-lives.ts";
import type { Figure } from "./figure.ts";

/**
 * The engine alone, on one core. A life: submission, discovery, two copies dispatched and accepted, an answer, its verdict,
 * the straggler's Cancel, stitching, sealing, commit. Each figure is the median of several rounds, with a ratio where one
 * is asked for: the ratio is measured in one run, so that a slow machine slows both sides.
 */
export function engineFigures(): Figure[] {
  return [...livesPerSecond(), ...heapPerPendingJob(), ...costAtPending(), ...sealAtPending()];
}

const NODES = 10;
const ROUND = 1_000;
/** Fifty rounds fill the window of blocks that a reorg could take back, so that each window pays for what it lets go. */
const WINDOW_ROUNDS = 50;
const WINDOWS = 9;

/** Windows of rounds, collections of garbage included. The best window shows what the machine can do when it is left alone. */
function livesPerSecond(): Figure[] {
  const driver = new LifeDriver({ nodes: NODES, senders: 2_000 });
  driver.openBlock();
  for (let round = 0; round < 100; round++) liveRound(driver);
  const before = driver.events;
  const rates = Array.from({ length: WINDOWS }, () => {
    let seconds = 0;
    for (let round = 0; round < WINDOW_ROUNDS; round++) seconds += liveRound(driver);
    return (WINDOW_ROUNDS * ROUND) / seconds;
  });
  const eventsPerLife = (driver.events - before) / (WINDOWS * WINDOW_ROUNDS * ROUND);
  const best = Math.max(...rates);
  return [
    { name: "engine: job lives, best window", value: best, unit: "/s", target: "≥ 200,000", met: best >= 200_000 },
    { name: "engine: job lives, median window", value: median(rates), unit: "/s" },
    { name: "engine: events, best window", value: best * eventsPerLife, unit: "/s" },
  ];
}

/** Seconds of one round of lives, without what the edge does to prepare the transactions. */
function liveRound(driver: LifeDriver): number {
  const transactions = driver.prepare(ROUND);
  return timed(() => {
    const launched = transactions.map((transaction) => driver.launch(transaction));
    for (const one of launched) driver.finish(one);
    driver.sealAndCommit();
    driver.openBlock();
  });
}

function heapPerPendingJob(): Figure[] {
  const pending = 100_000;
  const driver = new LifeDriver({ nodes: NODES, senders: 2_000 });
  driver.openBlock();
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  for (const transaction of driver.prepare(pending)) driver.launch(transaction);
  collectGarbage();
  const bytes = (process.memoryUsage().heapUsed - before) / pending;
  if (driver.engine.sizes.pending !== pending) throw new Error("not all are pending");
  return [{ name: "engine: heap per pending job", value: bytes, unit: "B", target: "≤ 2,048", met: bytes <= 2_048 }];
}

/** Lives among 1,000 and among 100,000 pending jobs, in alternation. */
function costAtPending(): Figure[] {
  const few = driverWithPending(1_000);
  const many = driverWithPending(100_000);
  for (let round = 0; round < 40; round++) for (const driver of [few, many]) liveRound(driver);
  const ratios: number[] = [];
  const costs: number[] = [];
  for (let round = 0; round < 60; round++) {
    const small = timedRound(few);
    const large = timedRound(many);
    costs.push(large);
    ratios.push(large / small);
  }
  return [
    { name: "engine: cost per event among 100,000 pending", value: median(costs) * 1e9, unit: "ns" },
    ratioFigure("engine: cost per event, 100,000 against 1,000 pending", median(ratios), 1.5),
  ];
}

function timedRound(driver: LifeDriver): number {
  const before = driver.events;
  const seconds = liveRound(driver);
  return seconds / (driver.events - before);
}

/** Seals 1,000 ready transactions among 1,000 and among 100,000 that still race. */
function sealAtPending(): Figure[] {
  const few = driverWithPending(1_000);
  const many = driverWithPending(100_000);
  for (let round = 0; round < 20; round++) for (const driver of [few, many]) sealRound(driver);
  const ratios: number[] = [];
  const times: number[] = [];
  for (let round = 0; round < 60; round++) {
    const small = sealRound(few);
    const large = sealRound(many);
    times.push(large);
    ratios.push(large / small);
  }
  const worst = Math.max(...times) * 1e3;
  return [
    {
      name: "seal of 1,000 among 100,000 pending, median",
      value: median(times) * 1e3,
      unit: "ms",
      target: "< 10",
      met: median(times) < 0.01,
    },
    { name: "seal of 1,000 among 100,000 pending, worst of 60", value: worst, unit: "ms" },
    ratioFigure("seal of 1,000, 100,000 against 1,000 pending", median(ratios), 1.3),
  ];
}

function sealRound(driver: LifeDriver): number {
  const launched = driver.prepare(ROUND).map((transaction) => driver.launch(transaction));
  for (const one of launched) driver.finish(one);
  const before = driver.sink.sealedTransactions;
  const seconds = timed(() => driver.seal());
  if (driver.sink.sealedTransactions - before !== ROUND) throw new Error("the block does not carry all that was ready");
  driver.commit();
  driver.openBlock();
  return seconds;
}

/** A driver whose first senders have this many jobs that stay pending; the other senders go on submitting. */
function driverWithPending(pending: number): LifeDriver {
  const driver = new LifeDriver({ nodes: NODES, senders: 4_000 });
  driver.openBlock();
  driver.useSenders(0, 1_999);
  for (const transaction of driver.prepare(pending)) driver.launch(transaction);
  driver.useSenders(2_000, 3_999);
  return driver;
}

function ratioFigure(name: string, value: number, limit: number): Figure {
  return { name, value, unit: "×", target: `≤ ${limit}`, met: value <= limit };
}

function timed(work: () => void): number {
  const before = process.hrtime.bigint();
  work();
  return Number(process.hrtime.bigint() - before) / 1e9;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] as number;
}

function collectGarbage(): void {
  if (globalThis.gc === undefined) throw new Error("run with --expose-gc");
  globalThis.gc();
  globalThis.gc();
}
