import { setTimeout as sleep } from "node:timers/promises";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import {
  type Abi,
  type Address,
  type Chain,
  createPublicClient,
  createWalletClient,
  defineChain,
  type Hex,
  http,
  parseEther,
  parseGwei,
  toHex,
} from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { compileContracts } from "./compile.ts";

export interface WorkloadOptions {
  readonly url: string;
  readonly chainId: number;
  readonly accounts: readonly { readonly privateKey: Hex }[];
  readonly seed: number;
}

const DEPOSIT_CONTRACT = "0x00000000000000000000000000000000000000f5";
/** `deposit()`. */
const DEPOSIT_CALL = "0xd0e30db0";
const FEES = { maxFeePerGas: parseGwei("20"), maxPriorityFeePerGas: parseGwei("1") };
/** What a run of the examples takes at the most. */
const GAS = 1_500_000n;

/** Kinds of transactions and how many of a hundred are of each. */
const MIX = { transfer: 45, rebalance: 25, "two steps": 15, "batch of ten": 15 } as const;
type Kind = keyof typeof MIX;
const KINDS = Object.keys(MIX) as Kind[];

/** Users of the examples, by ordinary tools: viem signs, sends and reads receipts over JSON-RPC. */
export class Workload {
  readonly #options: WorkloadOptions;
  readonly #chain: Chain;
  readonly #users: User[];
  readonly #contracts = compileContracts(new URL("./contracts/", import.meta.url));
  readonly #random: ReturnType<typeof xoroshiro128plus>;
  readonly counts = { sent: 0, refused: 0, byKind: {} as Record<string, number> };

