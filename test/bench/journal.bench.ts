/**
 * How many events per second the journal takes with an fsync per batch, and what the time goes to. Batches are appended one
 * after the other (each waits for its own fsync: the floor), and four at a time (as the live loop does: group commit). And how
 * long a restart takes: with snapshots it must not grow with the journal.
 */
import { hash } from "node:crypto";
import { mkdtemp, open, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { EngineEvent } from "../../scheduler/engine/events.ts";
import { replayJournal } from "../../scheduler/live/journal-replay.ts";
import { digestCommands } from "../../scheduler/live/journal-format.ts";
import { DEFAULT_JOURNAL_LIMITS, type JournalOptions, openJournal } from "../../scheduler/live/journal.ts";
import type { Figure } from "./figure.ts";

const TARGET_EVENTS_PER_SECOND = 50_000;
const BATCH_EVENTS = 2_048;
const BATCHES = 150;
const hex = (seed: number) => hash("sha256", String(seed), "hex");

/** Transactions, answers, verdicts and progress, as a race brings them: a transaction to each nine other events. */
function eventOf(i: number): EngineEvent {
  const node = `node-${i % 50}`;
  switch (i % 10) {
    case 0:
      return { kind: "submitted", transaction: transactionOf(i) };
    case 1:
    case 2:
      return { kind: "copy-answered", copy: i, node, outputHash: hex(i), answerHash: hex(i + 1) };
    case 3:
    case 4:
      return { kind: "verdict", copy: i, accepted: true, reason: "" };
    case 5:
    case 6:
      return { kind: "copy-accepted", copy: i, node };
    default:
      return { kind: "copy-progressed", copy: i, node, tokens: i % 512 };
  }
}

function transactionOf(i: number) {
  const terms = { model: "llama-70b", mode: "vanilla", tokensIn: 200, tokensOut: 256, maxFeeGwei: 900_000 } as const;
  const rest = {
    digest: hex(i),
    inputHash: hex(i + 1),
    conflict: { kind: "first-valid" },
    validityBlocks: 20,
  } as const;
  const call = { ...terms, ...rest };
  const account = { hash: hex(i + 2), sender: `0x${hex(i + 3).slice(0, 40)}`, nonce: i };
  return { ...account, gasPriceGwei: 30, ttlBlocks: 20, escrowGwei: 900_000, calls: [call] };
}

const batches = Array.from({ length: 10 }, (_, b) =>
  Array.from({ length: BATCH_EVENTS }, (_, i) => eventOf(b * 7 + i)),
);
const commands = batches.map((events) => events.map((_, i) => ({ kind: "committed", height: i })));
const digests = commands.map(digestCommands);

async function append(directory: string, inFlight: number) {
  const options = { directory, program: "bench", chainId: "1", config: {}, nowUs: 0, limits: DEFAULT_JOURNAL_LIMITS };
  const { journal } = await openJournal({ ...options, retainAll: true });
  const latenciesMs: number[] = [];
  const startedMs = performance.now();
  const appendAll = async () => {
    while (journal.nextBatch <= BATCHES) {
      const n = journal.nextBatch;
      const [events = [], digest = ""] = [batches[n % 10], digests[n % 10]];
      const beganMs = performance.now();
      await journal.append({ n, atUs: n, events, commands: BATCH_EVENTS, digest });
      latenciesMs.push(performance.now() - beganMs);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, appendAll));
  const elapsedMs = performance.now() - startedMs;
  const fsyncs = journal.fsyncs;
  await journal.close({ atUs: BATCHES });
  latenciesMs.sort((a, b) => a - b);
  const eventsPerSecond = Math.round((BATCHES * BATCH_EVENTS * 1_000) / elapsedMs);
  return {
    inFlight,
    eventsPerSecond,
    fsyncs,
    medianMs: round(latenciesMs[BATCHES >> 1]),
    worstMs: round(latenciesMs.at(-1)),
  };
}

/** Microseconds per event of each part alone, over the same bytes. */
async function parts(directory: string) {
  const repeated = Array.from({ length: 3 }, () => batches).flat();
  const perEvent = (elapsedMs: number) => round((elapsedMs * 1_000) / (repeated.length * BATCH_EVENTS));
  let texts: Buffer[] = [];
  const stringifyMs = timed(() => {
    texts = repeated.map((events) => Buffer.from(JSON.stringify(events)));
  });
  const hashMs = timed(() => {
    for (const text of texts) hash("sha256", text, "hex");
  });
  const handle = await open(join(directory, "raw"), "w");
  const startedMs = performance.now();
  for (const text of texts) {
    await handle.write(text);
    await handle.datasync();
  }
  const writeUs = perEvent(performance.now() - startedMs);
  await handle.close();
  const bytes = texts.reduce((sum, { length }) => sum + length, 0) / (repeated.length * BATCH_EVENTS);
  return {
    bytesPerEvent: Math.round(bytes),
    stringifyUs: perEvent(stringifyMs),
    hashUs: perEvent(hashMs),
    writeAndFsyncUs: writeUs,
  };
}

/** Six batches fill a segment, so that a journal of one segment and one of twenty end alike. */
const RESTART_LIMITS = { ...DEFAULT_JOURNAL_LIMITS, maxSegmentBytes: 1_500_000 };
const BATCHES_PER_SEGMENT = 6;

/** Opens a journal of so many full segments, with snapshots two and four batches before its end, and reads what follows. */
async function restart(directory: string, segments: number) {
  const options: JournalOptions = {
    directory,
    program: "bench",
    chainId: "1",
    config: {},
    nowUs: 0,
    limits: RESTART_LIMITS,
    retainAll: true,
  };
  // The last segment keeps room for the marks of opening and closing.
  const last = segments * BATCHES_PER_SEGMENT - 1;
  const { journal } = await openJournal(options);
  for (let n = 1; n <= last; n += 1) {
    const [events = [], digest = ""] = [batches[n % 10], digests[n % 10]];
    await journal.append({ n, atUs: n, events, commands: BATCH_EVENTS, digest });
    if (n === last - 4 || n === last - 2) await journal.writeSnapshot({ n, atUs: n, state: {} });
  }
  await journal.close({ atUs: last });
  const written = (await readdir(directory)).filter((name) => name.startsWith("segment")).length;
  const times: number[] = [];
  for (let i = 0; i < 5; i += 1) {
    const startedMs = performance.now();
    const opened = await openJournal(options);
    let found = 0;
    for await (const batch of opened.recovered?.batches ?? []) found += batch.events.length;
    times.push(performance.now() - startedMs);
    if (found !== 2 * BATCH_EVENTS) throw new Error("a restart finds what follows the newest snapshot");
    await opened.journal.close({ atUs: last });
  }
  return { segments: written, events: last * BATCH_EVENTS, fastestMs: round(Math.min(...times)) };
}

function timed(act: () => void): number {
  const startedMs = performance.now();
  act();
  return performance.now() - startedMs;
}

function round(value: number | undefined): number {
  return Number((value ?? 0).toFixed(3));
}

/** Throughput with an fsync for each batch, beside the bare costs of writing the same bytes, and of reading them back. */
export async function journalFigures(): Promise<Figure[]> {
  const directory = await mkdtemp(join(tmpdir(), "pipe-journal-bench-"));
  try {
    const single = await append(join(directory, "single"), 1);
    const grouped = await append(join(directory, "grouped"), 4);
    const costs = await parts(directory);
    // Replay with a stepper that costs nothing: reading, checking the chain, parsing, comparing.
    let at = 0;
    const stepper = { fresh: () => ({ step: () => commands[++at % 10] ?? [] }) };
    const replayed = await replayJournal({ directory: join(directory, "grouped"), stepper, mustBeClosed: true });
    if (replayed.status !== "same") throw new Error("the journal does not read back as it was written");
    const short = await restart(join(directory, "short"), 1);
    const long = await restart(join(directory, "long"), 20);
    const bare = 1e6 / costs.writeAndFsyncUs;
    const met = single.eventsPerSecond >= TARGET_EVENTS_PER_SECOND;
    return [
      { name: "journal: events, fsync per batch", value: single.eventsPerSecond, unit: "/s", target: "≥ 50,000", met },
      {
        name: "journal: against bare write and fsync of the same bytes",
        value: single.eventsPerSecond / bare,
        unit: "×",
      },
      { name: "journal: events, four batches in flight", value: grouped.eventsPerSecond, unit: "/s" },
      { name: "journal: a batch of 2,048 durable, median", value: single.medianMs, unit: "ms" },
      { name: "journal: JSON per event", value: costs.stringifyUs, unit: "µs" },
      { name: "journal: SHA-256 per event", value: costs.hashUs, unit: "µs" },
      { name: "journal: write and fsync per event", value: costs.writeAndFsyncUs, unit: "µs" },
      { name: "journal: events read back and checked", value: replayed.counts.eventsPerSecond, unit: "/s" },
      { name: `restart: ${short.segments} segments, ${short.events} events`, value: short.fastestMs, unit: "ms" },
      { name: `restart: ${long.segments} segments, ${long.events} events`, value: long.fastestMs, unit: "ms" },
      {
        name: "restart: long against short",
        value: long.fastestMs / short.fastestMs,
        unit: "×",
        target: "≤ 2",
        met: long.fastestMs <= 2 * short.fastestMs,
      },
    ];
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
