import { createBlockFromRLP } from "@ethereumjs/block";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { type EvmChain, FollowError, type SealedEvmBlock } from "../../../mempool/evm/chain.ts";
import { GasPace } from "../../../mempool/evm/gas-pace.ts";
import { commonOf } from "../../../mempool/evm/genesis.ts";
import type { EvmTransaction } from "../../../mempool/evm/transaction.ts";
import {
  addressOf,
  ANY_TIME,
  asking,
  COINBASE,
  COMPILING,
  ETHER,
  genesisOf,
  GWEI,
  NO_RESULTS,
  newChain,
  senderAddress,
  SENDERS,
  transaction,
} from "../../support/evm-chain.ts";

beforeAll(async () => {
  await newChain();
}, COMPILING);

const NONE = new Uint8Array(32);

/** The next block of these transactions, all of which it has room for. */
async function blockOf(chain: EvmChain, transactions: readonly EvmTransaction[]): Promise<SealedEvmBlock> {
  await chain.begin(chain.nextEnvironment(chain.head.timestamp + 1));
  for (const tx of transactions) {
    const added = await chain.add(tx, NO_RESULTS, ANY_TIME);
    if (added.kind !== "included") throw new Error(`it is ${added.kind}`);
  }
  return chain.seal(NONE);
}

