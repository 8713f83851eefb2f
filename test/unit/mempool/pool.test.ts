import { describe, expect, it, test } from "vitest";
import { DEFAULT_MEMPOOL_LIMITS } from "../../../mempool/limits.ts";
import { Pool } from "../../../mempool/pool.ts";
import type { TransactionTerms } from "../../../scheduler/shared/vocabulary.ts";
import { Drive, terms } from "./drafts.ts";

const LIMITS = DEFAULT_MEMPOOL_LIMITS;

describe("nonces", () => {
  it("start at 0 and follow each other", () => {
    const drive = new Drive();
    expect(drive.refusal({ nonce: 1 })).toEqual({ reason: "nonce-gap", expectedNonce: 0 });
    drive.admit({ nonce: 0 });
    drive.admit({ nonce: 1 });
    expect(drive.refusal({ nonce: 3 })).toEqual({ reason: "nonce-gap", expectedNonce: 2 });
    expect(drive.refusal({ nonce: 2 })).toBeUndefined();
    expect(drive.refusal({ sender: "bob", nonce: 1 })).toEqual({ reason: "nonce-gap", expectedNonce: 0 });
  });

  it("that are sealed are used, though another hash asks", () => {
    const drive = new Drive();
    drive.admitReady({ nonce: 0 });
    drive.admit({ nonce: 1 });
    drive.sealAll();
    expect(drive.refusal({ nonce: 0, hash: "again", gasPriceGwei: 900 })).toEqual({
      reason: "nonce-used",
      expectedNonce: 2,
    });
  });

  it("may be filled where one left a hole, and only there", () => {
    const drive = new Drive();
    drive.admit({ nonce: 0 });
    const gone = drive.admit({ nonce: 1 });
    drive.admit({ nonce: 2 });
    drive.pool.remove(gone);
    expect(drive.refusal({ nonce: 4 })).toEqual({ reason: "nonce-gap", expectedNonce: 1 });
    expect(drive.admit({ nonce: 1, hash: "filler", gasPriceGwei: 1 }).nonce).toBe(1);
    expect(drive.refusal({ nonce: 4 })).toEqual({ reason: "nonce-gap", expectedNonce: 3 });
  });

  it("at the end of a queue leave no hole", () => {
    const drive = new Drive();
    const [, second, third] = [0, 1, 2].map((nonce) => drive.admit({ nonce }));
    if (second !== undefined) drive.pool.remove(second);
    if (third !== undefined) drive.pool.remove(third);
    expect(drive.refusal({ nonce: 2 })).toEqual({ reason: "nonce-gap", expectedNonce: 1 });
  });
});

describe("replacement", () => {
  it("asks for ten percent more gas price, rounded up, and at least for one more", () => {
    const drive = new Drive();
    drive.admit({ gasPriceGwei: 101 });
    const offer = (gasPriceGwei: number) => drive.refusal({ hash: "new", gasPriceGwei });
    expect(offer(111)).toEqual({ reason: "underpriced-replacement", minimumGasPriceGwei: 112 });
    expect(offer(112)).toBeUndefined();
    drive.admit({ sender: "bob", gasPriceGwei: 0 });
    expect(drive.refusal({ sender: "bob", hash: "new", gasPriceGwei: 0 })).toEqual({
      reason: "underpriced-replacement",
      minimumGasPriceGwei: 1,
    });
  });

  it("needs no room, and may use the escrow of what it replaces", () => {
    const drive = new Drive({ maxPending: 1, maxPendingPerSender: 1 });
    const account = drive.pool.openAccount("alice");
    if (account === undefined) throw new Error("no account");
    account.depositGwei = 30;
    const old = drive.admit({ escrowGwei: 30 });
    account.depositGwei = 5;
    old.heldGwei = 25;
    const again = { hash: "new", gasPriceGwei: 200 };
    expect(drive.refusal({ ...again, escrowGwei: 30 })).toBeUndefined();
    expect(drive.refusal({ ...again, escrowGwei: 31 })).toEqual({
      reason: "underfunded",
      availableGwei: 30,
      neededGwei: 31,
    });
  });
});

