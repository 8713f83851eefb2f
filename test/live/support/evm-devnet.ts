import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Abi,
  createPublicClient,
  createWalletClient,
  defineChain,
  type Hash,
  type Hex,
  http,
  parseEther,
  type TransactionReceipt,
} from "viem";
import { type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts";
import { checkAll } from "../../../docs/examples/evm/validator.ts";
import type { GenesisAccount } from "../../../mempool/evm/genesis.ts";
import type { BuiltBlock } from "../../../scheduler/evm/block-building.ts";
import { devAccounts } from "../../../scheduler/evm/dev-accounts.ts";
import { type EvmDevnet, type EvmDevnetOptions, startEvmDevnet } from "../../../scheduler/evm/devnet.ts";
import type { PipeStatus } from "../../../scheduler/evm/rpc/backend.ts";
import type { RpcError } from "../../../scheduler/evm/rpc/problems.ts";
import { type RpcServer, startRpcServer } from "../../../scheduler/evm/rpc/server.ts";
import { type BlockRecord, defaultFleet, type Receipt, type ServiceStatistics } from "../../../scheduler/index.ts";
import type { CompiledContract } from "../../support/solidity.ts";

export const CHAIN_ID = 1337;
export const GWEI = 10n ** 9n;
export const DEPOSIT = "0x00000000000000000000000000000000000000f5";
export const PRECOMPILE = "0x00000000000000000000000000000000000000f4";
/** `deposit()`. */
export const DEPOSIT_CALL = "0xd0e30db0";
export const FEES = { maxFeePerGas: 20n * GWEI, maxPriorityFeePerGas: GWEI };
/** Longer than anything takes on the slowest machine. */
const PATIENCE_MS = 60_000;
/** States of a transaction that no block will have. */
const GONE = new Set(["refused", "refunded", "replaced", "withdrawn", "dropped"]);

export type User = ReturnType<typeof userOf>;
export type Reader = ReturnType<typeof readerOf>;

function chainAt(url: string) {
  return defineChain({
    id: CHAIN_ID,
    name: "PIPE",
    nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
    rpcUrls: { default: { http: [url] } },
  });
}

function readerOf(url: string) {
  return createPublicClient({
    chain: chainAt(url),
    transport: http(url, { retryCount: 0, timeout: PATIENCE_MS }),
    pollingInterval: 50,
    cacheTime: 0,
  });
}

/** Somebody with a key and a wallet, as viem makes it. Nonces are counted here, so that many can be sent at once. */
function userOf(account: PrivateKeyAccount, url: string) {
  const wallet = createWalletClient({
    account,
    chain: chainAt(url),
    transport: http(url, { retryCount: 0, timeout: PATIENCE_MS }),
  });
  return { account, wallet, address: account.address.toLowerCase() as Hex, nonce: 0 };
}

/** What of these methods' answers tests look into, as docs/EVM-RPC.md has them. */
export interface Answers {
  readonly pipe_status: PipeStatus;
  readonly pipe_estimate: readonly { readonly blockNumber: number; readonly probability: number }[];
  readonly pipe_receipt: {
    readonly blockNumber: number;
    readonly final: boolean;
    readonly receipts: readonly { readonly receipt: Receipt }[];
  };
  readonly pipe_block: { readonly inference: BlockRecord };
  readonly pipe_call: { readonly pendingCalls: readonly unknown[] };
}

export interface Sent {
  readonly to?: Hex;
  readonly data?: Hex;
  readonly value?: bigint;
  readonly gas?: bigint;
  /** Instead of the user's next one, which then is not used up. */
  readonly nonce?: number;
  readonly fees?: { readonly maxFeePerGas: bigint; readonly maxPriorityFeePerGas: bigint };
  readonly accessList?: readonly { readonly address: Hex; readonly storageKeys: readonly Hex[] }[];
}

/** A chain in this process with its JSON-RPC face, users, and every block that it made. */
export class LiveChain {
  readonly devnet: EvmDevnet;
  readonly server: RpcServer;
  readonly reader: Reader;
  readonly users: readonly User[];
  readonly directory: string;
  /** On the chain, the oldest first; those that a reorg took back are not in it. */
  readonly blocks: BuiltBlock[];
  /** How much later than planned each block was there. */
  readonly lateMs: number[];
  failure: Error | undefined;

  private constructor(parts: {
    devnet: EvmDevnet;
    server: RpcServer;
    directory: string;
    blocks: BuiltBlock[];
    lateMs: number[];
    users: readonly User[];
  }) {
    this.devnet = parts.devnet;
    this.server = parts.server;
    this.directory = parts.directory;
    this.blocks = parts.blocks;
    this.lateMs = parts.lateMs;
    this.users = parts.users;
    this.reader = readerOf(parts.server.url);
    void this.devnet.failed.then((error) => {
      this.failure = error;
    });
  }

  static async start(
    options: Partial<EvmDevnetOptions> & {
      readonly users?: number;
      readonly contracts?: readonly GenesisAccount[];
    } = {},
  ): Promise<LiveChain> {
    const { users: userCount = 6, contracts = [], ...rest } = options;
    const directory = await mkdtemp(join(tmpdir(), "pipe-evm-live-"));
    const blocks: BuiltBlock[] = [];
    const lateMs: number[] = [];
    const accounts = devAccounts(userCount);
    const nodes = defaultFleet({ count: 4, seedHex: "5".repeat(64), latency: "none", faults: "none" });
    const devnet = await startEvmDevnet({
      chainId: BigInt(CHAIN_ID),
      directory,
      alloc: [...accounts.map(({ address }) => ({ address, balanceWei: parseEther("1000") })), ...contracts],
      pipe: {
        fleet: { nodes },
        policy: { kind: "hedge", delayMs: 1_500, maxCopies: 3 },
        engine: { seed: 1 },
        logger: "silent",
      },
      ...rest,
      onBlock(block, times) {
        while ((blocks.at(-1)?.head.number ?? -1) >= block.head.number) blocks.pop();
        blocks.push(block);
        lateMs.push(times.lateMs);
      },
    });
    const server = await startRpcServer({ backend: devnet.backend, index: devnet.index, host: "127.0.0.1", port: 0 });
    const users = accounts.map(({ privateKey }) => userOf(privateKeyToAccount(privateKey), server.url));
    return new LiveChain({ devnet, server, directory, blocks, lateMs, users });
  }

  user(index: number): User {
    const user = this.users[index];
    if (user === undefined) throw new RangeError("there are not as many users");
    return user;
  }

  get head(): number {
    return this.devnet.index.head.number;
  }

  /** Resolves to the hash once it is taken. A nonce is used up only by one that is. */
  async send(user: User, sent: Sent): Promise<Hash> {
    const { fees = FEES, gas = 1_500_000n, nonce, ...rest } = sent;
    const own = nonce ?? user.nonce++;
    try {
      return await user.wallet.sendTransaction({ ...rest, gas, nonce: own, ...fees } as Parameters<
        typeof user.wallet.sendTransaction
      >[0]);
    } catch (error) {
      if (nonce === undefined && own === user.nonce - 1) user.nonce--;
      throw error;
    }
  }

  async deploy(user: User, { abi, bytecode }: CompiledContract, value = 0n): Promise<Hex> {
    const nonce = user.nonce++;
    const gas = 4_000_000n;
    const hash = await user.wallet.deployContract({ abi: abi as Abi, bytecode, value, nonce, gas, ...FEES });
    const { contractAddress, status } = await this.receipt(hash);
    if (contractAddress == null || status !== "success") throw new Error(`${hash} did not deploy its contract`);
    return contractAddress;
  }

  /** Of a transaction that gets into a block; rejects with the reason when it will not. */
  async receipt(hash: Hash): Promise<TransactionReceipt> {
    let found: TransactionReceipt | undefined;
    await this.until(`${hash} is in a block`, async () => {
      found = await this.reader.getTransactionReceipt({ hash }).catch(() => undefined);
      if (found !== undefined) return true;
      const status = await this.rpc("pipe_status", hash);
      if (status !== null && GONE.has(status.state)) throw new Error(`${hash} is ${status.state}: ${status.reason}`);
      return false;
    });
    return found as TransactionReceipt;
  }

  /** Pays in, and waits until it counts. */
  async deposit(user: User, wei = parseEther("1")): Promise<void> {
    const before = await this.depositGwei(user);
    await this.send(user, { to: DEPOSIT, data: DEPOSIT_CALL, value: wei, gas: 60_000n });
    await this.until("a deposit counts", async () => (await this.depositGwei(user)) > before);
  }

  async depositGwei(user: User): Promise<number> {
    return (await this.devnet.pipe.account(user.address))?.depositGwei ?? 0;
  }

  /** `null` for what is not known. */
  async rpc<M extends keyof Answers>(method: M, ...params: unknown[]): Promise<Answers[M] | null> {
    const { result, error } = await this.rpcAnswer(method, ...params);
    if (error !== undefined) throw new Error(JSON.stringify(error));
    return result as Answers[M] | null;
  }

  /** Rejects for what is not known. */
  async known<M extends keyof Answers>(method: M, ...params: unknown[]): Promise<Answers[M]> {
    const answer = await this.rpc(method, ...params);
    if (answer === null) throw new Error(`${method} knows nothing of ${JSON.stringify(params)}`);
    return answer;
  }

  /** The whole answer, for methods that are to fail. */
  async rpcAnswer(
    method: string,
    ...params: unknown[]
  ): Promise<{ readonly result?: unknown; readonly error?: RpcError }> {
    const response = await fetch(this.server.url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
    });
    return (await response.json()) as { readonly result?: unknown; readonly error?: RpcError };
  }

  /** Waits until it holds, looking every few milliseconds. */
  async until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
    const untilMs = performance.now() + PATIENCE_MS;
    while (!(await holds())) {
      if (this.failure !== undefined) throw this.failure;
      if (performance.now() > untilMs) throw new Error(`in vain: ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** So many more blocks. */
  async blocksPass(count: number): Promise<void> {
    const target = this.head + count;
    await this.until(`block ${target}`, () => this.head >= target);
  }

  async ledger(): Promise<ServiceStatistics["ledger"] & { readonly balanced: boolean }> {
    const { ledger } = await this.devnet.pipe.statistics();
    const { paidGwei, refundedGwei, heldGwei, escrowedGwei } = ledger;
    return { ...ledger, balanced: paidGwei + refundedGwei + heldGwei === escrowedGwei };
  }

  /** Executes every block again from genesis, as a validator. Call it when the chain stands still. */
  check(blocks: readonly BuiltBlock[] = this.blocks) {
    return checkAll(this.devnet, { directory: this.directory, blocks });
  }

  async close(): Promise<void> {
    await this.server.close();
    await this.devnet.close();
    await rm(this.directory, { recursive: true, force: true });
  }
}
