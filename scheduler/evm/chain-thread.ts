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
 * A chain in a thread of its own, asked one thing after the other: first what `ask` was given, in order; then, one for each asker in
 * turn, what `askInTurn` was given, so that whoever asks much, and for what takes long, holds up itself.
 */
export class ChainThread {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  readonly #first: Asked[] = [];
  /** By asker; who was served last stands last. */
  readonly #inTurn = new Map<string, Asked[]>();
  #busy = true;
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
    return this.#put((asked) => this.#first.push(asked), method, args);
  }

  /** The same for what can wait until nothing of the chain's own is to be done. */
  askInTurn<M extends ChainMethod>(asker: string, method: M, ...args: Arguments<M>): Promise<Answer<M>> {
    const queue = (asked: Asked) => {
      const before = this.#inTurn.get(asker);
      if (before === undefined) this.#inTurn.set(asker, [asked]);
      else before.push(asked);
    };
    return this.#put(queue, method, args);
  }

  #put<M extends ChainMethod>(queue: (asked: Asked) => void, method: M, args: Arguments<M>): Promise<Answer<M>> {
    if (this.#closing) return Promise.reject(new Error("the chain is closed"));
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve: (value) => resolve(value as Answer<M>), reject });
      queue({ id, method, args });
      this.#next();
    });
  }

  #next(): void {
    if (this.#busy) return;
    const asked = this.#first.shift() ?? this.#nextInTurn();
    if (asked === undefined) return;
    this.#busy = true;
    this.#worker.postMessage(asked);
  }

  #nextInTurn(): Asked | undefined {
    for (const [asker, queue] of this.#inTurn) {
      const asked = queue.shift();
      this.#inTurn.delete(asker);
      if (queue.length > 0) this.#inTurn.set(asker, queue);
      return asked;
    }
    return undefined;
  }

  async close(): Promise<void> {
    this.#closing = true;
    await this.#worker.terminate();
  }

  #hear(answered: Answered): void {
    const waiting = this.#waiting.get(answered.id);
    this.#waiting.delete(answered.id);
    this.#busy = false;
    if (answered.ok) waiting?.resolve(answered.value);
    else waiting?.reject(new Error(answered.message));
    this.#next();
  }

  #end(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
    if (!this.#closing) this.#ended.resolve(error);
    this.#closing = true;
  }
}
