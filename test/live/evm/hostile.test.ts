import { concatHex, type Hash, type Hex, parseEther, toHex } from "viem";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { inferenceOptions } from "../../../mempool/evm/options.ts";
import { addressOf, calldata, type ContractName, contracts } from "../../support/evm-chain.ts";
import type { RpcError } from "../../../scheduler/evm/rpc/problems.ts";
import {
  type Answers,
  CHAIN_ID,
  DEPOSIT,
  DEPOSIT_CALL,
  GWEI,
  LiveChain,
  PRECOMPILE,
  type User,
} from "../support/evm-devnet.ts";

/** One chain for all who mean no good, and for those who use it beside them. */
let chain: LiveChain;
const unhandled: unknown[] = [];
const note = (reason: unknown) => void unhandled.push(reason);

beforeAll(async () => {
  process.on("unhandledRejection", note);
  chain = await LiveChain.start({ users: 16, contracts: contracts() });
  const paying = Array.from({ length: 8 }, (_, index) => chain.user(index));
  await Promise.all(paying.map((user) => chain.deposit(user, parseEther("1"))));
}, 180_000);

afterEach(async () => {
  expect(await chain.ledger()).toMatchObject({ balanced: true });
  expect(chain.failure).toBeUndefined();
  expect(unhandled).toEqual([]);
});

afterAll(async () => {
  await chain?.close();
  process.off("unhandledRejection", note);
});

const user = (index: number): User => chain.user(index);

function call(name: ContractName, functionName: string, args: readonly unknown[] = []) {
  return { to: addressOf(name), data: calldata(name, functionName, args) };
}

/** 16 float32 that no other test asks about. */
function input(seed: number): Hex {
  return toHex(new Uint8Array(Float32Array.from({ length: 16 }, (_, index) => Math.cos(seed + index)).buffer));
}

function status(hash: Hash): Promise<Answers["pipe_status"] | null> {
  return chain.rpc("pipe_status", hash);
}

async function left(hash: Hash): Promise<Answers["pipe_status"]> {
  await chain.until(`${hash} leaves`, async () =>
    ["refunded", "dropped", "refused", "replaced"].includes((await status(hash))?.state ?? ""),
  );
  return chain.known("pipe_status", hash);
}

async function escrowIsBack(of: User, depositGwei: number): Promise<void> {
  await chain.until("the escrow is back", async () => (await chain.depositGwei(of)) === depositGwei);
}

function withOptions(options: Parameters<typeof inferenceOptions>[0]) {
  const entry = inferenceOptions(options);
  return entry === undefined ? {} : { accessList: [entry as { address: Hex; storageKeys: Hex[] }] };
}

async function problem(sent: Promise<unknown>): Promise<string> {
  return sent.then(
    () => "taken",
    (error: unknown) => String((error as { details?: string }).details ?? error),
  );
}

function kindOf(error: RpcError | undefined): string | undefined {
  return typeof error?.data === "object" ? error.data.kind : undefined;
}

/** What a raw transaction meets. */
async function refused(raw: string): Promise<RpcError | undefined> {
  return (await chain.rpcAnswer("eth_sendRawTransaction", raw)).error;
}

test("loops over inference, reverts after it, and garbage, all pay for gas and harm nobody", async () => {
  const before = await chain.depositGwei(user(0));
  const sent = await Promise.all([
    chain.send(user(0), { ...call("Looper", "run", [input(1)]), gas: 4_000_000n }),
    chain.send(user(1), call("RevertAfter", "run", [input(2)])),
    chain.send(user(2), call("RevertAfter", "runInner", [input(3)])),
    chain.send(user(3), call("Garbage", "run", ["0x12345678deadbeef"])),
    chain.send(user(4), call("Garbage", "runDelegate", ["0x"])),
    chain.send(user(5), { ...call("Garbage", "runCall", ["0x00"]), value: 7n }),
    chain.send(user(6), { to: PRECOMPILE, value: 9n, data: "0x", gas: 100_000n }),
    chain.send(user(7), { ...call("GasBurner", "askThenBurn", [input(4), 60_000n]), gas: 260_000n }),
    chain.send(user(8), { to: PRECOMPILE, value: 3n, data: "0x", gas: 21_000n }),
  ]);
  const receipts = await Promise.all(sent.map((hash) => chain.receipt(hash)));
  expect(receipts.map((receipt) => receipt.status)).toEqual([
    "reverted", // the seventeenth question
    "reverted",
    "success",
    "success",
    "success",
    "success",
    "reverted",
    "success",
    "reverted",
  ]);
  const asked = await Promise.all([0, 1, 2, 7].map((place) => chain.known("pipe_receipt", sent[place])));
  expect(asked.map(({ receipts: { length } }) => length)).toEqual([16, 1, 2, 1]);
  expect(await chain.reader.getBalance({ address: PRECOMPILE })).toBe(0n);
  // What was not used of its escrow is back; what was asked is paid, though the contract reverted.
  await chain.until("its fees are paid", async () => (await status(sent[0] as Hash))?.state === "committed");
  expect(await chain.depositGwei(user(0))).toBeLessThan(before);
});

