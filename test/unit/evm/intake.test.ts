import { describe, expect, it, vi } from "vitest";
import type { DiscoveredCall } from "../../../mempool/evm/inference.ts";
import type { EvmTransaction, ParsedTransaction } from "../../../mempool/evm/transaction.ts";
import { DEFAULT_POOL_LIMITS, TransactionPool } from "../../../mempool/evm/transaction-pool.ts";
import type { EvmRun } from "../../../mempool/evm/trial.ts";
import { EvmIntake, type IntakeOptions } from "../../../scheduler/evm/intake.ts";
import { DEFAULT_PRODUCER_LIMITS } from "../../../scheduler/evm/limits.ts";
import { Outcomes } from "../../../scheduler/evm/outcomes.ts";
import type { OpaqueTransaction } from "../../../scheduler/index.ts";

const GWEI = 1_000_000_000n;
const LIMITS = { ...DEFAULT_PRODUCER_LIMITS, maxFirstRuns: 2, maxTransactionGas: 1_000_000n, minTipWei: 5n };
const ENV = { number: 8, timestamp: 1, coinbase: "0x", gasLimit: 30_000_000n, baseFeePerGas: 100n };

function transaction(changes: Partial<EvmTransaction> = {}): EvmTransaction {
  const { sender = "0xaa", nonce = 0 } = changes;
  const fees = { gasLimit: 100_000n, maxFeePerGas: 3n * GWEI, maxPriorityFeePerGas: 10n, value: 0n };
  return {
    hash: `${sender}/${nonce}`,
    raw: new Uint8Array(0),
    sender,
    nonce,
    to: "0xbb",
    options: {},
    ...fees,
    ...changes,
  };
}

function question(maxFeeGwei: number): DiscoveredCall {
  const said = { model: "m", mode: "vanilla", input: new Uint8Array(0), tokensIn: 0, tokensOut: 0 } as const;
  const terms = { validityBlocks: 8, conflict: { kind: "first-valid" }, maxOutputBytes: 4 } as const;
  return { ...said, ...terms, maxFeeGwei, digest: "d", inputHash: "i", known: false };
}

const COMPLETED: EvmRun = { kind: "completed", calls: [], readSet: [], gasUsed: 60_000n, reverted: false };
const asks = (...fees: number[]): EvmRun => ({ kind: "calls", calls: fees.map(question), readSet: [] });

type Submitted = Awaited<ReturnType<IntakeOptions["pipe"]["submitOpaque"]>>;

/** An intake before a chain and a scheduler that say what a test has them say, and note what they are asked. */
function intakeOf(
  about: {
    readonly run?: EvmRun | (() => Promise<EvmRun>);
    readonly nonce?: number;
    readonly balance?: bigint;
    readonly built?: number;
    readonly depositGwei?: number;
    readonly submitted?: Submitted;
    readonly pool?: Partial<typeof DEFAULT_POOL_LIMITS>;
  } = {},
) {
  const { nonce = 0, balance = 10n ** 18n, depositGwei, built } = about;
  const pool = new TransactionPool({ ...DEFAULT_POOL_LIMITS, ...about.pool });
  const outcomes = new Outcomes(8);
  const asked: string[] = [];
  const submitted: OpaqueTransaction[] = [];
  const withdrawn: string[] = [];
  const taken: string[] = [];
  let next: ParsedTransaction | undefined;
  const answers: Record<string, () => unknown> = {
    parse: () => next,
    account: () => ({ nonce, balance, codeHash: "" }),
    preExecute: () => (typeof about.run === "function" ? about.run() : (about.run ?? COMPLETED)),
  };
  const ask = async (method: string): Promise<unknown> => {
    asked.push(method);
    return answers[method]?.();
  };
  const intake = new EvmIntake({
    ...{ chainId: 1_337n, limits: LIMITS, pool, outcomes, nextBlock: () => ENV },
    simulator: {
      ask: ask as IntakeOptions["simulator"]["ask"],
      askInTurn: ((_asker: string, method: string) => ask(method)) as IntakeOptions["simulator"]["askInTurn"],
    },
    pipe: {
      account: async () => (depositGwei === undefined ? undefined : { nextNonce: 0, depositGwei, pending: 0 }),
      submitOpaque: async (terms) => {
        // By then the pool knows what it is: the scheduler asks for its run at once.
        expect(pool.get(terms.hash)?.kind).toBe("inference");
        submitted.push(terms);
        return about.submitted ?? { ok: true, hash: terms.hash };
      },
      registry: { refuse: () => undefined } as unknown as IntakeOptions["pipe"]["registry"],
    },
    withdrawals: { withdraw: async (hash) => void withdrawn.push(hash) },
    nonceBuilt: (_, chainNonce) => built ?? chainNonce,
    onTaken: (entry) => taken.push(entry.transaction.hash),
  });
  const parsed = (result: ParsedTransaction, raw = new Uint8Array(3)) => {
    next = result;
    return intake.send(raw);
  };
  const send = (tx: EvmTransaction) => parsed({ ok: true, transaction: tx });
  return { intake, pool, outcomes, asked, submitted, withdrawn, taken, parsed, send };
}

