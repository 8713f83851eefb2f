import type { OrderEntry } from "../engine/commands.ts";
import { Heap } from "../shared/heap.ts";
import { fileOf } from "./records-lines.ts";
import type { ChainEntry, Findings } from "./records-reader.ts";

const FILE = fileOf("order");

/** When a transaction first took a place in the order, and which one it has now: after it left it may come again. */
export interface Admission {
  /** Number of its first line, counted from 0. */
  readonly n: number;
  readonly atUs: number;
  readonly seq: number;
  readonly sender: string;
  readonly nonce: number;
}

interface WaitingJob {
  readonly seq: number;
  readonly callIndex: number;
  waits: boolean;
}

interface Queue {
  readonly jobs: Map<string, WaitingJob>;
  /** May hold jobs that wait no longer; whoever looks at the first passes those over. */
  readonly order: Heap<WaitingJob>;
}

/**
 * The published rule of the inference mempool (P12), from the log alone:
 *
 * 1. times do not go back; places (`seq`) are given without a gap, in the order of admission, and kept
 * 2. when a job is launched, no job of the same queue with a smaller (seq, callIndex) waits
 * 3. only jobs of transactions that are in the mempool wait, and only waiting jobs are launched or dequeued
 */
export class OrderAudit {
  readonly admissions = new Map<string, Admission>();
  readonly #findings: Findings;
  /** Transactions in the mempool, with the number of their jobs that wait. */
  readonly #present = new Map<string, number>();
  readonly #queues = new Map<string, Queue>();
  #nextSeq = 0;
  #lastUs = 0;
  launched = 0;

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  add({ line, n, body }: ChainEntry<"order">): void {
    if (body.atUs < this.#lastUs) this.#find(line, "its time is before that of the line above");
    this.#lastUs = Math.max(this.#lastUs, body.atUs);
    const whole = body.entry === "admitted" || body.entry === "left" || body.entry === "returned";
    if (whole !== (body.callIndex === -1) || whole !== (body.queue === ""))
      this.#find(line, "names a call where none belongs, or none");
    if (body.entry === "admitted") this.#admit(line, n, body);
    else this.#follow(line, body);
  }

  /** How many jobs wait at the end. */
  get waiting(): number {
    let waiting = 0;
    for (const { jobs } of this.#queues.values()) waiting += jobs.size;
    return waiting;
  }

  #admit(line: number, n: number, { txHash, atUs, seq, sender, nonce }: OrderEntry): void {
    if (seq !== this.#nextSeq) this.#find(line, `takes the place ${seq} where ${this.#nextSeq} was due`);
    this.#nextSeq = seq + 1;
    if (this.#present.has(txHash)) this.#find(line, "admits a transaction that is in the mempool already");
    this.#present.set(txHash, 0);
    const first = this.admissions.get(txHash) ?? { n, atUs };
    this.admissions.set(txHash, { n: first.n, atUs: first.atUs, seq, sender, nonce });
  }

  #follow(line: number, entry: OrderEntry): void {
    const admission = this.admissions.get(entry.txHash);
    if (admission === undefined) {
      this.#find(line, "is about a transaction that was not admitted");
      return;
    }
    const { seq, sender, nonce } = admission;
    if (entry.seq !== seq || entry.sender !== sender || entry.nonce !== nonce) {
      this.#find(line, "tells another place, sender or nonce than the admission");
    }
    const waiting = this.#present.get(entry.txHash);
    if (entry.entry === "returned") {
      if (waiting !== undefined) this.#find(line, "brings back a transaction that had not left");
      this.#present.set(entry.txHash, 0);
      return;
    }
    if (waiting === undefined) this.#find(line, "is about a transaction that is not in the mempool any more");
    if (entry.entry === "left") this.#leave(line, entry);
    else if (entry.entry === "queued") this.#enqueue(line, entry);
    else if (entry.entry === "launched") this.#launch(line, entry);
    else if (!this.#takeOut(entry)) this.#find(line, "takes a job out of a queue in which it did not wait");
  }

  #leave(line: number, { txHash }: OrderEntry): void {
    const waiting = this.#present.get(txHash) ?? 0;
    if (waiting > 0) this.#find(line, `leaves while ${waiting} of its jobs still wait`);
    this.#present.delete(txHash);
  }

  #enqueue(line: number, { txHash, seq, callIndex, queue: name }: OrderEntry): void {
    const queue = this.#queue(name);
    const key = jobKey(txHash, callIndex);
    if (queue.jobs.has(key)) {
      this.#find(line, "queues a job that waits already");
      return;
    }
    const job = { seq, callIndex, waits: true };
    queue.jobs.set(key, job);
    queue.order.push(job);
    this.#countWaiting(txHash, 1);
  }

  #countWaiting(txHash: string, change: number): void {
    const waiting = this.#present.get(txHash);
    if (waiting !== undefined) this.#present.set(txHash, waiting + change);
  }

  #launch(line: number, entry: OrderEntry): void {
    this.launched++;
    const first = this.#firstWaiting(entry.queue);
    if (first !== undefined && isBefore(first, entry)) {
      this.#find(
        line,
        `P12: overtakes the job (${first.seq}, ${first.callIndex}), which waits in the queue ${entry.queue}`,
      );
    }
    if (!this.#takeOut(entry)) this.#find(line, "launches a job that did not wait");
  }

  #firstWaiting(name: string): WaitingJob | undefined {
    const { order } = this.#queue(name);
    while (order.first?.waits === false) order.pop();
    return order.first;
  }

  #takeOut({ txHash, callIndex, queue: name }: OrderEntry): boolean {
    const { jobs } = this.#queue(name);
    const key = jobKey(txHash, callIndex);
    const job = jobs.get(key);
    if (job === undefined) return false;
    job.waits = false;
    this.#countWaiting(txHash, -1);
    return jobs.delete(key);
  }

  #queue(name: string): Queue {
    const known = this.#queues.get(name);
    if (known !== undefined) return known;
    const queue: Queue = { jobs: new Map(), order: new Heap<WaitingJob>(isBefore) };
    this.#queues.set(name, queue);
    return queue;
  }

  #find(line: number, message: string): void {
    this.#findings.add(FILE, line, message);
  }
}

function isBefore(a: Pick<WaitingJob, "seq" | "callIndex">, b: Pick<WaitingJob, "seq" | "callIndex">): boolean {
  return a.seq !== b.seq ? a.seq < b.seq : a.callIndex < b.callIndex;
}

function jobKey(txHash: string, callIndex: number): string {
  return `${txHash}/${callIndex}`;
}