describe("limits, each with its rejection", () => {
  const few = { maxPending: 2, maxPendingPerSender: 2 };

  it("refuses a hash that it knows, pending or sealed, until it is forgotten", () => {
    const drive = new Drive();
    const tx = drive.admitReady();
    expect(drive.refusal({ gasPriceGwei: 900 })).toEqual({ reason: "duplicate" });
    drive.sealAll();
    expect(drive.refusal({})).toEqual({ reason: "duplicate" });
    drive.pool.forget(tx);
    expect(drive.refusal({})).toEqual({ reason: "nonce-used", expectedNonce: 1 });
  });

  it("of all pending; sealing makes room", () => {
    const drive = new Drive(few);
    drive.admitReady({ sender: "a" });
    drive.admit({ sender: "b" });
    expect(drive.refusal({ sender: "c" })).toEqual({ reason: "pool-full", limit: 2 });
    drive.sealAll();
    expect(drive.refusal({ sender: "c" })).toBeUndefined();
  });

  it("of one sender's pending", () => {
    const drive = new Drive({ ...few, maxPending: 9 });
    drive.admit({ nonce: 0 });
    drive.admit({ nonce: 1 });
    expect(drive.refusal({ nonce: 2 })).toEqual({ reason: "sender-limit", limit: 2 });
    expect(drive.refusal({ sender: "bob" })).toBeUndefined();
  });

  it("of accounts; those with a deposit or a used nonce stay, others go with their last transaction", () => {
    const drive = new Drive({ maxAccounts: 2 });
    const saver = drive.pool.openAccount("saver");
    if (saver !== undefined) saver.depositGwei = 1;
    const first = drive.admitReady({ sender: "passer-by" });
    expect(drive.refusal({ sender: "third" })).toEqual({ reason: "too-many-accounts", limit: 2 });
    expect(drive.pool.openAccount("third")).toBeUndefined();
    drive.pool.remove(first);
    expect(drive.pool.account("passer-by")).toBeUndefined();
    drive.pool.remove(drive.admit({ sender: "saver" }));
    expect(drive.pool.account("saver")).toBe(saver);
    drive.admitReady({ sender: "regular" });
    drive.sealAll();
    drive.pool.remove(drive.admit({ sender: "regular", nonce: 1 }));
    expect(drive.pool.account("regular")?.nextNonce).toBe(1);
  });

  it.each<[string, Partial<TransactionTerms>, number]>([
    ["ttlBlocks", { ttlBlocks: 0 }, LIMITS.maxTtlBlocks],
    ["ttlBlocks", { ttlBlocks: LIMITS.maxTtlBlocks + 1 }, LIMITS.maxTtlBlocks],
    ["ttlBlocks", { ttlBlocks: 1.5 }, LIMITS.maxTtlBlocks],
    ["nonce", { nonce: -1 }, Number.MAX_SAFE_INTEGER],
    ["nonce", { nonce: Number.NaN }, Number.MAX_SAFE_INTEGER],
    ["gasPriceGwei", { gasPriceGwei: -1 }, LIMITS.maxGasPriceGwei],
    ["gasPriceGwei", { gasPriceGwei: LIMITS.maxGasPriceGwei + 1 }, LIMITS.maxGasPriceGwei],
    ["escrowGwei", { escrowGwei: -1 }, LIMITS.maxFeeGwei * LIMITS.maxCallsPerTransaction],
    ["escrowGwei", { escrowGwei: 0.5 }, LIMITS.maxFeeGwei * LIMITS.maxCallsPerTransaction],
  ])("of %s: %j is out of range", (field, changes, limit) => {
    expect(new Drive().refusal(changes)).toEqual({ reason: "out-of-range", field, limit });
  });

  it("of calls in one transaction", () => {
    const drive = new Drive({ maxCallsPerTransaction: 2 });
    const calls = (count: number) => ({ calls: new Array(count) }) as Partial<TransactionTerms>;
    expect(drive.refusal(calls(2))).toBeUndefined();
    expect(drive.refusal(calls(3))).toEqual({ reason: "out-of-range", field: "calls", limit: 2 });
  });

  it("of money: what is deposited bounds what goes into escrow", () => {
    const drive = new Drive();
    const account = drive.pool.openAccount("alice");
    if (account !== undefined) account.depositGwei = 10;
    expect(drive.refusal({ escrowGwei: 10 })).toBeUndefined();
    expect(drive.refusal({ escrowGwei: 11 })).toEqual({ reason: "underfunded", availableGwei: 10, neededGwei: 11 });
    expect(drive.refusal({ sender: "bob", escrowGwei: 1 })).toEqual({
      reason: "underfunded",
      availableGwei: 0,
      neededGwei: 1,
    });
  });
});

describe("expiry (P8)", () => {
  it("comes when a block opens beyond the last that may carry it, counted from the one open at admission", () => {
    const drive = new Drive();
    drive.height = 5;
    expect(drive.admit({ ttlBlocks: 1 }).expiryHeight).toBe(5);
    drive.admit({ nonce: 1, ttlBlocks: 3 });
    expect(drive.expire(5)).toEqual([]);
    expect(drive.expire(6)).toEqual(["alice/0"]);
    expect(drive.expire(7)).toEqual([]);
    expect(drive.expire(8)).toEqual(["alice/1"]);
    expect([drive.pool.pending, drive.pool.transactions.size]).toEqual([0, 0]);
  });

  test.each([9, 60, 2 ** 50])("at once when heights jump to %d, oldest block first", (height) => {
    const drive = new Drive();
    const ttls = { a: 5, b: 2, c: 8, d: 2, e: 3 };
    for (const [sender, ttlBlocks] of Object.entries(ttls)) drive.admit({ sender, ttlBlocks });
    drive.expire(1);
    expect(drive.expire(height)).toEqual(["b/0", "d/0", "e/0", "a/0", "c/0"]);
    expect(drive.pool.snapshot().expiries).toEqual([]);
  });

  it("does not concern what was sealed in time, unless a reorg brings it back too late", () => {
    const drive = new Drive();
    const tx = drive.admitReady({ ttlBlocks: 2 });
    drive.sealAll();
    expect(drive.expire(7)).toEqual([]);
    drive.pool.takeBack(tx);
    expect(drive.expire(7)).toEqual(["alice/0"]);
  });
});

