import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { auditOrder } from "../../scheduler/cli/order.ts";
import { verifyReceipts } from "../../scheduler/cli/receipts.ts";
import {
  createPipe,
  DEFAULT_CONFIG,
  OpenFailed,
  PipeFailed,
  type Pipe,
  type PipeEvent,
  type PipeOptions,
  type PolicySpec,
  type PreExecution,
  transactionHash,
} from "../../scheduler/index.ts";
import { ECHO_REGISTRY } from "./support/registries.ts";
import { honest, type Script, ScriptedNodes, scriptedNode, silent } from "./support/scripted-nodes.ts";
import { CHAIN, untilState, User } from "./support/users.ts";

const pipes: Pipe[] = [];
const directories: string[] = [];

afterEach(async () => {
  await Promise.all(pipes.splice(0).map((pipe) => pipe.close()));
  await Promise.all(directories.splice(0).map((directory) => rm(directory, { recursive: true, force: true })));
});

async function open(options: Partial<PipeOptions> & { readonly script?: Script } = {}): Promise<Pipe> {
  const { script = honest, ...rest } = options;
  const transport = new ScriptedNodes([0, 1, 2].map((index) => scriptedNode(index, script)));
  const pipe = await createPipe({
    directory: undefined,
    chainId: CHAIN,
    fleet: { transport },
    registry: ECHO_REGISTRY,
    logger: "silent",
    ...rest,
  });
  pipes.push(pipe);
  return pipe;
}

async function close(pipe: Pipe): Promise<void> {
  pipes.splice(pipes.indexOf(pipe), 1);
  await pipe.close();
}

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "pipe-facade-"));
  directories.push(directory);
  return directory;
}

async function funded(pipe: Pipe, seed = 1): Promise<User> {
  const user = new User(seed);
  expect(await pipe.deposit({ account: user.id, amountGwei: 1_000_000 })).toBe(true);
  return user;
}

async function submitted(pipe: Pipe, user: User, calls = 1): Promise<string> {
  const outcome = await pipe.submit(user.sign({}, calls));
  if (!outcome.ok) throw new Error(JSON.stringify(outcome.problem));
  return outcome.hash;
}

function sealNow(pipe: Pipe, height: number, maxTransactions = 100) {
  return pipe.seal({ height, maxTransactions, order: "arrival" });
}

test("a transaction is raced, stitched, sealed with receipts, and paid at its commit", async () => {
  const pipe = await open();
  const user = await funded(pipe);
  await pipe.openBlock({ height: 1, sealAtMs: Date.now() + 1_000 });
  const hash = await submitted(pipe, user, 2);
  await untilState(pipe, hash, "ready");
  const sealed = await sealNow(pipe, 1);
  if (!sealed.ok) throw new Error(sealed.advice);
  expect(sealed.block.header).toMatchObject({ height: 1, transactions: [hash], receiptCount: 2, feesGwei: 20 });
  expect(sealed.block.receipts.map(({ receipt }) => [receipt.txHash, receipt.callIndex])).toEqual([
    [hash, 0],
    [hash, 1],
  ]);
  expect(sealed.block.header.key).toBe(pipe.schedulerKey);
  expect(await pipe.committed(1)).toBe(true);
  expect(await pipe.committed(1)).toBe(false);
  expect((await pipe.statistics()).ledger).toMatchObject({
    escrowedGwei: 200,
    paidGwei: 20,
    refundedGwei: 180,
    heldGwei: 0,
  });
  expect(await pipe.account(user.id)).toEqual({ nextNonce: 1, depositGwei: 1_000_000 - 20, pending: 0 });
});

test("sealing is idempotent: asked again, also at the same time, it is the same block", async () => {
  const pipe = await open();
  const user = await funded(pipe);
  await pipe.openBlock({ height: 7, sealAtMs: Date.now() });
  await untilState(pipe, await submitted(pipe, user), "ready");
  const [first, second] = await Promise.all([sealNow(pipe, 7), sealNow(pipe, 7)]);
  const third = await sealNow(pipe, 7, 1);
  expect(first.ok && first.block.receipts.length).toBe(1);
  expect(second).toEqual(first);
  expect(third).toEqual(first);
  expect(await pipe.receipts(7)).toEqual(first.ok && first.block);
  expect(await sealNow(pipe, 9)).toMatchObject({ ok: false, refusal: { reason: "not-open" } });
});