describe("what is no transaction of this chain", () => {
  it.each<[Extract<ParsedTransaction, { readonly ok: false }>["problem"], object]>([
    [
      { kind: "malformed", message: "Odd." },
      { kind: "malformed", message: "Odd." },
    ],
    [
      { kind: "bad-options", message: "Odd." },
      { kind: "malformed", message: "Odd." },
    ],
    [
      { kind: "bad-nonce", message: "Odd." },
      { kind: "malformed", message: "Odd." },
    ],
    [
      { kind: "oversized", message: "Odd." },
      { kind: "oversized", size: 3, limit: 131_072 },
    ],
    [
      { kind: "unsupported-type", message: "Odd." },
      { kind: "type-not-supported", type: 0 },
    ],
    [{ kind: "unprotected", message: "Odd." }, { kind: "unprotected" }],
    [{ kind: "bad-signature", message: "Odd." }, { kind: "bad-signature" }],
    [
      { kind: "wrong-chain", signedFor: 1n, message: "Odd." },
      { kind: "wrong-chain", have: 1n, want: 1_337n },
    ],
    [
      { kind: "gas-too-low", gas: 1n, minimum: 21_000n, message: "Odd." },
      { kind: "intrinsic-gas-too-low", gas: 1n, minimum: 21_000n },
    ],
  ])("is told so, and costs no look at an account: $0.kind", async (problem, expected) => {
    const { parsed, asked, pool, taken } = intakeOf();
    expect(await parsed({ ok: false, problem })).toEqual({ ok: false, problem: expected });
    expect([asked, pool.size, taken]).toEqual([["parse"], 0, []]);
  });
});

describe("what cannot be taken as things are", () => {
  it.each<[string, Partial<EvmTransaction>, Parameters<typeof intakeOf>[0], object]>([
    ["more gas than one may have", { gasLimit: 1_000_001n }, {}, { kind: "beyond-block-gas", limit: 1_000_000n }],
    ["no tip", { maxPriorityFeePerGas: 4n }, {}, { kind: "underpriced", minimum: 5n }],
    ["a nonce that is used", { nonce: 1 }, { nonce: 2 }, { kind: "nonce-too-low", next: 2, nonce: 1 }],
    ["a nonce far ahead", { nonce: 66 }, { nonce: 2 }, { kind: "nonce-too-high", next: 2, nonce: 66 }],
    ["a nonce that the block has", { nonce: 2 }, { nonce: 2, built: 3 }, { kind: "nonce-too-low", next: 3 }],
    ["less than it may cost", {}, { balance: 1n }, { kind: "insufficient-funds", balance: 1n }],
    ["a pool that is full", {}, { pool: { maxOrdinary: 0 } }, { kind: "pool-full" }],
  ])("%s", async (_what, changes, about, problem) => {
    const { send, pool, asked, taken } = intakeOf(about);
    expect(await send(transaction(changes))).toMatchObject({ ok: false, problem });
    // It was not run, and nothing of it is kept.
    expect([asked, pool.size, taken]).toEqual([["parse", "account"], 0, []]);
  });

  it("is refused for all that its sender has waiting", async () => {
    const cost = 100_000n * 3n * GWEI;
    const { send } = intakeOf({ balance: 2n * cost - 1n });
    expect(await send(transaction())).toMatchObject({ ok: true });
    expect(await send(transaction({ nonce: 1 }))).toMatchObject({
      problem: { kind: "insufficient-funds", cost: 2n * cost },
    });
    // In the place of the first one it costs no more than that.
    const dearer = { hash: "dearer", maxFeePerGas: 4n * GWEI, maxPriorityFeePerGas: 20n };
    expect(await send(transaction(dearer))).toMatchObject({ ok: true });
  });

  it("is a replacement that pays no more, or what is there already", async () => {
    const { send, pool } = intakeOf();
    await send(transaction());
    expect(await send(transaction())).toEqual({ ok: false, problem: { kind: "already-known" } });
    expect(await send(transaction({ hash: "same fees" }))).toMatchObject({
      problem: { kind: "replacement-underpriced" },
    });
    expect(pool.at("0xaa", 0)?.transaction.hash).toBe("0xaa/0");
  });

  it("is one more than may wait for their first run, and the next one once they had it", async () => {
    const running = Promise.withResolvers<EvmRun>();
    const { send } = intakeOf({ run: () => running.promise });
    const both = [send(transaction()), send(transaction({ sender: "0xab" }))];
    const more = transaction({ sender: "0xac" });
    expect(await send(more)).toEqual({ ok: false, problem: { kind: "overloaded" } });
    running.resolve(COMPLETED);
    expect(await Promise.all(both)).toMatchObject([{ ok: true }, { ok: true }]);
    expect(await send(more)).toMatchObject({ ok: true });
  });

  it("is what the machine does not take, in the machine's words, and the place of its nonce is free again", async () => {
    const { send, pool, taken } = intakeOf({
      run: { kind: "invalid", reason: "too-slow", message: "ran for too long" },
    });
    expect(await send(transaction())).toEqual({ ok: false, problem: { kind: "failed", message: "ran for too long" } });
    expect([pool.size, taken]).toEqual([0, []]);
  });

  it("is what pays less than burns", async () => {
    const { send, pool } = intakeOf({ run: { kind: "invalid", reason: "fee-too-low", message: "pays 1" } });
    expect(await send(transaction({ maxFeePerGas: 10n }))).toEqual({
      ok: false,
      problem: { kind: "fee-below-base-fee", maxFeePerGas: 10n, baseFeePerGas: 100n },
    });
    expect(pool.size).toBe(0);
  });
});