test("questions without an end, or of what is not there, are given up with a reason and the escrow", async () => {
  const before = await chain.depositGwei(user(0));
  const loop = { ...call("NonTerminating", "run", [toHex(1, { size: 32 })]), gas: 4_000_000n };
  // Each answer is another question: as many as there may be, and then it reverts.
  const hash = await chain.send(user(0), loop);
  const { status: ended } = await chain.receipt(hash);
  expect(ended).toBe("reverted");
  // For three of them it has set enough aside.
  const middle = await chain.depositGwei(user(0));
  const poor = await chain.send(user(0), { ...loop, ...withOptions({ capGwei: 3_500 }) });
  const outcome = await left(poor);
  expect(outcome).toMatchObject({ state: "refunded" });
  expect(outcome.reason).toContain("its calls may cost 4000 gwei, of which 3500 are set aside");
  user(0).nonce--;
  await escrowIsBack(user(0), middle);
  expect(middle).toBeLessThan(before);
  // The block's number is always another: no answer is ever about the right one, until its time is over.
  const chasing = await chain.send(user(1), { ...call("BlockReader", "askNumber"), ...withOptions({ ttlBlocks: 4 }) });
  const end = await Promise.race([left(chasing), chain.receipt(chasing).then(() => ({ state: "sealed", reason: "" }))]);
  if (end.state === "refunded") {
    expect(end.reason).toBe("no block could carry it within its time to live");
    user(1).nonce--;
  }
});

test("two that depend on each other's state are both sealed, each with the answer to its own question", async () => {
  const hashes = await Promise.all(
    [0, 1, 2, 3].map((index) => chain.send(user(index), call("SharedState", "askAndIncrement"))),
  );
  const receipts = await Promise.all(hashes.map((hash) => chain.receipt(hash)));
  expect(receipts.map((receipt) => receipt.status)).toEqual(Array(4).fill("success"));
  const counters = receipts.map(({ logs }) => logs[0]?.data.slice(2, 66));
  expect(new Set(counters).size).toBe(4);
});

test("what cannot be a transaction of this chain is refused in typed words", async () => {
  const { account } = user(9);
  const fees = { maxFeePerGas: 20n * GWEI, maxPriorityFeePerGas: GWEI };
  const plain = { to: DEPOSIT as Hex, value: 1n, nonce: 0, gas: 21_000n, type: "eip1559", ...fees } as const;
  const good = await account.signTransaction({ ...plain, chainId: CHAIN_ID });
  const kinds = async (raw: string) => kindOf(await refused(raw));
  expect(await refused(await account.signTransaction({ ...plain, chainId: 1 }))).toMatchObject({
    code: -32000,
    data: { kind: "wrong-chain" },
  });
  const legacy = { to: DEPOSIT as Hex, nonce: 0, gas: 21_000n, type: "legacy", gasPrice: 20n * GWEI } as const;
  expect(await kinds(await account.signTransaction(legacy))).toBe("unprotected");
  expect(await kinds(`${good.slice(0, -64)}${"f".repeat(64)}`)).toBe("bad-signature");
  expect(await kinds(good.slice(0, -2))).toBe("malformed");
  expect(await kinds("0x")).toBe("malformed");
  expect(await kinds(concatHex(["0x03", "0xc0"]))).toBe("type-not-supported");
  expect(await kinds(toHex(new Uint8Array(140_000).fill(1)))).toBe("oversized");
  const cheap = { ...plain, chainId: CHAIN_ID, gas: 20_999n };
  expect(await refused(await account.signTransaction(cheap))).toMatchObject({
    message: expect.stringMatching(/^intrinsic gas too low/),
    data: { kind: "intrinsic-gas-too-low" },
  });
  const free = { ...plain, chainId: CHAIN_ID, maxFeePerGas: 0n, maxPriorityFeePerGas: 0n };
  expect(await kinds(await account.signTransaction(free))).toBe("underpriced");
  expect(await kinds(await account.signTransaction({ ...plain, chainId: CHAIN_ID, nonce: 1_000 }))).toBe(
    "nonce-too-high",
  );
  expect(await kinds(await account.signTransaction({ ...plain, chainId: CHAIN_ID, gas: 9_000_000n }))).toBe(
    "beyond-block-gas",
  );
  expect(await kinds(await account.signTransaction({ ...plain, chainId: CHAIN_ID, value: parseEther("2000") }))).toBe(
    "insufficient-funds",
  );
  expect(chain.devnet.pool.pendingNonce(user(9).address, 0)).toBe(0);
  // None of them stands in the way.
  expect(await problem(chain.send(user(9), { to: DEPOSIT, value: 1n, gas: 60_000n, data: "0x" }))).toBe("taken");
});