test("what is no transaction of this chain is refused at the edge, with advice", async () => {
  const pipe = await open();
  const user = await funded(pipe);
  const signed = user.sign();
  const refused: Record<string, unknown> = {
    malformed: { ...signed, nonce: -1 },
    oversized: { ...signed, calls: [{ ...signed.calls[0], input: "A".repeat(200_000) }] },
    "wrong-chain": new User(1).sign({ chainId: "another" }),
    "bad-signature": { ...signed, gasPriceGwei: 2 },
  };
  for (const [kind, transaction] of Object.entries(refused)) {
    const outcome = await pipe.submit(transaction);
    expect(outcome, kind).toMatchObject({ ok: false, problem: { kind } });
    expect(outcome.ok ? "" : outcome.problem.advice).not.toBe("");
  }
  expect((await pipe.statistics()).counters.submitted).toBe(0);
});

test("what the mempool refuses comes back with its reason", async () => {
  const pipe = await open({ script: silent });
  const user = await funded(pipe);
  const first = user.sign();
  const refusals: [string, unknown][] = [
    ["duplicate", first],
    ["nonce-gap", user.sign({ nonce: 9 })],
    ["underpriced-replacement", user.sign({ nonce: 0, ttlBlocks: 51 })],
    ["underfunded", new User(2).sign()],
    // A model of the registry that no node here offers.
    ["unknown-model", user.sign({ calls: [{ ...call(first), model: "risk-small" }] })],
    ["fee-too-low", user.sign({ nonce: 1, calls: [{ ...call(first), maxFeeGwei: 9 }] })],
  ];
  expect(await pipe.submit(first)).toMatchObject({ ok: true });
  for (const [reason, transaction] of refusals) {
    const outcome = await pipe.submit(transaction);
    expect(outcome, reason).toMatchObject({ ok: false, problem: { kind: "rejected", rejection: { reason } } });
  }
});

test("what the registry does not allow is refused before the mempool sees it, with what to do", async () => {
  const pipe = await open({ script: silent });
  const user = await funded(pipe);
  const plain = call(user.sign());
  const input = Buffer.alloc(65).toString("base64");
  const refusals = [
    ["unknown-model", { ...plain, model: "oracle" }],
    ["mode-not-allowed", { ...plain, mode: "zkml" }],
    ["beyond-limit", { ...plain, model: "risk-small", input }],
    ["beyond-limit", { ...plain, tokensOut: 1_000_001 }],
    ["no-number", { ...plain, conflict: { kind: "median", k: 2, tolerance: 0.1 } }],
  ] as const;
  for (const [reason, refused] of refusals) {
    const outcome = await pipe.submit(user.sign({ calls: [plain, refused] }));
    const refusal = { reason, callIndex: 1 };
    expect(outcome, reason).toMatchObject({ ok: false, problem: { kind: "not-registered", refusal } });
    expect(outcome.ok ? "" : outcome.problem.advice).toContain("Call 1");
  }
  expect((await pipe.statistics()).counters.submitted).toBe(0);
});

test("bonds are what the chain says, of whomever", async () => {
  const pipe = await open({ script: silent });
  expect(await pipe.bond({ node: "node-0", amountGwei: 1_000 })).toBe(true);
  expect(await pipe.bond({ node: "node-0", amountGwei: 1_000 })).toBe(true);
  expect((await pipe.statistics()).ledger).toMatchObject({ bondedGwei: 1_000, unbondedGwei: 0 });
  expect(await pipe.bond({ node: "node-0", amountGwei: 400 })).toBe(true);
  expect((await pipe.statistics()).ledger).toMatchObject({ bondedGwei: 1_000, unbondedGwei: 600 });
  for (const amountGwei of [-1, 0.5, Number.NaN, Number.MAX_SAFE_INTEGER + 1]) {
    expect(await pipe.bond({ node: "node-0", amountGwei })).toBe(false);
  }
  expect((await pipe.statistics()).ledger).toMatchObject({ bondedGwei: 1_000, unbondedGwei: 600 });
});

function call(transaction: ReturnType<User["sign"]>) {
  const [first] = transaction.calls;
  if (first === undefined) throw new Error("the transaction has a call");
  return first;
}

test("a withdrawn transaction is refunded and its copies are cancelled", async () => {
  const pipe = await open({ script: silent });
  const user = await funded(pipe);
  const hash = await submitted(pipe, user);
  await untilState(pipe, hash, "racing");
  expect(await pipe.withdraw(hash)).toBe(true);
  expect(await pipe.withdraw(hash)).toBe(false);
  expect(await pipe.status(hash)).toBeUndefined();
  expect((await pipe.account(user.id))?.depositGwei).toBe(1_000_000);
});

