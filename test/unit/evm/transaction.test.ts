import { RLP } from "@ethereumjs/rlp";
import fc from "fast-check";
import { hexToBytes, keccak256, numberToHex, toHex } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { beforeAll, describe, expect, it } from "vitest";
import { parseTransaction, type TransactionProblem, TRANSACTION_LIMITS } from "../../../mempool/evm/transaction.ts";
import { inferenceOptions } from "../../../mempool/evm/options.ts";
import { readRlp, type RlpItem } from "../../../mempool/evm/rlp.ts";

const CHAIN_ID = 1_337n;
const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
const account = privateKeyToAccount(`0x${"11".repeat(32)}`);
const TO = `0x${"22".repeat(20)}` as const;
const COMMON = { nonce: 3, to: TO, value: 5n, gas: 100_000n, data: "0x1234" } as const;
const FEES = { maxFeePerGas: 9n, maxPriorityFeePerGas: 2n } as const;

const samples: Record<string, Uint8Array> = {};

beforeAll(async () => {
  const chainId = Number(CHAIN_ID);
  const sign = async (name: string, tx: Parameters<typeof account.signTransaction>[0]) => {
    samples[name] = hexToBytes(await account.signTransaction(tx));
  };
  await sign("legacy", { ...COMMON, chainId, gasPrice: 7n, type: "legacy" });
  await sign("2930", { ...COMMON, chainId, gasPrice: 7n, type: "eip2930", accessList: [] });
  await sign("1559", { ...COMMON, ...FEES, chainId, type: "eip1559" });
  const delegation = { contractAddress: TO, chainId, nonce: 0 };
  const authorizationList = [await account.signAuthorization(delegation)];
  await sign("7702", { ...COMMON, ...FEES, chainId, type: "eip7702", authorizationList });
  await sign("unprotected", { ...COMMON, gasPrice: 7n, type: "legacy" });
  await sign("elsewhere", { ...COMMON, ...FEES, chainId: 1, type: "eip1559" });
  await sign("legacy elsewhere", { ...COMMON, chainId: 1, gasPrice: 7n, type: "legacy" });
  await sign("poor", { ...COMMON, ...FEES, gas: 21_000n, chainId, type: "eip1559" });
  await sign("creation", { ...COMMON, ...FEES, to: null, chainId, type: "eip1559" });
  const options = inferenceOptions({ capGwei: 77, ttlBlocks: 9 });
  if (options === undefined) throw new Error("there are options");
  const accessList = [options] as Parameters<typeof account.signTransaction>[0]["accessList"] & object;
  await sign("options", { ...COMMON, ...FEES, chainId, type: "eip1559", accessList });
  const strange = [{ address: options.address, storageKeys: [`0x${"ee".repeat(32)}`] }] as typeof accessList;
  await sign("strange options", { ...COMMON, ...FEES, chainId, type: "eip1559", accessList: strange });
});

function sample(name: string): Uint8Array {
  const found = samples[name];
  if (found === undefined) throw new RangeError(name);
  return found;
}

const parse = (raw: Uint8Array) => parseTransaction(raw, { chainId: CHAIN_ID });

function kindOf(raw: Uint8Array): TransactionProblem["kind"] | "taken" {
  const parsed = parse(raw);
  return parsed.ok ? "taken" : parsed.problem.kind;
}

/** The typed transaction with other items. */
function withItems(name: string, change: (items: RlpItem[]) => RlpItem[]): Uint8Array {
  const raw = sample(name);
  return Buffer.concat([raw.subarray(0, 1), RLP.encode(change([...(readRlp(raw.subarray(1)) as RlpItem[])]))]);
}

const bytes = (value: bigint) => hexToBytes(numberToHex(value));

