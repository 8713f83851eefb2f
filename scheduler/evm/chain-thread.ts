import { Worker } from "node:worker_threads";
import type { EvmHead } from "../../mempool/evm/block.ts";
import type { EvmChain } from "../../mempool/evm/chain.ts";
import type { EvmGenesis } from "../../mempool/evm/genesis.ts";
import type { ParsedTransaction } from "../../mempool/evm/transaction.ts";

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

/** The heap of a chain's thread; a contract cannot take more than its gas buys, the state grows with the chain. */
const MAX_HEAP_MB = 1_024;

/**
 * A chain in a thread of its own: contracts that burn gas hold up nobody but those who wait for the same chain. What it is
 * asked it answers in order.
 */
export class ChainThread {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  readonly #ended = Promise.withResolvers<Error>();
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
    return this.#waiting.size;
  }

  ask<M extends ChainMethod>(method: M, ...args: Arguments<M>): Promise<Answer<M>> {
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

  #hear(answered: Answered): void {
    const waiting = this.#waiting.get(answered.id);
    this.#waiting.delete(answered.id);
    if (answered.ok) waiting?.resolve(answered.value);
    else waiting?.reject(new Error(answered.message));
  }

  #end(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
    if (!this.#closing) this.#ended.resolve(error);
    this.#closing = true;
  }
}