describe("an ordinary transaction", () => {
  it("is in the pool with the gas that it took, and the scheduler never hears of it", async () => {
    const { send, pool, taken, submitted } = intakeOf();
    expect(await send(transaction())).toEqual({ ok: true, value: "0xaa/0" });
    expect(pool.get("0xaa/0")).toMatchObject({ kind: "ordinary", expectedGas: 60_000n, height: 7 });
    expect([taken, submitted]).toEqual([["0xaa/0"], []]);
  });

  it("is not run where it is no more than a transfer", async () => {
    const { send, asked, pool } = intakeOf();
    await send(transaction({ gasLimit: 21_000n }));
    expect(asked).toEqual(["parse", "account"]);
    expect(pool.get("0xaa/0")?.kind).toBe("ordinary");
    // With as little gas nothing is created, but that is the machine's to say.
    await send(transaction({ gasLimit: 21_000n, to: undefined, nonce: 1 }));
    expect(asked.at(-1)).toBe("preExecute");
  });

  it("takes the place of another, which is told", async () => {
    const { send, outcomes, withdrawn, pool } = intakeOf();
    await send(transaction());
    await send(transaction({ hash: "dearer", maxFeePerGas: 4n * GWEI, maxPriorityFeePerGas: 20n }));
    expect(outcomes.get("0xaa/0")).toMatchObject({ state: "replaced", reason: "replaced by 0xdearer" });
    expect([withdrawn, pool.size]).toEqual([[], 1]);
  });

  it.each([COMPLETED, asks(10)])("that is replaced during its first run is gone: $kind", async (run) => {
    const first = Promise.withResolvers<EvmRun>();
    let runs = 0;
    const { send, pool, taken, outcomes, submitted } = intakeOf({
      run: () => (runs++ === 0 ? first.promise : Promise.resolve(COMPLETED)),
    });
    const sent = send(transaction());
    await vi.waitFor(() => expect(runs).toBe(1));
    const dearer = { maxFeePerGas: 4n * GWEI, maxPriorityFeePerGas: 20n };
    const replacing = send(transaction({ hash: "dearer", ...dearer }));
    await vi.waitFor(() => expect(pool.get("0xaa/0")).toBeUndefined());
    first.resolve(run);
    expect(await replacing).toEqual({ ok: true, value: "dearer" });
    expect(await sent).toEqual({ ok: true, value: "0xaa/0" });
    expect([taken, submitted, outcomes.get("0xaa/0")?.state]).toEqual([["dearer"], [], "replaced"]);
    expect([...pool.entries()].map(({ transaction: { hash }, kind }) => [hash, kind])).toEqual([
      ["dearer", "ordinary"],
    ]);
  });
});