test("a reorg brings transactions back, and the block that seals them again has the same results", async () => {
  const pipe = await open();
  const user = await funded(pipe);
  await pipe.openBlock({ height: 1, sealAtMs: Date.now() });
  const hash = await submitted(pipe, user);
  await untilState(pipe, hash, "ready");
  const before = await sealNow(pipe, 1);
  await pipe.committed(1);
  expect(await pipe.reorged(1)).toBe(true);
  expect(await pipe.reorged(1)).toBe(false);
  expect(await pipe.receipts(1)).toBeUndefined();
  await untilState(pipe, hash, "ready");
  await pipe.openBlock({ height: 1, sealAtMs: Date.now() });
  const after = await sealNow(pipe, 1);
  if (!before.ok || !after.ok) throw new Error("both blocks are sealed");
  expect(after.block.block).not.toBe(before.block.block);
  expect(after.block.receipts[0]?.receipt.answerHash).toBe(before.block.receipts[0]?.receipt.answerHash);
  await pipe.committed(1);
  expect((await pipe.statistics()).ledger).toMatchObject({ heldGwei: 0, paidGwei: 10 });
});

test("estimates rise with each later block, for what waits and for what is not submitted yet", async () => {
  const pipe = await open({ script: silent });
  const user = await funded(pipe);
  await pipe.openBlock({ height: 1, sealAtMs: Date.now() + 500 });
  const signed = user.sign();
  const wouldBe = await pipe.estimate(signed);
  expect(wouldBe.map(({ height }) => height)).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
  const hash = await submitted(pipe, new User(1));
  const estimates = await pipe.estimate(hash);
  expect(estimates).toHaveLength(50);
  for (const [i, { probability }] of estimates.entries()) {
    expect(probability).toBeGreaterThanOrEqual(estimates[i - 1]?.probability ?? 0);
    expect(probability).toBeLessThanOrEqual(1);
  }
  expect(await pipe.estimate("00".repeat(32))).toEqual([]);
});

test("followers hear what happens; a slow one is told how much it missed, and nobody waits for it", async () => {
  const pipe = await open({ limits: { maxWaitingNotices: 4, maxSubscribers: 2 } });
  const user = await funded(pipe);
  const quick: PipeEvent[] = [];
  const following = (async () => {
    for await (const event of pipe.events()) quick.push(event);
  })();
  const slow = pipe.events();
  expect(() => pipe.events()).toThrow(RangeError);
  const hash = await submitted(pipe, user, 3);
  await untilState(pipe, hash, "ready");
  const heard: PipeEvent[] = [];
  for (let i = 0; i < 5; i++) heard.push((await slow.next()).value);
  expect(heard.slice(0, 4).every(({ kind }) => kind !== "lagged")).toBe(true);
  expect(heard[4]).toMatchObject({ kind: "lagged" });
  await slow.return?.();
  await close(pipe);
  await following;
  expect(quick[0]).toMatchObject({ kind: "transaction", hash, state: "discovering" });
  expect(quick.filter(({ kind }) => kind === "decided")).toHaveLength(3);
  expect(quick.at(-1)).toMatchObject({ kind: "transaction", state: "ready" });
});

test("P11: a flood is refused openly, and what was admitted is sealed", async () => {
  const pipe = await open({ limits: { maxWaitingRequests: 20 } });
  const users: User[] = [];
  for (let seed = 1; seed <= 100; seed++) users.push(await funded(pipe, seed));
  const outcomes = await Promise.all(users.map((user) => pipe.submit(user.sign())));
  const accepted = outcomes.flatMap((outcome) => (outcome.ok ? [outcome.hash] : []));
  const problems = outcomes.flatMap((outcome) => (outcome.ok ? [] : [outcome.problem.kind]));
  expect(accepted.length).toBeGreaterThan(0);
  expect(problems.length).toBeGreaterThan(0);
  expect(new Set(problems)).toEqual(new Set(["overloaded"]));
  const deposits = users.map(({ id }) => pipe.deposit({ account: id, amountGwei: 1 }));
  const told = await Promise.allSettled(deposits);
  expect(told.filter(({ status }) => status === "fulfilled").length).toBeGreaterThan(0);
  expect(told.find(({ status }) => status === "rejected")).toMatchObject({ reason: { reason: "overloaded" } });
  await pipe.openBlock({ height: 1, sealAtMs: Date.now() });
  for (const hash of accepted) await untilState(pipe, hash, "ready");
  const sealed = await sealNow(pipe, 1, 1_000);
  expect(sealed.ok && [...sealed.block.header.transactions].sort()).toEqual(accepted.sort());
});

