import { createBlock } from "@ethereumjs/block";
import { type Common, createCustomCommon, Hardfork, Mainnet } from "@ethereumjs/common";
import { createTxFromRLP } from "@ethereumjs/tx";
import type { CallRequest } from "../../mempool/evm/trial.ts";
import type { BlockRecord } from "../../scheduler/index.ts";
import type {
  BackendEvent,
  CallResult,
  EvmBackend,
  NextBlock,
  Outcome,
  PipeStatus,
  StatePoint,
} from "../../scheduler/evm/rpc/backend.ts";
import type { ChainIndex } from "../../scheduler/evm/rpc/chain-index.ts";
import { indexedBlock, indexedTransaction } from "../../scheduler/evm/rpc/from-rlp.ts";
import type { IndexedBlock, IndexedReceipt, IndexedTransaction } from "../../scheduler/evm/rpc/indexed.ts";
import type { EvmProblem } from "../../scheduler/evm/rpc/problems.ts";
import { type RpcServerOptions, startRpcServer } from "../../scheduler/evm/rpc/server.ts";

export const CHAIN_ID = 7331;
export const COMMON: Common = createCustomCommon({ chainId: CHAIN_ID }, Mainnet, { hardfork: Hardfork.Prague });
const COINBASE = `0x${"c0".repeat(20)}` as const;

/** What a made-up block holds: transactions as they were signed, each with its receipt's own part. */
export interface Contents {
  readonly transactions?: readonly { readonly raw: Uint8Array; readonly receipt?: Partial<IndexedReceipt> }[];
  readonly inference?: BlockRecord;
  /** Makes two blocks of the same height differ. */
  readonly extra?: string;
}

/** The block after `parent`, through its RLP as a real one. Receipts are made up. */
export function blockAfter(parent: IndexedBlock | undefined, contents: Contents = {}): IndexedBlock {
  const entries = contents.transactions ?? [];
  const transactions = entries.map(({ raw }) => createTxFromRLP(raw, { common: COMMON }));
  const block = createBlock(
    {
      header: {
        number: parent === undefined ? 0 : parent.number + 1,
        ...(parent === undefined ? {} : { parentHash: `0x${parent.hash}` }),
        timestamp: parent === undefined ? 1_700_000_000 : parent.timestamp + 1,
        gasLimit: 30_000_000n,
        gasUsed: 21_000n * BigInt(entries.length),
        baseFeePerGas: 1_000_000_000n,
        coinbase: COINBASE,
        extraData: `0x${contents.extra ?? ""}`,
      },
      transactions,
    },
    { common: COMMON },
  );
  return indexedBlock({
    rlp: block.serialize(),
    common: COMMON,
    senders: transactions.map((transaction) => transaction.getSenderAddress().toString()),
    receipts: entries.map(({ receipt }) => ({
      succeeded: true,
      gasUsed: 21_000n,
      logs: [],
      logsBloom: new Uint8Array(256),
      contractAddress: undefined,
      ...receipt,
    })),
    inference: contents.inference,
  });
}

export function waiting(raw: Uint8Array): IndexedTransaction {
  const sender = createTxFromRLP(raw, { common: COMMON }).getSenderAddress().toString();
  return indexedTransaction({ raw, sender }, COMMON);
}

/** A chain that answers what it is told to. */
export class FakeBackend implements EvmBackend {
  readonly chainId = BigInt(CHAIN_ID);
  readonly clientVersion = "pipe-test/0.0.0/test/node";
  readonly sent: Uint8Array[] = [];
  readonly calls: { readonly request: CallRequest; readonly at: StatePoint }[] = [];
  readonly waits = new Map<string, IndexedTransaction>();
  readonly #index: ChainIndex;
  readonly #listeners = new Set<(event: BackendEvent) => void>();
  /** What the next transactions and calls meet. */
  problem: EvmProblem | undefined;
  /** Thrown by everything that can throw. */
  fault: Error | undefined;
  /** What calls wait for. */
  delay: Promise<void> = Promise.resolve();
  output: Uint8Array = new Uint8Array();

  constructor(index: ChainIndex) {
    this.#index = index;
  }

