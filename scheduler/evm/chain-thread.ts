import { Worker } from "node:worker_threads";
import type { EvmHead } from "../../mempool/evm/block.ts";
import type { EvmChain } from "../../mempool/evm/chain.ts";
import type { EvmGenesis } from "../../mempool/evm/genesis.ts";
import type { ParsedTransaction } from "../../mempool/evm/transaction.ts";
import { FairQueue } from "./fair-queue.ts";

/** What a chain in another thread is asked: what it is asked in the same one, but for blocks that stay with who makes them. */
interface Hosted extends Omit<EvmChain, "rehearse"> {
  parse(raw: Uint8Array): ParsedTransaction;
}

export type ChainMethod = {
  [K in keyof Hosted]: Hosted[K] extends (...args: never[]) => unknown ? K : never;
}[keyof Hosted];

type Arguments<M extends ChainMethod> = Hosted[M] extends (...args: infer A) => unknown ? A : never;
type Answer<M extends ChainMethod> = Hosted[M] extends (...args: never[]) => infer R ? Awaited<R> : never;

export interface Asked {
  readonly id: number;
  readonly method: ChainMethod;
  readonly args: readonly unknown[];
}

export type Answered =
  | { readonly id: number; readonly ok: true; readonly value: unknown }
  | { readonly id: number; readonly ok: false; readonly message: string };

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** What runs contracts, and so takes as long as their gas, or their time, allows. */
type RunMethod = Extract<ChainMethod, "preExecute" | "call" | "estimateGas">;

/** For whom a contract is run; in its class each `lane` has its turn. */
export interface RunFor {
  /** `race`: for the scheduler, whose transactions wait. `first`: of a transaction that came in. `try`: for somebody who asks. */
  readonly name: "race" | "first" | "try";
  readonly lane: string;
}

/** Turns of each while all wait: races have a time to live, and neither of the others may wait for ever. */
const WEIGHTS = { race: 2, first: 1, try: 1 } as const;

/** The heap of a chain's thread; a contract cannot take more than its gas buys, the state grows with the chain. */
const MAX_HEAP_MB = 1_024;

/**
 * A chain in a thread of its own: contracts that burn gas hold up nobody but those who wait for the same chain. What it is
 * asked it answers in order, except that runs of contracts wait here, in a fair order, and one at a time is on its way: whatever
 * else it is asked waits for one run at the most, however many there are (P7).
 */
export class ChainThread {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  readonly #ended = Promise.withResolvers<Error>();
  readonly #runs = new FairQueue<RunFor["name"], { readonly asked: Asked; readonly waiting: Waiting }>(WEIGHTS);
  /** The run that is on its way. */
  #running: number | undefined;
  #nextId = 0;
  #closing = false;

  private constructor(worker: Worker) {
    this.#worker = worker;
    worker.on("message", (answered: Answered) => this.#hear(answered));
    worker.on("error", (error) => this.#end(error instanceof Error ? error : new Error(String(error))));
    worker.on("exit", (code) => this.#end(new Error(`the thread of a chain ended with code ${code}`)));
  }

  /** Rejects when the chain cannot begin so. */
  static async start(
    genesis: EvmGenesis,
    name: string,
  ): Promise<{ readonly thread: ChainThread; readonly head: EvmHead }> {
    const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
    const worker = new Worker(new URL(`./chain-worker.${extension}`, import.meta.url), {
      workerData: genesis,
      name,
      execArgv: [],
      env: {},
      resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB },
    });
    const thread = new ChainThread(worker);
    const head = await new Promise<unknown>((resolve, reject) => thread.#waiting.set(-1, { resolve, reject }));
    return { thread, head: head as EvmHead };
  }

  /** Resolves when the thread ended by itself: nothing it was asked will be answered any more. */
  get ended(): Promise<Error> {
    return this.#ended.promise;
  }

  /** Asked and not yet answered. */
  get waiting(): number {
    return this.#waiting.size + this.#runs.size;
  }

  /** Runs a contract when it is its turn. */
  run<M extends RunMethod>(forWhom: RunFor, method: M, ...args: Arguments<M>): Promise<Answer<M>> {
    if (this.#closing) return Promise.reject(new Error("the chain is closed"));
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const waiting = { resolve: (value: unknown) => resolve(value as Answer<M>), reject };
      this.#runs.push({ asked: { id, method, args }, waiting }, forWhom);
      this.#runNext();
    });
  }

  ask<M extends Exclude<ChainMethod, RunMethod>>(method: M, ...args: Arguments<M>): Promise<Answer<M>> {
    if (this.#closing) return Promise.reject(new Error("the chain is closed"));
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve: (value) => resolve(value as Answer<M>), reject });
      this.#worker.postMessage({ id, method, args } satisfies Asked);
    });
  }

  async close(): Promise<void> {
    this.#closing = true;
    await this.#worker.terminate();
  }

  #runNext(): void {
    if (this.#running !== undefined || this.#closing) return;
    const next = this.#runs.shift();
    if (next === undefined) return;
    const { asked, waiting } = next;
    this.#running = asked.id;
    this.#waiting.set(asked.id, waiting);
    this.#worker.postMessage(asked);
  }

  #hear(answered: Answered): void {
    const waiting = this.#waiting.get(answered.id);
    this.#waiting.delete(answered.id);
    if (this.#running === answered.id) {
      this.#running = undefined;
      this.#runNext();
    }
    if (answered.ok) waiting?.resolve(answered.value);
    else waiting?.reject(new Error(answered.message));
  }

  #end(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
    for (let run = this.#runs.shift(); run !== undefined; run = this.#runs.shift()) run.waiting.reject(error);
    if (!this.#closing) this.#ended.resolve(error);
    this.#closing = true;
  }
}