test("a sender without a deposit, or with a cap that is too low or cannot be read, is told so", async () => {
  const ask = call("Tolerant", "run", [input(20)]);
  expect(await problem(chain.send(user(10), ask))).toContain("for which the sender has 0 gwei on deposit");
  const low = chain.send(user(1), { ...ask, ...withOptions({ capGwei: 10 }) });
  expect(await problem(low)).toContain("its access list allows 10");
  const unknown = [{ address: PRECOMPILE, storageKeys: [toHex(5, { size: 32 })] }] as const;
  expect(await problem(chain.send(user(1), { ...ask, accessList: unknown }))).toContain("an inference option");
});

test("who replaces a race gets its escrow back, and nothing of it stays", async () => {
  const of = user(2);
  const before = await chain.depositGwei(of);
  const { nonce } = of;
  const twice = { maxFeePerGas: 40n * GWEI, maxPriorityFeePerGas: 2n * GWEI };
  const thrice = { maxFeePerGas: 80n * GWEI, maxPriorityFeePerGas: 4n * GWEI };
  // A hole before them, so that no block can take any.
  const slow = { ...call("Looper", "runTimes", [input(30), 12n]), gas: 4_000_000n, nonce: nonce + 1 };
  const first = await chain.send(of, slow);
  const second = await chain.send(of, { ...slow, data: calldata("Looper", "runTimes", [input(31), 12n]), fees: twice });
  expect(await left(first)).toMatchObject({ state: "replaced" });
  const third = await chain.send(of, { to: of.address, value: 1n, gas: 21_000n, nonce: nonce + 1, fees: thrice });
  expect(await left(second)).toMatchObject({ state: "replaced", reason: `replaced by ${third}` });
  await escrowIsBack(of, before);
  await chain.send(of, { to: of.address, value: 1n, gas: 21_000n });
  of.nonce++;
  expect((await chain.receipt(third)).status).toBe("success");
  await chain.until("no race is left", async () => (await chain.devnet.pipe.statistics()).sizes.races === 0);
});

test("transactions of one sender go on in order, of whatever kind they are", async () => {
  const of = user(3);
  const { nonce } = of;
  const transfer = (at: number) => chain.send(of, { to: of.address, value: 1n, gas: 21_000n, nonce: at });
  const question = (at: number) => chain.send(of, { ...call("Tolerant", "run", [input(40 + at)]), nonce: at });
  const hashes = await Promise.all([question(nonce + 3), transfer(nonce + 2), question(nonce + 1), transfer(nonce)]);
  of.nonce += 4;
  const receipts = await Promise.all(hashes.map((hash) => chain.receipt(hash)));
  const places = receipts.map(({ blockNumber, transactionIndex }) => Number(blockNumber) * 1_000 + transactionIndex);
  expect(places).toEqual(places.toSorted((a, b) => b - a));
  expect(await chain.reader.getTransactionCount({ address: of.address, blockTag: "pending" })).toBe(of.nonce);
});

test("a sender cannot empty the block with a question that only its other transaction makes", async () => {
  const [one, two] = [user(4), user(5)];
  // In its first run it asks nothing; behind the first one, in the block, it asks.
  const empties: number[] = [];
  for (let round = 0; round < 3; round++) {
    const first = chain.send(one, call("Tolerant", "run", [input(60 + round)]));
    const second = chain.send(one, call("SharedState", "askAndIncrement"));
    const third = chain.send(two, { to: one.address, value: 1n, gas: 21_000n });
    const hashes = await Promise.all([first, second, third]);
    for (const hash of hashes) expect((await chain.receipt(hash)).status).toBe("success");
    empties.push(chain.blocks.filter(({ included }) => included.length === 0).length);
  }
  expect(empties.length).toBe(3);
});

