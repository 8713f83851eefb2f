/**
 * For how long a snapshot of a full service stops the loop. Copying the state must be done at once; making and writing its
 * text is done piece by piece, between batches. Beside it, what it would take to make the text at once.
 */
import { hash } from "node:crypto";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Engine } from "../../scheduler/engine/engine.ts";
import type { EngineEvent } from "../../scheduler/engine/events.ts";
import { Recorder } from "../../scheduler/engine/recorder.ts";
import { Custody } from "../../scheduler/live/custody.ts";
import type { Blob } from "../../scheduler/live/inbox.ts";
import { snapshotPath } from "../../scheduler/live/journal-files.ts";
import { storeSnapshot } from "../../scheduler/live/journal-snapshots.ts";
import { LIVES_CONFIG } from "./engine-lives.ts";
import type { Figure } from "./figure.ts";

const PENDING = 10_000;
const SENDERS = 200;
const NODES = 50;
const INPUT_BYTES = 1_024;
const ROUNDS = 5;
const NOW_US = 1_000_000;
const hex = (text: string): string => hash("sha256", text, "hex");

/** Engine and custody with transactions of one call each, all of them raced by two copies. */
class FullService {
  readonly engine = new Engine(LIVES_CONFIG);
  readonly custody = new Custody(LIVES_CONFIG.limits.maxReorgDepth, undefined);
  readonly #recorder = new Recorder();

  constructor() {
    for (let i = 0; i < NODES; i += 1) this.#join(i);
    this.#step({ kind: "block-opened", height: 0, sealAtUs: NOW_US + 500_000 }, []);
    for (let i = 0; i < SENDERS; i += 1) {
      this.#step({ kind: "deposited", account: hex(`sender ${i}`), amountGwei: 1_000_000_000 }, []);
    }
    for (let i = 0; i < PENDING; i += 1) this.#submit(i);
    if (this.engine.sizes.races !== PENDING) throw new Error("every transaction is to be raced");
  }

  snapshot() {
    return { engine: this.engine.snapshot(), custody: this.custody.snapshot() };
  }

  #join(i: number): void {
    const place = { operator: `operator-${i}`, region: "eu", hardware: "h100" };
    const offers = [{ model: "m", mode: "vanilla", priceGwei: 10 } as const];
    const room = { slots: PENDING, queueLimit: PENDING };
    this.#step({ kind: "node-joined", node: { id: `node-${i}`, key: hex(`key ${i}`), ...place, ...room, offers } }, []);
  }

  #submit(i: number): void {
    const bytes = Buffer.alloc(INPUT_BYTES, i % 251);
    bytes.writeUInt32LE(i);
    const inputHash = hash("sha256", bytes, "hex");
    const work = { model: "m", mode: "vanilla", tokensIn: 10, tokensOut: 20, maxFeeGwei: 1_000 } as const;
    const call = { ...work, digest: hex(`call ${i}`), inputHash, conflict: { kind: "first-valid" } } as const;
    const signed = { hash: hex(`transaction ${i}`), sender: hex(`sender ${i % SENDERS}`) };
    const terms = { nonce: Math.floor(i / SENDERS), gasPriceGwei: 1, ttlBlocks: 50, escrowGwei: 1_000 };
    const calls = [{ ...call, validityBlocks: 50 }];
    this.#step({ kind: "submitted", transaction: { ...signed, ...terms, calls } }, [{ hash: inputHash, bytes }]);
  }

  #step(event: EngineEvent, blobs: readonly Blob[]): void {
    this.engine.step(NOW_US, event, this.#recorder);
    this.custody.noteEvent(event, blobs);
    for (const command of this.#recorder.take()) {
      this.custody.noteCommand(command, event, blobs);
      if (command.kind !== "preExecute") continue;
      const { id: tx, round, hash: txHash } = command.transaction;
      const calls = this.custody.declaredCalls(txHash) ?? [];
      this.#step({ kind: "calls-discovered", tx, round, calls }, []);
    }
  }
}

/** The longest time between two turns of the event loop while something is done. */
async function longestTurnMs(work: () => Promise<void>): Promise<number> {
  let longestMs = 0;
  let lastMs = performance.now();
  let going = true;
  const look = (): void => {
    const nowMs = performance.now();
    longestMs = Math.max(longestMs, nowMs - lastMs);
    lastMs = nowMs;
    if (going) setImmediate(look);
  };
  setImmediate(look);
  await work();
  going = false;
  return longestMs;
}

function timedMs(act: () => unknown): number {
  const startedMs = performance.now();
  act();
  return performance.now() - startedMs;
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1] ?? 0;

export async function snapshotFigures(): Promise<Figure[]> {
  const service = new FullService();
  const directory = await mkdtemp(join(tmpdir(), "pipe-snapshot-bench-"));
  const rounds = { atOnce: [] as number[], copy: [] as number[], turn: [] as number[], whole: [] as number[] };
  let megabytes = 0;
  try {
    for (let n = 1; n <= ROUNDS; n += 1) {
      rounds.atOnce.push(timedMs(() => hash("sha256", JSON.stringify(service.snapshot()), "hex")));
      let state: unknown;
      rounds.copy.push(timedMs(() => (state = service.snapshot())));
      const startedMs = performance.now();
      rounds.turn.push(
        await longestTurnMs(() => storeSnapshot(directory, { n, atUs: n, chain: "0".repeat(32), state })),
      );
      rounds.whole.push(performance.now() - startedMs);
      megabytes = (await stat(snapshotPath(directory, n))).size / 1e6;
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
  const copyMs = median(rounds.copy);
  const atOnceMs = median(rounds.atOnce);
  return [
    { name: "snapshot: 10,000 pending, 1 KiB inputs: its file", value: megabytes, unit: "MB" },
    { name: "snapshot: the loop stops for", value: copyMs, unit: "ms", target: "≤ 50", met: copyMs <= 50 },
    { name: "snapshot: against text and digest at once", value: copyMs / atOnceMs, unit: "×" },
    { name: "snapshot: text and digest at once", value: atOnceMs, unit: "ms" },
    { name: "snapshot: longest turn while it is written", value: median(rounds.turn), unit: "ms" },
    { name: "snapshot: written after", value: median(rounds.whole), unit: "ms" },
  ];
}