describe("a chain", () => {
  it("makes blocks that another implementation reads, with the same hash and roots", async () => {
    const chain = await newChain();
    const sealed = await blockOf(chain, [
      await transaction({ to: senderAddress(1), value: ETHER }),
      await asking("ChainProbe", "write", [1n, 2n], { from: 1, type: "legacy" }),
      await asking("ChainProbe", "writeAndRevert", [1n, 2n], { from: 2, type: "eip2930" }),
    ]);
    const block = createBlockFromRLP(sealed.raw, { common: commonOf(genesisOf()) });
    expect(Buffer.from(block.hash()).toString("hex")).toBe(sealed.head.hash);
    expect(await block.transactionsTrieIsValid()).toBe(true);
    expect(block.transactions.map((tx) => tx.getSenderAddress().toString())).toEqual([0, 1, 2].map(senderAddress));
    expect(sealed.receipts.map(({ succeeded }) => succeeded)).toEqual([true, true, false]);
    expect(sealed.receipts[1]?.logs[0]).toMatchObject({ address: addressOf("ChainProbe") });
    expect(sealed.receipts.at(-1)?.cumulativeGasUsed).toBe(sealed.head.gasUsed);
    expect(sealed.changedKeys).toEqual(
      expect.arrayContaining([`a:${senderAddress(0)}`, `a:${COINBASE}`, "b:number", "b:baseFeePerGas"]),
    );
    expect(sealed.changedKeys.filter((key) => key.startsWith("s:"))).toHaveLength(1);
    // Its storage changed, which is nothing that a look at the account shows.
    expect(sealed.changedKeys).not.toContain(`a:${addressOf("ChainProbe")}`);
  });

  it("follows the price of gas as EIP-1559 has it", async () => {
    const chain = await newChain({ gasLimit: 42_000n });
    const transfers = (from: number, count: number) =>
      Promise.all(
        Array.from({ length: count }, (_, place) => {
          return transaction({ from: from + place, to: senderAddress(0), gas: 21_000n });
        }),
      );
    const prices: bigint[] = [];
    for (const full of [[], await transfers(1, 1), await transfers(2, 2)]) {
      const { head } = await blockOf(chain, full);
      expect(chain.nextEnvironment(0)).toMatchObject({
        timestamp: head.timestamp,
        baseFeePerGas: head.nextBaseFeePerGas,
      });
      prices.push(head.baseFeePerGas, head.nextBaseFeePerGas);
    }
    // Empty: an eighth less. Half full: the same. Full: an eighth more.
    const [first, second] = [(GWEI * 7n) / 8n, (((GWEI * 7n) / 8n) * 7n) / 8n];
    expect(prices).toEqual([first, second, second, second, second, (second * 9n) / 8n]);
  });

  it("does not begin what may not end in time, or has no room, and takes back what runs for too long", async () => {
    const chain = await newChain({ gasLimit: 4_000_000n });
    await chain.begin(chain.nextEnvironment(2_000));
    const burn = await asking("GasBurner", "burnAll", [], { gas: 2_000_000n, from: 2 });
    // The first one is begun whatever is thought of it, and the clock ends it.
    expect(await chain.add(burn, NO_RESULTS, 20)).toEqual({ kind: "overran" });
    expect(await chain.add(await transaction({ to: senderAddress(1), from: 3 }), NO_RESULTS, ANY_TIME)).toMatchObject({
      kind: "included",
    });
    expect(await chain.add(burn, NO_RESULTS, 1)).toMatchObject({ kind: "no-room" });
    // What it took in its last run counts, not what it may take.
    expect(await chain.add(burn, NO_RESULTS, 20, 1_000n)).toEqual({ kind: "overran" });
    const full = await asking("GasBurner", "burnAll", [], { gas: 1_900_000n });
    const rest = await asking("GasBurner", "burnAll", [], { gas: 2_100_000n, from: 1 });
    expect(await chain.add(full, NO_RESULTS, ANY_TIME)).toMatchObject({ kind: "included", gasUsed: 1_900_000n });
    expect(await chain.add(rest, NO_RESULTS, ANY_TIME)).toMatchObject({ kind: "no-room" });
  }, 60_000);

  it("says in one word why a transaction cannot be in the block", async () => {
    const chain = await newChain();
    await chain.begin(chain.nextEnvironment(2_000));
    const reasonOf = async (tx: EvmTransaction) => {
      const added = await chain.add(tx, NO_RESULTS, ANY_TIME);
      return added.kind === "invalid" ? added.reason : added.kind;
    };
    expect(await reasonOf(await transaction({ nonce: 1, to: COINBASE }))).toBe("nonce-too-high");
    expect(await reasonOf(await transaction({ to: COINBASE, value: 10_000n * ETHER }))).toBe("insufficient-funds");
    expect(await reasonOf(await transaction({ to: COINBASE, gas: 70_000_000n }))).toBe("gas-limit");
    expect(await reasonOf(await transaction({ to: COINBASE }))).toBe("included");
    expect(await reasonOf(await transaction({ to: COINBASE }))).toBe("nonce-too-low");
    const dear = await newChain({ baseFeePerGas: 100n * GWEI });
    await dear.begin(dear.nextEnvironment(2_000));
    expect(await dear.add(await transaction({ to: COINBASE }), NO_RESULTS, ANY_TIME)).toMatchObject({
      reason: "fee-too-low",
    });
  });

  it("keeps money where it was, but for what burns", async () => {
    const chain = await newChain();
    const sealed = await blockOf(chain, [
      await transaction({ to: senderAddress(1), value: 3n * ETHER }),
      await asking("ChainProbe", "create", [1n, false], { from: 1, value: ETHER }),
      await asking("ChainProbe", "create", [2n, true], { from: 2, value: ETHER }),
      await asking("ChainProbe", "pay", [`0x${"77".repeat(20)}`], { from: 3, value: 9n }),
    ]);
    const accounts = new Set([
      ...sealed.diff.map(({ address }) => address),
      ...SENDERS.map((_, i) => senderAddress(i)),
    ]);
    const total = [...accounts].reduce((sum, address) => sum + chain.account(address).balance, 0n);
    const burnt = sealed.head.gasUsed * sealed.head.baseFeePerGas;
    expect(total + burnt).toBe(1_000n * ETHER * BigInt(SENDERS.length));
    expect(chain.account(`0x${"77".repeat(20)}`).balance).toBe(9n);
  });

  it("goes back over three blocks and on with others, and so does one that follows", async () => {
    const [chain, follower] = [await newChain(), await newChain()];
    const write = (value: bigint, nonce: number) => asking("ChainProbe", "write", [1n, value], { nonce });
    const sealed: SealedEvmBlock[] = [];
    for (let nonce = 0; nonce < 4; nonce++) sealed.push(await blockOf(chain, [await write(BigInt(nonce + 1), nonce)]));
    for (const { diff, head } of sealed) await follower.apply(diff, head);
    expect(follower.head).toEqual(chain.head);
    const [first] = sealed;
    if (first === undefined) throw new Error("there are four");
    for (const one of [chain, follower]) {
      await one.rollback(1);
      expect(one.head).toEqual(first.head);
      expect(one.account(senderAddress(0)).nonce).toBe(1);
      expect(one.keeps(sealed[3]?.head.stateRoot ?? "")).toBe(false);
    }
    const other = await blockOf(chain, [await write(99n, 1)]);
    await follower.apply(other.diff, other.head);
    expect(follower.head).toEqual(chain.head);
    expect(other.head.hash).not.toBe(sealed[1]?.head.hash);
    // The state of a block before can still be asked for.
    expect(follower.account(senderAddress(0), first.head.stateRoot).nonce).toBe(1);
    const lost = sealed[2];
    if (lost === undefined) throw new Error("there are four");
    await expect(follower.apply(lost.diff, lost.head)).rejects.toThrow(FollowError);
  });

  it("goes back in the middle of a block, and keeps as many blocks as a reorg may take", async () => {
    const chain = await newChain();
    for (let number = 1; number <= 140; number++) await blockOf(chain, []);
    await chain.begin(chain.nextEnvironment(9_000));
    await chain.add(await transaction({ to: COINBASE }), NO_RESULTS, ANY_TIME);
    await chain.rollback(140 - 64);
    expect([chain.head.number, chain.account(senderAddress(0)).nonce]).toEqual([76, 0]);
    await expect(chain.rollback(3)).rejects.toThrow(FollowError);
    await blockOf(chain, [await asking("ChainProbe", "hashOf", [1n])]);
  });

  it("takes no state for another's", async () => {
    const [chain, follower] = [await newChain(), await newChain()];
    const { diff, head } = await blockOf(chain, [await transaction({ to: senderAddress(1), value: 5n })]);
    const [change, ...rest] = diff;
    if (change === undefined) throw new Error("something changed");
    await expect(follower.apply([{ ...change, balance: change.balance + 1n }, ...rest], head)).rejects.toThrow(
      FollowError,
    );
    expect(follower.head.number).toBe(0);
    await follower.apply(structuredClone(diff), structuredClone(head));
    expect(follower.head).toEqual(chain.head);
  });
});