describe("sealable", () => {
  it("is in the order of admission, whatever is ready first and at what gas price", () => {
    const drive = new Drive();
    const [a, b, c] = ["a", "b", "c"].map((sender, index) => drive.admit({ sender, gasPriceGwei: 10 ** index }));
    for (const tx of [c, a, b]) if (tx !== undefined) drive.ready(tx);
    expect(drive.sealAll()).toEqual(["a/0", "b/0", "c/0"]);
  });

  it("holds a sender's next nonce only, and the one after as soon as that is sealed", () => {
    const drive = new Drive();
    const first = drive.admit({ nonce: 0 });
    drive.admitReady({ nonce: 1 });
    drive.admit({ nonce: 2 });
    drive.admitReady({ nonce: 3 });
    expect(drive.sealAll()).toEqual([]);
    drive.ready(first);
    expect(drive.sealAll()).toEqual(["alice/0", "alice/1"]);
    expect([drive.pool.account("alice")?.nextNonce, drive.pool.pending]).toEqual([2, 2]);
  });

  it("holds each once, and forgets in taking out what is not sealable any more", () => {
    const drive = new Drive();
    const [stays, leaves, reruns] = ["stays", "leaves", "reruns"].map((sender) => drive.admitReady({ sender }));
    if (stays === undefined || leaves === undefined || reruns === undefined) throw new Error("not admitted");
    drive.pool.offerToSeal(stays);
    drive.pool.move(leaves, "withdraw");
    drive.pool.remove(leaves);
    drive.pool.move(reruns, "outdated");
    expect(drive.pool.takeSealable()).toEqual([stays]);
    expect(drive.pool.sealable.size).toBe(0);
    drive.ready(reruns);
    expect(drive.sealAll()).toEqual(["reruns/0"]);
  });
});

describe("taking back", () => {
  it("puts a sender's transactions before its later ones, latest first", () => {
    const drive = new Drive();
    for (const nonce of [0, 1]) drive.admitReady({ nonce });
    const sealed = drive.seal();
    const later = drive.admitReady({ nonce: 2 });
    for (const tx of sealed.toReversed()) drive.pool.takeBack(tx);
    expect(drive.pool.account("alice")).toMatchObject({ nextNonce: 0, pending: 3 });
    expect(drive.pool.account("alice")?.queue).toEqual([...sealed, later]);
    expect(drive.refusal({ nonce: 4 })).toEqual({ reason: "nonce-gap", expectedNonce: 3 });
    for (const tx of sealed.toReversed()) drive.ready(tx);
    expect(drive.sealAll()).toEqual(["alice/0", "alice/1", "alice/2"]);
  });

  it("stops when the earliest is taken back first", () => {
    const drive = new Drive();
    for (const nonce of [0, 1]) drive.admitReady({ nonce });
    const [first] = drive.seal();
    expect(() => first !== undefined && drive.pool.takeBack(first)).toThrow("latest first");
  });
});

describe("restart", () => {
  it("gives the same answers from a snapshot in plain JSON", () => {
    const drive = new Drive({ maxPendingPerSender: 4 });
    for (const nonce of [0, 1, 2, 3]) drive.admitReady({ nonce, ttlBlocks: 2 + nonce });
    const gone = drive.admit({ sender: "bob", nonce: 0 });
    drive.admit({ sender: "bob", nonce: 1, calls: undefined });
    drive.pool.remove(gone);
    drive.height = 2;
    const restored = new Drive({ maxPendingPerSender: 4 });
    restored.height = 2;
    restored.pool.restore(JSON.parse(JSON.stringify(drive.pool.snapshot())));
    expect(restored.pool.snapshot()).toEqual(drive.pool.snapshot());
    expect(restored.pool).toBeInstanceOf(Pool);
    for (const each of [drive, restored]) {
      expect(each.refusal({ nonce: 4 })).toEqual({ reason: "sender-limit", limit: 4 });
      expect(each.refusal({ sender: "bob", nonce: 5 })).toEqual({ reason: "nonce-gap", expectedNonce: 0 });
      expect(each.refusal(terms({ nonce: 0 }))).toEqual({ reason: "duplicate" });
      expect(each.sealAll()).toEqual(["alice/0", "alice/1", "alice/2", "alice/3"]);
      expect(each.expire(20)).toEqual(["bob/1"]);
      expect(each.admit({ sender: "carol" })).toMatchObject({ seq: 6 });
    }
    expect(restored.pool.snapshot()).toEqual(drive.pool.snapshot());
  });
});