describe("a raw transaction", () => {
  it.each(["legacy", "2930", "1559", "7702"])("of the type %s is taken as it was signed", (name) => {
    const parsed = parse(sample(name));
    if (!parsed.ok) throw new Error(parsed.problem.message);
    const { transaction } = parsed;
    expect(transaction).toMatchObject({
      sender: account.address.toLowerCase(),
      nonce: 3,
      value: 5n,
      to: TO,
      options: {},
    });
    expect(transaction.hash).toBe(keccak256(sample(name)).slice(2));
    expect([transaction.maxFeePerGas, transaction.maxPriorityFeePerGas]).toEqual(
      name === "legacy" || name === "2930" ? [7n, 7n] : [9n, 2n],
    );
  });

  it("may create a contract, and say what its inference may cost", () => {
    const creation = parse(sample("creation"));
    expect(creation.ok && creation.transaction.to).toBe(undefined);
    const options = parse(sample("options"));
    expect(options.ok && options.transaction.options).toEqual({ capGwei: 77, ttlBlocks: 9 });
  });

  it.each<[TransactionProblem["kind"], string, () => Uint8Array]>([
    ["unprotected", "for any chain", () => sample("unprotected")],
    ["wrong-chain", "for another chain", () => sample("elsewhere")],
    ["wrong-chain", "of the old form, for another chain", () => sample("legacy elsewhere")],
    ["gas-too-low", "with less gas than its bytes cost", () => sample("poor")],
    ["bad-options", "whose options nobody knows", () => sample("strange options")],
    ["malformed", "that is empty", () => new Uint8Array(0)],
    ["malformed", "cut off", () => sample("1559").subarray(0, -1)],
    ["malformed", "with a byte behind it", () => Buffer.concat([sample("1559"), Uint8Array.of(0)])],
    ["malformed", "with a byte behind it, of the old form", () => Buffer.concat([sample("legacy"), Uint8Array.of(0)])],
    ["malformed", "with a field more", () => withItems("1559", (items) => [...items, Uint8Array.of(1)])],
    [
      "malformed",
      "with a list for a number",
      () => withItems("1559", ([a, , ...rest]) => [a, [], ...rest] as RlpItem[]),
    ],
    [
      "malformed",
      "with zeros before a number",
      () => withItems("1559", ([a, , ...rest]) => [a, Uint8Array.of(0, 1), ...rest] as RlpItem[]),
    ],
    [
      "malformed",
      "with an address of 19 bytes",
      () => withItems("1559", (items) => items.with(5, new Uint8Array(19).fill(1))),
    ],
    [
      "malformed",
      "that offers more for a tip than in all",
      () => withItems("1559", (items) => items.with(2, Uint8Array.of(50))),
    ],
    [
      "bad-nonce",
      "with a nonce that no account reaches",
      () => withItems("1559", (items) => items.with(1, bytes(2n ** 63n))),
    ],
    ["bad-signature", "with r = 0", () => withItems("1559", (items) => items.with(10, new Uint8Array(0)))],
    ["bad-signature", "with s = 0", () => withItems("1559", (items) => items.with(11, new Uint8Array(0)))],
    [
      "bad-signature",
      "with r beyond the curve's order",
      () => withItems("1559", (items) => items.with(10, bytes(ORDER))),
    ],
    ["bad-signature", "with the other s of the two", () => withItems("1559", highS)],
    ["bad-signature", "whose r is on no point", () => withItems("1559", (items) => items.with(10, bytes(5n)))],
    ["malformed", "with a parity of 2", () => withItems("1559", (items) => items.with(9, Uint8Array.of(2)))],
    ["unsupported-type", "with blobs", () => Buffer.concat([Uint8Array.of(3), sample("1559").subarray(1)])],
    ["unsupported-type", "of an unknown type", () => Buffer.concat([Uint8Array.of(0x55), sample("1559").subarray(1)])],
    ["oversized", "larger than any", () => new Uint8Array(TRANSACTION_LIMITS.maxBytes + 1)],
    ["malformed", "nested without end", () => new Uint8Array(100_000).fill(0xc1)],
    ["malformed", "that claims to be larger than it is", () => Uint8Array.of(2, 0xfb, 0xff, 0xff, 0xff, 0xff)],
    ["malformed", "with a length that is not the shortest", () => Uint8Array.of(0xf8, 0x01, 0x01)],
  ])("is refused as %s: %s", (kind, _what, make) => {
    expect(kindOf(make())).toBe(kind);
  });

  it("nested as deeply as its size allows is refused at once", () => {
    let nested = new Uint8Array(0);
    for (let depth = 0; nested.length < 100_000 && depth < 2_000; depth++)
      nested = RLP.encode([nested]) as typeof nested;
    const before = performance.now();
    expect(kindOf(Buffer.concat([Uint8Array.of(2), nested]))).toBe("malformed");
    expect(performance.now() - before).toBeLessThan(2_000);
  });

  it("signed for one content is not that account's with another", () => {
    const changed = parse(withItems("1559", (items) => items.with(6, Uint8Array.of(99))));
    expect(changed.ok && changed.transaction.sender).not.toBe(account.address.toLowerCase());
  });

  it("never makes the parser throw, whatever it is", () => {
    const valid = fc.constantFrom(...["legacy", "2930", "1559", "7702", "options"].map(sample));
    const damaged = fc.tuple(valid, fc.nat(), fc.nat(255), fc.nat(3)).map(([raw, place, byte, how]) => {
      const at = place % raw.length;
      if (how === 0) return raw.with(at, byte);
      if (how === 1) return raw.subarray(0, at);
      if (how === 2) return Buffer.concat([raw.subarray(0, at), Uint8Array.of(byte), raw.subarray(at)]);
      return Buffer.concat([raw.subarray(0, at), raw.subarray(at + 1)]);
    });
    fc.assert(
      fc.property(fc.oneof(damaged, fc.uint8Array({ maxLength: 300 })), (raw) => {
        const parsed = parse(raw);
        if (!parsed.ok) expect(parsed.problem.message.length).toBeLessThan(300);
      }),
      { numRuns: 400 },
    );
  });
});