  async #answer<T>(value: T): Promise<Outcome<T>> {
    await this.delay;
    if (this.fault !== undefined) throw this.fault;
    return this.problem === undefined ? { ok: true, value } : { ok: false, problem: this.problem };
  }

  sendRawTransaction(raw: Uint8Array): Promise<Outcome<string>> {
    if (this.problem !== undefined || this.fault !== undefined) return this.#answer("");
    let transaction: IndexedTransaction;
    try {
      transaction = waiting(raw);
    } catch {
      return Promise.resolve({ ok: false, problem: { kind: "malformed", message: "expected RLP" } });
    }
    this.sent.push(raw);
    this.waits.set(transaction.hash, transaction);
    this.tell({ kind: "pending", transaction });
    return this.#answer(transaction.hash);
  }

  pendingTransaction(hash: string): IndexedTransaction | undefined {
    return this.waits.get(hash);
  }

  pendingNonce(): Promise<Outcome<number>> {
    return this.#answer(7);
  }

  call(request: CallRequest, at: StatePoint): Promise<Outcome<CallResult>> {
    this.calls.push({ request, at });
    const call = { model: "risk-small", mode: "vanilla", inputBytes: 64, maxOutputBytes: 4, maxFeeGwei: 100 };
    return this.#answer({ output: this.output, gasUsed: 30_000n, pendingCalls: [call] });
  }

  estimateGas(request: CallRequest, at: StatePoint) {
    this.calls.push({ request, at });
    return this.#answer({ gas: 50_000n, pendingCalls: [] });
  }

  balance(): Promise<Outcome<bigint>> {
    return this.#answer(10n ** 18n);
  }

  nonce(_address: string, at: StatePoint): Promise<Outcome<number>> {
    return this.#answer(at.kind === "block" ? at.number : -1);
  }

  code(): Promise<Outcome<Uint8Array>> {
    return this.#answer(new Uint8Array([0x60, 0x00]));
  }

  storage(_address: string, slot: bigint): Promise<Outcome<Uint8Array>> {
    return this.#answer(new Uint8Array([Number(slot)]));
  }

  nextBlock(): NextBlock {
    const { number, timestamp } = this.#index.head;
    return {
      number: number + 1,
      timestamp: timestamp + 1,
      coinbase: COINBASE,
      gasLimit: 30_000_000n,
      baseFeePerGas: 900_000_000n,
    };
  }

  suggestedTip(): bigint {
    return 100_000_000n;
  }

  async pipeStatus(hash: string): Promise<PipeStatus | undefined> {
    if (this.fault !== undefined) throw this.fault;
    if (!this.waits.has(hash)) return undefined;
    return {
      hash,
      kind: "inference",
      state: "racing",
      lane: "fast",
      reason: undefined,
      advice: undefined,
      blockNumber: undefined,
      expiryBlock: 40,
      calls: [{ index: 0, model: "risk-small", mode: "vanilla", result: undefined }],
    };
  }

  async pipeEstimate(hash: string) {
    return this.waits.has(hash) ? [{ height: 2, sealAtUs: 1_700_000_002_000_000, probability: 0.75 }] : undefined;
  }

  follow(listener: (event: BackendEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  get followers(): number {
    return this.#listeners.size;
  }

  tell(event: BackendEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}

/** A server that is closed at the end of the scope. */
export async function served(index: ChainIndex, backend: FakeBackend, options: Partial<RpcServerOptions> = {}) {
  const server = await startRpcServer({ backend, index, host: "127.0.0.1", port: 0, ...options });
  return { ...server, [Symbol.asyncDispose]: () => server.close() };
}

/** Asks over HTTP and gives the whole answer. */
export async function ask(url: string, body: unknown): Promise<unknown> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  return response.status === 204 ? undefined : response.json();
}

/** Asks one method over HTTP and gives `result` or `error`. */
export async function rpc(url: string, method: string, ...params: unknown[]): Promise<unknown> {
  const answer = (await ask(url, { jsonrpc: "2.0", id: 1, method, params })) as {
    readonly result?: unknown;
    readonly error?: unknown;
  };
  return answer.error ?? answer.result;
}