test("what the scheduler gave up while it was executed leaves a block without inference, and the chain goes on", async () => {
  const { pipe, pool } = chain.devnet;
  const hash = await chain.send(user(6), call("Tolerant", "run", [input(70)]));
  // The producer executes it as soon as it is ready, and seals up to 350 ms later.
  await chain.until("it is ready", async () => (await pipe.status(hash.slice(2)))?.state !== "racing");
  const was = chain.head;
  const taken = await pipe.withdraw(hash.slice(2));
  await chain.until("a block", () => chain.head > was + 1);
  if (taken) {
    await chain.until("it is out of the pool", () => pool.get(hash.slice(2)) === undefined);
    user(6).nonce--;
  } else await chain.receipt(hash);
  expect(
    (await chain.receipt(await chain.send(user(6), { to: DEPOSIT, data: DEPOSIT_CALL, value: GWEI }))).status,
  ).toBe("success");
});

test("a reorg takes back ordinary ones, results and deposits, and nothing is paid or counted twice", async () => {
  const [asker, payer, mover] = [user(7), user(11), user(12)];
  await chain.blocksPass(4);
  const before = await chain.ledger();
  const [deposit, transfer, question] = await Promise.all([
    chain.send(payer, { to: DEPOSIT, data: DEPOSIT_CALL, value: parseEther("0.5"), gas: 60_000n }),
    chain.send(mover, { to: payer.address, value: 5n, gas: 21_000n }),
    chain.send(asker, call("Tolerant", "run", [input(80)])),
  ]);
  const first = await chain.receipt(question);
  await Promise.all([deposit, transfer].map((hash) => chain.receipt(hash)));
  const launched = (await chain.devnet.pipe.statistics()).counters.racesDecided;
  const to = await chain.devnet.producer.reorg(2);
  expect(to).toBeLessThan(Number(first.blockNumber));
  const again = await Promise.all(
    [question, deposit, transfer].map(async (hash) => {
      await chain.until(`${hash} is in a block again`, async () => ((await status(hash))?.blockNumber ?? 0) > to);
      return chain.receipt(hash);
    }),
  );
  expect(again.map((receipt) => receipt.status)).toEqual(["success", "success", "success"]);
  expect(again[0]?.blockHash).not.toBe(first.blockHash);
  await chain.blocksPass(4);
  expect((await chain.devnet.pipe.statistics()).counters.racesDecided).toBe(launched);
  expect(await chain.depositGwei(payer)).toBe(500_000_000);
  const { receipts } = await chain.known("pipe_receipt", question);
  const fees = receipts.reduce((sum, { receipt }) => sum + receipt.feeGwei, 0);
  expect((await chain.ledger()).paidGwei - before.paidGwei).toBe(fees);
  const logs = await chain.reader.getLogs({ address: DEPOSIT, fromBlock: BigInt(to + 1) });
  expect(logs.filter(({ transactionHash }) => transactionHash === deposit)).toHaveLength(1);
});

test("whose balance is gone at sealing is dropped, and says why", async () => {
  const of = user(13);
  const everything = parseEther("1000") - 21_000n * 20n * GWEI;
  const { nonce } = of;
  // Both were affordable when they came: the second replaces nothing, the first one's value is raised afterwards.
  const later = await chain.send(of, { to: of.address, value: 1n, gas: 21_000n, nonce: nonce + 1 });
  expect(await problem(chain.send(of, { to: DEPOSIT, value: everything, gas: 21_000n, nonce }))).toContain(
    "insufficient funds",
  );
  await chain.send(of, { to: user(0).address, value: 1n, gas: 21_000n, nonce });
  expect((await chain.receipt(later)).status).toBe("success");
  of.nonce += 2;
});

test("deposits of constructors count, and those of what was reverted do not", async () => {
  const of = user(9);
  // Calls deposit() at the contract with all of the value, and then stops or reverts.
  const code = "63d0e30db0600052600060006004601c3460f55af1";
  const value = parseEther("0.25");
  const created = await chain.receipt(await chain.send(of, { data: `0x${code}00`, value }));
  const undone = await chain.receipt(await chain.send(of, { data: `0x${code}60006000fd`, value }));
  expect([created.status, undone.status]).toEqual(["success", "reverted"]);
  const { pipe } = chain.devnet;
  const depositOf = async (address: string | null | undefined) =>
    (await pipe.account(address?.toLowerCase() ?? ""))?.depositGwei;
  await chain.until("it counts", async () => (await depositOf(created.contractAddress)) === 250_000_000);
  await chain.blocksPass(2);
  expect(await depositOf(undone.contractAddress)).toBeUndefined();
  expect(await depositOf(of.address)).toBeUndefined();
});

