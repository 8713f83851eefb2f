import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Effect, Logger } from "effect";
import { HistogramLogReader } from "hdr-histogram-js";
import { pino } from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import { SHARD_METRIC_NAMES } from "../../scheduler/cli/shard-meters.ts";
import { HTTP_METRIC_NAMES } from "../../scheduler/http/metrics.ts";
import { startBlockClock } from "../../scheduler/live/block-clock.ts";
import { Latencies, startLatencyLog } from "../../scheduler/live/latency.ts";
import { pinoLogger } from "../../scheduler/live/logger.ts";
import { METRIC_NAMES } from "../../scheduler/live/metrics.ts";
import { PROGRAM } from "../../scheduler/live/program.ts";
import { loadSecret } from "../../scheduler/live/secret.ts";
import { Subscribers } from "../../scheduler/live/subscribers.ts";

let directory = "";
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "pipe-instruments-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

test("latencies are written as an HdrHistogram log that its readers open", async () => {
  const latencies = new Latencies();
  const path = join(directory, "latency.hlog");
  const log = startLatencyLog(path, latencies, () => Date.now(), 20);
  for (let ms = 1; ms <= 100; ms++) latencies.record("job", ms * 1000);
  await pause(50);
  latencies.record("seal", 5_000);
  latencies.record("seal", 1e12);
  await log.close();
  const text = await readFile(path, "utf8");
  expect(text.startsWith("#[Histogram log format version 1.3]")).toBe(true);
  const found = new Map<string, { count: number; p50: number }>();
  const reader = new HistogramLogReader(text);
  for (let h = reader.nextIntervalHistogram(); h !== null; h = reader.nextIntervalHistogram()) {
    found.set(h.tag, { count: h.totalCount, p50: h.getValueAtPercentile(50) });
  }
  expect(found.get("job")?.count).toBe(100);
  expect(found.get("job")?.p50).toBeGreaterThanOrEqual(50_000);
  expect(found.get("job")?.p50).toBeLessThan(50_100);
  expect(found.get("seal")?.count).toBe(2);
  expect(latencies.summary("job")).toMatchObject({ count: 100 });
  expect(latencies.summary("job").p99Ms).toBeCloseTo(99, 0);
});

test("blocks do not drift: each cut-off comes soon after its own time, whatever the one before did", async () => {
  const cutOffs: number[] = [];
  const opened: { height: number; sealAtMs: number }[] = [];
  const clock = startBlockClock({
    intervalMs: 50,
    firstHeight: 5,
    open: (block) => void opened.push(block),
    cutOff: (height) => {
      cutOffs.push(height);
      const untilMs = performance.now() + 20;
      while (performance.now() < untilMs);
    },
  });
  await pause(430);
  clock.stop();
  expect(cutOffs.slice(0, 4)).toEqual([5, 6, 7, 8]);
  const start = opened[0]?.sealAtMs ?? 0;
  for (const { height, sealAtMs } of opened) {
    const intervals = (sealAtMs - start) / 50;
    expect(Math.abs(intervals - Math.round(intervals))).toBeLessThan(1e-6);
    expect(intervals).toBeGreaterThanOrEqual(height - 5);
  }
});

test("Effect's logs come out as pino's JSON lines, with their annotations and from the asked level on", async () => {
  const lines: string[] = [];
  const root = pino(
    { level: "info", base: null, timestamp: false },
    { write: (line: string) => void lines.push(line) },
  );
  const program = Effect.logWarning("a node left").pipe(Effect.annotateLogs({ node: "alder-1" }));
  const quiet = Effect.logDebug("details");
  await Effect.runPromise(Effect.andThen(program, quiet).pipe(Effect.provide(Logger.layer([pinoLogger(root)]))));
  expect(lines.map((line) => JSON.parse(line))).toEqual([{ level: 40, node: "alder-1", msg: "a node left" }]);
});

test("every metric stands in docs/METRICS.md, and nothing else", async () => {
  const text = await readFile(new URL("../../docs/METRICS.md", import.meta.url), "utf8");
  const documented = [...text.matchAll(/^\| `(pipe_[a-z_]+)` \|/gm)].map(([, name]) => name);
  expect(documented.toSorted()).toEqual([...METRIC_NAMES, ...HTTP_METRIC_NAMES, ...SHARD_METRIC_NAMES].toSorted());
});

test("journals name the program with the version that is published", async () => {
  const { name, version } = JSON.parse(await readFile(new URL("../../package.json", import.meta.url), "utf8"));
  expect(PROGRAM).toBe(`${name}/${version}`);
});

test("a secret is made once, and a damaged one is refused", async () => {
  const secret = await loadSecret(directory);
  expect(secret).toHaveLength(32);
  expect(Buffer.from(await loadSecret(directory))).toEqual(Buffer.from(secret));
  await writeFile(join(directory, "secret.key"), "short");
  await expect(loadSecret(directory)).rejects.toThrow("5 bytes instead of 32");
});

test("P11: a follower that stopped listening costs its buffer and no more", async () => {
  const subscribers = new Subscribers({ maxSubscribers: 1, maxWaiting: 3 });
  const slow = subscribers.subscribe();
  expect(subscribers.subscribe()).toBeUndefined();
  for (let height = 0; height < 1_000; height++) subscribers.publish({ kind: "committed", height });
  expect((await slow?.next())?.value).toEqual({ kind: "committed", height: 0 });
  subscribers.publish({ kind: "committed", height: 1_000 });
  const rest: unknown[] = [];
  for (let i = 0; i < 3; i++) rest.push((await slow?.next())?.value);
  expect(rest).toEqual([
    { kind: "committed", height: 1 },
    { kind: "committed", height: 2 },
    { kind: "lagged", missed: 998 },
  ]);
  subscribers.publish({ kind: "committed", height: 1_001 });
  subscribers.close();
  expect(await slow?.next()).toEqual({ done: false, value: { kind: "committed", height: 1_001 } });
  expect(await slow?.next()).toEqual({ done: true, value: undefined });
});