  constructor(options: WorkloadOptions) {
    this.#options = options;
    this.#chain = defineChain({
      id: options.chainId,
      name: "PIPE",
      nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
      rpcUrls: { default: { http: [options.url] } },
    });
    this.#random = xoroshiro128plus(options.seed);
    this.#users = options.accounts.map(({ privateKey }) => this.#userOf(privateKey));
  }

  #userOf(privateKey: Hex): User {
    const account = privateKeyToAccount(privateKey);
    const wallet = createWalletClient({ account, chain: this.#chain, transport: http(this.#options.url) });
    return { account, wallet, nonce: 0, rebalancer: undefined };
  }

  /** Deploys the examples, one vault for each user, and pays in for inference. Resolves when it counts. */
  async prepare(): Promise<void> {
    const reader = createPublicClient({ chain: this.#chain, transport: http(this.#options.url), pollingInterval: 100 });
    const [first] = this.#users;
    if (first === undefined) throw new Error("a workload needs users");
    const hashes: Hex[] = [];
    const deploy = async (user: User, name: string, value = 0n): Promise<Hex> => {
      const { abi, bytecode } = this.#contract(name);
      const nonce = user.nonce++;
      return user.wallet.deployContract({ abi, bytecode, value, nonce, gas: GAS * 2n, ...FEES });
    };
    const shared = [await deploy(first, "TwoStep"), await deploy(first, "BatchOfTen")];
    const own: [User, Hex][] = [];
    for (const user of this.#users) {
      own.push([user, await deploy(user, "RiskRebalancer", parseEther("10"))]);
      const nonce = user.nonce++;
      const paid = {
        to: DEPOSIT_CONTRACT,
        data: DEPOSIT_CALL,
        value: parseEther("5"),
        nonce,
        gas: 60_000n,
        ...FEES,
      } as const;
      hashes.push(await user.wallet.sendTransaction(paid));
    }
    const addressOf = async (hash: Hex): Promise<Address> => {
      const { contractAddress, status } = await reader.waitForTransactionReceipt({ hash });
      if (contractAddress == null || status !== "success") throw new Error(`${hash} did not deploy its contract`);
      return contractAddress;
    };
    const [twoStep, batch] = await Promise.all(shared.map(addressOf));
    this.#targets = { twoStep, batch };
    for (const [user, hash] of own) user.rebalancer = await addressOf(hash);
    const receipts = await Promise.all(
      hashes.map((hash) => reader.waitForTransactionReceipt({ hash, confirmations: 4 })),
    );
    if (receipts.some(({ status }) => status !== "success")) throw new Error("a deposit failed");
  }

  #targets: { readonly twoStep: Address | undefined; readonly batch: Address | undefined } | undefined;

  /** Sends until then, each transaction from a random user. */
  async send(terms: {
    readonly ratePerS: number;
    readonly untilMs: number;
    readonly signal: AbortSignal;
  }): Promise<void> {
    const pending: Promise<void>[] = [];
    while (Date.now() < terms.untilMs && !terms.signal.aborted) {
      const user = this.#users[Math.floor(this.#draw() * this.#users.length)];
      if (user !== undefined) pending.push(this.#one(user));
      const pauseMs = (-Math.log(1 - this.#draw()) * 1000) / terms.ratePerS;
      await sleep(pauseMs, undefined, { signal: terms.signal }).catch(() => undefined);
    }
    await Promise.all(pending);
  }

  async #one(user: User): Promise<void> {
    const kind = this.#kind();
    const nonce = user.nonce++;
    this.counts.sent++;
    this.counts.byKind[kind] = (this.counts.byKind[kind] ?? 0) + 1;
    try {
      await this.#submit(user, kind, nonce);
    } catch (error) {
      this.counts.refused++;
      process.stderr.write(`${kind} was refused: ${error instanceof Error ? error.message.split("\n")[0] : error}\n`);
    }
  }

  async #submit(user: User, kind: Kind, nonce: number): Promise<void> {
    const { wallet } = user;
    const call = (to: Address | undefined, name: string, functionName: string, args: readonly unknown[]) => {
      if (to === undefined) throw new Error(`${name} is not deployed`);
      return wallet.writeContract({
        address: to,
        abi: this.#contract(name).abi,
        functionName,
        args,
        nonce,
        gas: GAS,
        ...FEES,
      });
    };
    switch (kind) {
      case "transfer": {
        const to = this.#users[Math.floor(this.#draw() * this.#users.length)]?.account.address ?? user.account.address;
        await wallet.sendTransaction({ to, value: 1_000n, nonce, gas: 21_000n, ...FEES });
        return;
      }
      case "rebalance": {
        const market = Array.from({ length: 16 }, () => BigInt(Math.round((this.#draw() * 2 - 1) * 1e6)));
        const position = toHex(Uint8Array.from({ length: 8 }, () => Math.floor(this.#draw() * 256)));
        await call(user.rebalancer, "RiskRebalancer", "rebalance", [market, position]);
        return;
      }
      case "two steps":
        await call(this.#targets?.twoStep, "TwoStep", "run", [this.#floats(64)]);
        return;
      case "batch of ten":
        await call(this.#targets?.batch, "BatchOfTen", "run", [Array.from({ length: 10 }, () => this.#floats(16))]);
        return;
    }
  }

  #contract(name: string): { readonly abi: Abi; readonly bytecode: Hex } {
    const contract = this.#contracts[name];
    if (contract === undefined) throw new Error(`no contract ${name}`);
    return { abi: contract.abi as Abi, bytecode: contract.bytecode };
  }

  #floats(count: number): Hex {
    return toHex(new Uint8Array(Float32Array.from({ length: count }, () => this.#draw() * 2 - 1).buffer));
  }

  #kind(): Kind {
    let left = this.#draw() * 100;
    for (const kind of KINDS) {
      left -= MIX[kind];
      if (left < 0) return kind;
    }
    return "transfer";
  }

  /** From 0 to below 1. */
  #draw(): number {
    return (this.#random.next() >>> 0) / 2 ** 32;
  }
}

interface User {
  readonly account: ReturnType<typeof privateKeyToAccount>;
  readonly wallet: ReturnType<typeof walletType>;
  nonce: number;
  rebalancer: Address | undefined;
}

/** The type of a wallet that signs by itself, which viem has no shorter name for. */
function walletType(account: ReturnType<typeof privateKeyToAccount>, chain: Chain) {
  return createWalletClient({ account, chain, transport: http() });
}