describe("RLP", () => {
  it("is read as it is written, and in one way only", () => {
    const { item } = fc.letrec<{ item: RlpItem; leaf: Uint8Array; list: RlpItem[] }>((tie) => ({
      item: fc.oneof({ depthSize: "small", maxDepth: 3 }, tie("leaf"), tie("list")),
      leaf: fc.uint8Array({ maxLength: 80 }),
      list: fc.array(tie("item"), { maxLength: 5 }),
    }));
    fc.assert(
      fc.property(item, (value) => {
        expect(plain(readRlp(RLP.encode(value)))).toEqual(plain(value));
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (raw) => {
        const read = readRlp(raw);
        if (read !== undefined) expect(toHex(RLP.encode(read))).toBe(toHex(raw));
      }),
    );
  });

  it("is read to the depth that blocks need and no deeper, and not when it has more parts than its size explains", () => {
    const nested = (depth: number): Uint8Array => {
      let item: RlpItem = new Uint8Array(2);
      for (let i = 0; i < depth; i++) item = [item];
      return RLP.encode(item);
    };
    expect(readRlp(nested(8))).toBeDefined();
    expect(readRlp(nested(9))).toBeUndefined();
    const addresses = (count: number) => RLP.encode(Array.from({ length: count }, () => [new Uint8Array(20), []]));
    expect(readRlp(addresses(5_000))).toHaveLength(5_000);
    expect(readRlp(addresses(30_000))).toBeUndefined();
    // What can be read can be written again.
    const most = RLP.encode(Array.from({ length: 65_000 }, () => new Uint8Array(6)));
    expect(RLP.encode(readRlp(most) ?? [])).toHaveLength(most.length);
    const singles = RLP.encode(Array.from({ length: 1_000 }, () => Uint8Array.of(1)));
    expect(readRlp(singles)).toBeUndefined();
    expect(readRlp(new Uint8Array(0))).toBeUndefined();
  });
});

function plain(item: RlpItem | undefined): unknown {
  return item instanceof Uint8Array ? toHex(item) : item?.map(plain);
}

/** The signature's mirror image, which recovers to the same account on a curve without that rule. */
function highS(items: RlpItem[]): RlpItem[] {
  const [parity, s] = [items[9], items[11]] as [Uint8Array, Uint8Array];
  return items
    .with(9, parity.length === 0 ? Uint8Array.of(1) : new Uint8Array(0))
    .with(11, bytes(ORDER - BigInt(toHex(s))));
}
