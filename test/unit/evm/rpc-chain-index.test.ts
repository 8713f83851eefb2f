import fc from "fast-check";
import { expect, test } from "vitest";
import { type ChainChange, ChainIndex, type LogMatch } from "../../../scheduler/evm/rpc/chain-index.ts";
import type { IndexedBlock, IndexedLog } from "../../../scheduler/evm/rpc/indexed.ts";
import { blockAfter } from "../../support/evm-rpc.ts";

const GENESIS = blockAfter(undefined);
const WIDE = { maxLogs: 1_000, maxLookedAt: 10_000, maxDataBytes: 10_000 };
const ALL: LogMatch = { addresses: new Set(), topics: [] };

let made = 0;

/** A block without an Ethereum block behind it: the index looks at hashes and logs only. */
function plainBlock(parent: IndexedBlock, logs: readonly IndexedLog[] = []): IndexedBlock {
  const hash = (++made).toString(16).padStart(64, "0");
  const [transaction] = TEMPLATE.transactions;
  if (transaction === undefined) throw new Error("the template has one");
  return {
    ...TEMPLATE,
    number: parent.number + 1,
    hash,
    parentHash: parent.hash,
    transactions: [{ ...transaction, hash: `ff${hash.slice(2)}` }],
    receipts: [{ succeeded: true, gasUsed: 1n, logs, logsBloom: new Uint8Array(256), contractAddress: undefined }],
  };
}

const TEMPLATE: IndexedBlock = {
  ...GENESIS,
  transactions: [
    {
      hash: "",
      raw: new Uint8Array(),
      sender: "",
      type: 2,
      chainId: 1n,
      nonce: 0,
      to: undefined,
      value: 0n,
      input: new Uint8Array(),
      gasLimit: 0n,
      maxFeePerGas: 0n,
      maxPriorityFeePerGas: 0n,
      accessList: [],
      authorizations: [],
      v: 0n,
      r: 0n,
      s: 0n,
    },
  ],
};

test("whatever is appended, taken back and made final, the index knows the kept blocks of the chain and no others", () => {
  const steps = fc.array(fc.oneof(fc.constant("append" as const), fc.nat(6), fc.record({ finalize: fc.nat(40) })), {
    maxLength: 80,
  });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 12 }), steps, (keptBlocks, plan) => {
      const index = new ChainIndex(GENESIS, { keptBlocks });
      const chain: IndexedBlock[] = [GENESIS];
      const gone: IndexedBlock[] = [];
      const told: ChainChange[] = [];
      const followed: IndexedBlock[] = [GENESIS];
      index.onChange((change) => {
        told.push(change);
        if (change.kind === "appended") followed.push(change.block);
        else for (const block of change.blocks) expect(followed.pop()).toBe(block);
      });
      let final = 0;
      const head = (): IndexedBlock => chain.at(-1) as IndexedBlock;
      for (const step of plan) {
        if (step === "append") {
          const block = plainBlock(head());
          chain.push(block);
          index.append(block);
        } else if (typeof step === "number") {
          const to = Math.max(head().number - step, final, head().number - keptBlocks + 1, index.first);
          while (head().number > to) gone.push(chain.pop() as IndexedBlock);
          index.rollback(to);
        } else {
          if (step.finalize <= head().number) final = Math.max(final, step.finalize);
          index.finalize(step.finalize);
        }
        expect(index.head).toBe(head());
        expect(index.head.number - index.first).toBeLessThan(keptBlocks);
        expect(index.finalBlock.number).toBe(Math.max(final, index.first));
      }
      expect(followed).toEqual(chain);
      for (const block of chain) {
        const isKept = block.number >= index.first;
        const hash = block.transactions[0]?.hash ?? "";
        expect(index.blockAt(block.number)).toBe(isKept ? block : undefined);
        expect(index.blockOf(block.hash)).toBe(isKept ? block : undefined);
        if (hash !== "") expect(index.transaction(hash)?.block).toBe(isKept ? block : undefined);
      }
      for (const block of gone) {
        expect(index.blockOf(block.hash)).toBeUndefined();
        expect(index.transaction(block.transactions[0]?.hash ?? "")).toBeUndefined();
      }
    }),
  );
});

const word = (digit: number): string => digit.toString(16).padStart(64, "0");
const address = (digit: number): string => `0x${digit.toString(16).padStart(40, "0")}`;

const someLog: fc.Arbitrary<IndexedLog> = fc.record({
  address: fc.nat(2).map(address),
  topics: fc.array(fc.nat(2).map(word), { maxLength: 4 }),
  data: fc.constant(new Uint8Array(1)),
});

const someSet = (of: (digit: number) => string) =>
  fc.uniqueArray(fc.nat(2), { maxLength: 2 }).map((digits) => new Set(digits.map(of)));

test("a search finds what looking at every log finds, in order", () => {
  const matches = fc.record({ addresses: someSet(address), topics: fc.array(someSet(word), { maxLength: 4 }) });
  const chains = fc.array(fc.array(someLog, { maxLength: 4 }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(chains, matches, fc.nat(6), fc.nat(6), (blocks, match, from, to) => {
      const index = new ChainIndex(GENESIS);
      for (const logs of blocks) index.append(plainBlock(index.head, logs));
      const expected: unknown[] = [];
      for (const [place, logs] of blocks.entries()) {
        for (const [logIndex, log] of logs.entries()) {
          const fits =
            (match.addresses.size === 0 || match.addresses.has(log.address)) &&
            match.topics.every(
              (asked, at) => log.topics[at] !== undefined && (asked.size === 0 || asked.has(log.topics[at])),
            );
          if (fits && place + 1 >= from && place + 1 <= to) expected.push([place + 1, logIndex, log]);
        }
      }
      const found = index.search({ from, to }, match, WIDE);
      expect(found.ok && found.logs.map(({ block, logIndex, log }) => [block.number, logIndex, log])).toEqual(expected);
    }),
  );
});

test("a search that would find, look at, or carry too much says so", () => {
  const index = new ChainIndex(GENESIS);
  const log = { address: address(1), topics: [word(1)], data: new Uint8Array(10) };
  for (let i = 0; i < 4; i++) index.append(plainBlock(index.head, [log, log]));
  const range = { from: 0, to: 4 };
  expect(index.search(range, ALL, WIDE)).toMatchObject({ ok: true });
  expect(index.search(range, ALL, { ...WIDE, maxLogs: 8 })).toMatchObject({ ok: true });
  expect(index.search(range, ALL, { ...WIDE, maxLogs: 7 })).toEqual({ ok: false, reason: "results" });
  expect(index.search(range, ALL, { ...WIDE, maxLookedAt: 7 })).toEqual({ ok: false, reason: "work" });
  expect(index.search(range, ALL, { ...WIDE, maxDataBytes: 79 })).toEqual({ ok: false, reason: "work" });
  // What cannot be in a block is not looked at.
  const other = { addresses: new Set([address(2)]), topics: [] };
  expect(index.search(range, other, { ...WIDE, maxLookedAt: 1 })).toEqual({ ok: true, logs: [] });
});

test("what would break the chain is a bug and stops", () => {
  const index = new ChainIndex(GENESIS, { keptBlocks: 3 });
  const one = plainBlock(GENESIS);
  index.append(one);
  expect(() => index.append(one)).toThrow(/does not follow/);
  expect(() => index.append({ ...plainBlock(one), parentHash: word(0) })).toThrow(/another parent/);
  index.finalize(1);
  index.append(plainBlock(one));
  expect(() => index.rollback(0)).toThrow(/final/);
  index.rollback(1);
  expect(index.head).toBe(one);
});