test("inputs beyond what the shell may keep are refused, until others are gone", async () => {
  const pipe = await open({ script: silent, limits: { maxBlobBytes: 64 * 1024 + 100, maxOutputBytes: 1_024 } });
  const user = await funded(pipe);
  const big = (nonce: number) => {
    const input = Buffer.alloc(40_000, nonce).toString("base64");
    return user.sign({ nonce, calls: [{ ...call(user.sign({ nonce })), input }] });
  };
  const first = await pipe.submit(big(0));
  expect(first).toMatchObject({ ok: true });
  expect(await pipe.submit(big(1))).toMatchObject({ ok: false, problem: { kind: "overloaded" } });
  if (first.ok) await pipe.withdraw(first.hash);
  expect(await pipe.submit(big(0))).toMatchObject({ ok: true });
});

test("P11: what is final is forgotten, and its block can still be looked up and asked for", async () => {
  const directory = await temporaryDirectory();
  const engine = {
    limits: { ...DEFAULT_CONFIG.limits, maxReorgDepth: 3 },
    optimistic: { ...DEFAULT_CONFIG.optimistic, challengeBlocks: 1 },
  };
  const pipe = await open({ directory, engine });
  const user = await funded(pipe);
  const held: number[] = [];
  for (let height = 1; height <= 10; height++) {
    await pipe.openBlock({ height, sealAtMs: Date.now() });
    if (height <= 6) await untilState(pipe, await submitted(pipe, user, 2), "ready");
    await sealNow(pipe, height);
    await pipe.committed(height);
    held.push((await pipe.statistics()).blobBytes);
  }
  expect(Math.max(...held)).toBe(held[2]);
  expect(held.at(-1)).toBe(0);
  expect(await pipe.status((await pipe.receipts(1))?.header.transactions[0] ?? "")).toBeUndefined();
  expect(await sealNow(pipe, 1)).toEqual({ ok: true, block: await pipe.receipts(1) });
  expect((await pipe.receipts(1))?.receipts).toHaveLength(2);
});

test("a directory goes on where it ended: accounts, pending transactions, blocks, keys and policy", async () => {
  const directory = await temporaryDirectory();
  const first = await open({ directory, script: silent });
  const user = await funded(first);
  await first.openBlock({ height: 1, sealAtMs: Date.now() + 500 });
  const hash = await submitted(first, user);
  await first.setPolicy({ kind: "fixed", copies: 2 });
  const key = first.schedulerKey;
  const { blobBytes } = await first.statistics();
  expect(blobBytes).toBeGreaterThan(0);
  await close(first);
  expect(await verifyReceipts(directory, { key })).toMatchObject({ exitCode: 0, manifest: true });

  const second = await open({ directory });
  expect(second.schedulerKey).toBe(key);
  expect((await second.statistics()).blobBytes).toBeGreaterThanOrEqual(blobBytes);
  expect(await second.account(user.id)).toMatchObject({ nextNonce: 1, pending: 1 });
  await untilState(second, hash, "ready");
  const sealed = await sealNow(second, 1);
  expect(sealed.ok && sealed.block.header.transactions).toEqual([hash]);
  await second.committed(1);
  await close(second);

  const third = await open({ directory });
  expect(await third.receipts(1)).toEqual(sealed.ok && sealed.block);
  expect(await sealNow(third, 1)).toEqual(sealed);
  await close(third);
  expect(await verifyReceipts(directory, { key })).toMatchObject({ exitCode: 0, manifest: true });
  const journal = await readFile(join(directory, "journal", "segment-000001.jsonl"), "utf8");
  expect(journal.match(/"policy-changed"/g)).toHaveLength(1);
});

test("the secret is the owner's alone, and is not in the manifest", async () => {
  const directory = await temporaryDirectory();
  await close(await open({ directory }));
  expect((await stat(join(directory, "secret.key"))).mode & 0o777).toBe(0o600);
  const manifest = await readFile(join(directory, "MANIFEST.sha256"), "utf8");
  expect(manifest).not.toContain("secret");
  expect(manifest).toContain("order.jsonl");
});

test("a directory in use, of another chain, or with another configuration is not opened, and stays as it is", async () => {
  const directory = await temporaryDirectory();
  const pipe = await open({ directory });
  const refused = { part: "journal", _tag: "OpenFailed" };
  await expect(open({ directory })).rejects.toMatchObject({ ...refused, reason: "locked" });
  expect(await readdir(directory)).not.toContain("MANIFEST.sha256");
  await close(pipe);
  const before = await readFile(join(directory, "MANIFEST.sha256"), "utf8");
  await expect(open({ directory, chainId: "another" })).rejects.toMatchObject({ ...refused, reason: "foreign" });
  await expect(open({ directory, engine: { seed: 99 } })).rejects.toBeInstanceOf(OpenFailed);
  expect(await readFile(join(directory, "MANIFEST.sha256"), "utf8")).toBe(before);
});