describe("a transaction that asks", () => {
  it("goes to the scheduler with the options that it signed", async () => {
    const { send, submitted, pool, taken } = intakeOf({ run: asks(40, 2), nonce: 3 });
    const options = { capGwei: 42, ttlBlocks: 9 };
    expect(await send(transaction({ nonce: 4, options }))).toEqual({ ok: true, value: "0xaa/4" });
    const terms = { gasPriceGwei: 3, ttlBlocks: 9, escrowGwei: 42, chainNonce: 3 };
    expect(submitted).toEqual([{ hash: "0xaa/4", sender: "0xaa", nonce: 4, ...terms }]);
    expect([pool.get("0xaa/4")?.kind, taken]).toEqual(["inference", ["0xaa/4"]]);
  });

  it.each([
    [5_000, 5_000],
    [2 ** 40, LIMITS.defaultCapGwei],
  ])("without options has a deposit of %i gwei and escrows %i", async (depositGwei, escrowGwei) => {
    const { send, submitted } = intakeOf({ run: asks(40), depositGwei });
    await send(transaction());
    expect(submitted).toMatchObject([{ escrowGwei, ttlBlocks: LIMITS.defaultTtlBlocks }]);
  });

  it.each<[string, Partial<EvmTransaction>, Parameters<typeof intakeOf>[0], RegExp]>([
    ["than its cap", { options: { capGwei: 41 } }, {}, /may cost 42 gwei, its access list allows 41$/],
    ["than there is on deposit", {}, { depositGwei: 41 }, /for which the sender has 41 gwei on deposit$/],
    ["without a deposit", {}, {}, /for which the sender has 0 gwei on deposit$/],
  ])("for more %s is refused, and remembered as refused", async (_what, changes, about, message) => {
    const { send, pool, outcomes, submitted, taken } = intakeOf({ run: asks(40, 2), ...about });
    const answer = await send(transaction(changes));
    expect(answer).toMatchObject({
      problem: { kind: "refused", reason: "fee-cap", message: expect.stringMatching(message) },
    });
    expect([pool.size, submitted, taken]).toEqual([0, [], []]);
    expect(outcomes.get("0xaa/0")).toMatchObject({ state: "refused", reason: expect.stringMatching(message) });
  });

  const advice = "Do something.";
  it.each<[Extract<Submitted, { readonly ok: false }>["problem"], object, boolean]>([
    [
      { kind: "rejected", rejection: { reason: "pool-full", limit: 1 }, advice },
      { kind: "refused", reason: "pool-full", message: "the scheduler refused it: pool-full", advice },
      true,
    ],
    [{ kind: "overloaded", advice }, { kind: "overloaded" }, false],
    [{ kind: "closed", advice }, { kind: "closed" }, false],
  ])("that the scheduler does not take leaves the pool: $0.kind", async (problem, expected, remembered) => {
    const { send, pool, outcomes, taken } = intakeOf({
      run: asks(40),
      depositGwei: 50,
      submitted: { ok: false, problem },
    });
    expect(await send(transaction())).toEqual({ ok: false, problem: expected });
    expect([pool.size, pool.ordinary, taken]).toEqual([0, 0, []]);
    expect(outcomes.get("0xaa/0") !== undefined).toBe(remembered);
  });

  it("is withdrawn when another takes its place, and what was remembered of one is forgotten when it is sent again", async () => {
    const { send, withdrawn, outcomes } = intakeOf({ run: asks(40), depositGwei: 50 });
    await send(transaction());
    const dearer = transaction({ hash: "dearer", maxFeePerGas: 4n * GWEI, maxPriorityFeePerGas: 20n });
    await send(dearer);
    expect(withdrawn).toEqual(["0xaa/0"]);
    expect(outcomes.get("0xaa/0")?.state).toBe("replaced");
    await send(transaction({ maxFeePerGas: 5n * GWEI, maxPriorityFeePerGas: 40n }));
    expect(outcomes.get("0xaa/0")).toBeUndefined();
    expect(outcomes.get("dearer")?.state).toBe("replaced");
  });

  it("has a gas price that the scheduler's numbers hold", async () => {
    const { send, submitted } = intakeOf({ run: asks(40), depositGwei: 50, balance: 10n ** 40n });
    await send(transaction({ maxFeePerGas: 2n ** 100n }));
    expect(submitted).toMatchObject([{ gasPriceGwei: 2 ** 40 }]);
  });

  it("only in the block is asked for as if it had just come, unless it left the pool", async () => {
    const { send, intake, pool, submitted } = intakeOf({ depositGwei: 50 });
    await send(transaction());
    const entry = pool.get("0xaa/0");
    if (entry === undefined) throw new Error("it is in the pool");
    await intake.askedInBlock(entry, [question(40)]);
    // Of the head: had it the nonce that the block under construction came to, the scheduler would give up what is in that block.
    expect(submitted).toMatchObject([{ nonce: 0, chainNonce: 0 }]);
    pool.remove("0xaa/0");
    await intake.askedInBlock(entry, [question(40)]);
    expect(submitted).toHaveLength(1);
  });
});