test("a delegation uses a nonce of its signer's in another's transaction, and the signer's next one is not forgotten", async () => {
  const [signer, sponsor] = [user(10), user(11)];
  const nonce = await chain.reader.getTransactionCount({ address: signer.address });
  const waiting = await chain.send(signer, { to: sponsor.address, value: 1n, gas: 60_000n, nonce: nonce + 1 });
  const authorization = await signer.wallet.signAuthorization({ contractAddress: addressOf("Tolerant"), nonce });
  await sponsor.wallet.sendTransaction({
    ...{ to: sponsor.address, value: 0n, gas: 200_000n, nonce: sponsor.nonce++, authorizationList: [authorization] },
    ...{ maxFeePerGas: 20n * GWEI, maxPriorityFeePerGas: GWEI },
  });
  expect((await chain.receipt(waiting)).status).toBe("success");
});

test("a creation that asks models in its constructor is raced as any other", async () => {
  const of = user(2);
  const question = call("Tolerant", "run", [input(95)]);
  // Calls the contract with what stands behind the code, and is a contract without code.
  const size = (question.data.length - 2) / 2;
  const hex = (value: number, bytes: number) => value.toString(16).padStart(2 * bytes, "0");
  const codeAt = (at: number) =>
    `61${hex(size, 2)}60${hex(at, 1)}6000396000600061${hex(size, 2)}6000600073${question.to.slice(2)}5af100`;
  const code = codeAt(codeAt(0).length / 2);
  const hash = await chain.send(of, { data: `0x${code}${question.data.slice(2)}` });
  expect((await chain.receipt(hash)).status).toBe("success");
  expect((await chain.known("pipe_receipt", hash)).receipts).toHaveLength(1);
});

test("a flood of first runs that burn gas keeps neither blocks nor transfers out (P7)", async () => {
  const head = chain.head;
  const burner = user(14);
  const burn = call("GasBurner", "burnAll");
  const flood = Array.from({ length: 300 }, (_, index) =>
    chain
      .send(burner, { ...burn, gas: 7_999_000n, nonce: burner.nonce + (index % 30), fees: feesOf(index) })
      .catch(() => "0x"),
  );
  const askers = Array.from({ length: 20 }, () =>
    chain.reader.call({ account: burner.address, ...burn, gas: 29_000_000n }).catch(() => undefined),
  );
  const transfers: Hash[] = [];
  for (let round = 0; round < 5; round++) {
    transfers.push(await chain.send(user(15), { to: user(0).address, value: 1n, gas: 21_000n }));
    await chain.blocksPass(1);
  }
  const question = await chain.send(user(7), call("Tolerant", "run", [input(90)]));
  const receipts = await Promise.all([...transfers, question].map((hash) => chain.receipt(hash)));
  expect(receipts.map((receipt) => receipt.status)).toEqual(Array(6).fill("success"));
  expect(chain.head).toBeGreaterThan(head + 5);
  await Promise.all([...flood, ...askers]);
}, 240_000);

function feesOf(index: number) {
  const step = BigInt(Math.floor(index / 30));
  return { maxFeePerGas: 20n * GWEI * (step + 1n), maxPriorityFeePerGas: GWEI * (step + 1n) };
}

test("in the end nothing is left over, and a validator agrees with all of it", async () => {
  const { devnet } = chain;
  // What burners left behind a hole waits for it.
  await chain.until("nothing waits that could be in a block", () =>
    [...devnet.pool.entries()].every(
      ({ kind, transaction }) =>
        kind === "ordinary" && transaction.nonce > (devnet.pool.chainNonce(transaction.sender) ?? 0),
    ),
  );
  await chain.blocksPass(4);
  const { sizes } = await devnet.pipe.statistics();
  expect(sizes).toMatchObject({ pending: 0, races: 0, copies: 0 });
  expect(devnet.preExecutor.watched).toBe(0);
  expect((await chain.ledger()).heldGwei).toBe(0);
  await devnet.producer.stop();
  expect(await chain.check()).toMatchObject({ findings: [] });
});