test("a closed scheduler says so", async () => {
  const pipe = await open();
  const user = await funded(pipe);
  await close(pipe);
  expect(await pipe.submit(user.sign())).toMatchObject({ ok: false, problem: { kind: "closed" } });
  await expect(pipe.withdraw("00".repeat(32))).rejects.toBeInstanceOf(PipeFailed);
  await expect(pipe.statistics()).rejects.toBeInstanceOf(PipeFailed);
});

test("arguments that make no sense are the caller's bug", async () => {
  const pipe = await open();
  await expect(pipe.openBlock({ height: -1, sealAtMs: 0 })).rejects.toBeInstanceOf(RangeError);
  await expect(pipe.openBlock({ height: 1, sealAtMs: Number.NaN })).rejects.toBeInstanceOf(RangeError);
  await expect(pipe.seal({ height: 1.5, maxTransactions: 1, order: "gas" })).rejects.toBeInstanceOf(RangeError);
  expect(await pipe.deposit({ account: "a", amountGwei: -5 })).toBe(false);
});

test("what would not come back from the journal as it was, or end the engine, is refused", async () => {
  const pipe = await open();
  const policies: unknown[] = [
    { kind: "fixed", copies: Number.POSITIVE_INFINITY },
    { kind: "fixed", copies: 0 },
    { kind: "hedge", delayMs: 0, maxCopies: 2 },
    { kind: "hedge", delayMs: Number.NaN, maxCopies: 2 },
    { kind: "hedge", delayMs: 5, maxCopies: 1.5 },
    { kind: "hope" },
  ];
  for (const policy of policies) await expect(pipe.setPolicy(policy as PolicySpec)).rejects.toThrow(RangeError);
  for (const policy of policies) await expect(open({ policy: policy as PolicySpec })).rejects.toThrow(RangeError);
  for (const account of ["x".repeat(257), "\ud800", undefined as unknown as string]) {
    expect(await pipe.deposit({ account, amountGwei: 1 })).toBe(false);
  }
  expect(await pipe.withdraw(10n as unknown as string)).toBe(false);
  const user = await funded(pipe);
  expect(await pipe.estimate({ ...user.sign(), ttlBlocks: 2 ** 50 })).toHaveLength(1_024);
});

test("a transaction that a reorg brought back, that left, and that came again passes the audits", async () => {
  const directory = await temporaryDirectory();
  const pipe = await open({ directory });
  const signed = (await funded(pipe)).sign();
  const hash = transactionHash(signed);
  for (let round = 0; round < 2; round++) {
    await pipe.submit(signed);
    await pipe.openBlock({ height: 1, sealAtMs: Date.now() });
    await untilState(pipe, hash, "ready");
    await sealNow(pipe, 1);
    if (round === 0) await pipe.reorged(1);
    if (round === 0) expect(await pipe.withdraw(hash)).toBe(true);
  }
  await close(pipe);
  expect((await auditOrder(directory)).findings).toEqual([]);
  expect((await verifyReceipts(directory, { key: undefined })).findings).toEqual([]);
});

test("a pre-executor that answers nonsense costs its transaction, not the scheduler", async () => {
  const nonsense: unknown[] = [
    undefined,
    { kind: "pre-executed" },
    { kind: "calls-discovered", calls: [null] },
    { kind: "calls-discovered", calls: [{ ...call(new User(1).sign()), tokensIn: Number.NaN }] },
    { kind: "maybe" },
  ];
  const preExecutor = { run: async () => nonsense.shift() as PreExecution };
  const pipe = await open({ preExecutor });
  const user = await funded(pipe);
  for (let left = nonsense.length; left > 0; left--) {
    const signed = user.sign({ nonce: 0, gasPriceGwei: left });
    expect(await pipe.submit(signed)).toMatchObject({ ok: true });
    while ((await pipe.status(transactionHash(signed))) !== undefined)
      await new Promise((resolve) => setTimeout(resolve, 1));
  }
  expect((await pipe.statistics()).counters.refunded).toBe(5);
});

test("a directory that has lost its secret is not gone on with under another key", async () => {
  const directory = await temporaryDirectory();
  await close(await open({ directory }));
  await writeFile(join(directory, "secret.key"), Buffer.alloc(32, 7));
  await expect(open({ directory })).rejects.toThrow(/another key/);
  await rm(join(directory, "secret.key"));
  await expect(open({ directory })).rejects.toThrow(/secret\.key is missing/);
});