describe("one that follows", () => {
  /** A transaction of one of these kinds, from one of three senders. */
  const kinds = ["transfer", "write", "writeAndRevert", "writeAround", "create", "vanish", "pay"] as const;
  const wanted = fc.record({ kind: fc.constantFrom(...kinds), from: fc.nat(2), a: fc.nat(4), b: fc.nat(3) });

  it("comes to the same state by the differences alone, after any transactions", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(wanted, { maxLength: 5 }), { maxLength: 4 }), async (blocks) => {
        const [chain, follower] = [await newChain(), await newChain()];
        const nonces = [0, 0, 0];
        let salt = 0n;
        for (const block of blocks) {
          await chain.begin(chain.nextEnvironment(chain.head.timestamp));
          for (const { kind, from, a, b } of block) {
            const nonce = nonces[from] ?? 0;
            const more = { from, nonce };
            const probe = (name: string, args: readonly unknown[], value = 0n) =>
              asking("ChainProbe", name, args, { ...more, value });
            const tx = await {
              transfer: () => transaction({ ...more, to: `0x${"5".repeat(39)}${a}`, value: BigInt(b) }),
              write: () => probe("write", [BigInt(a), BigInt(b)]),
              writeAndRevert: () => probe("writeAndRevert", [BigInt(a), BigInt(b)]),
              writeAround: () => probe("writeAround", [BigInt(a), BigInt(b)]),
              create: () => probe("create", [salt++, false], BigInt(b)),
              vanish: () => probe("create", [salt++, true], BigInt(b)),
              pay: () => probe("pay", [`0x${"6".repeat(39)}${a}`], BigInt(b)),
            }[kind]();
            const added = await chain.add(tx, NO_RESULTS, ANY_TIME);
            if (added.kind === "included") nonces[from] = nonce + 1;
          }
          const { diff, head } = await chain.seal(NONE);
          await follower.apply(diff, head);
        }
        expect(follower.head).toEqual(chain.head);
      }),
      { numRuns: 12 },
    );
  }, 60_000);
});

describe("the pace of gas", () => {
  it("follows what was measured, without what says nothing of the machine", () => {
    const pace = new GasPace(2_000);
    pace.measured(100_000n, 100);
    expect(pace.gasPerMs).toBe(1_900);
    pace.measured(100n, 1_000);
    expect(pace.gasPerMs).toBe(1_900);
    for (let i = 0; i < 100; i++) pace.measured(500_000n, 100);
    expect(pace.gasPerMs).toBeCloseTo(5_000, -1);
    expect(pace.msFor(1_000_000n)).toBeCloseTo(1_000_000 / pace.gasPerMs);
  });
});
