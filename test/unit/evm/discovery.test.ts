import { decodeAbiParameters, hexToBytes, toHex } from "viem";
import { beforeAll, describe, expect, it } from "vitest";
import { DEFAULT_EVM_LIMITS, type EvmChain } from "../../../mempool/evm/chain.ts";
import type { EvmRun } from "../../../mempool/evm/trial.ts";
import {
  abiOf,
  addressOf,
  ANY_TIME,
  answerTo,
  asking,
  calldata,
  COMPILING,
  lastRun,
  NO_RESULTS,
  newChain,
  PIPE_CHAIN,
  senderAddress,
  solve,
  transaction,
} from "../../support/evm-chain.ts";
import { jobDigest } from "../../../scheduler/proofs/transaction-digest.ts";

const INPUT = toHex(Uint8Array.from({ length: 64 }, (_, i) => i));
const LONG_INPUT = toHex(Uint8Array.from({ length: 256 }, (_, i) => i % 60));
let chain: EvmChain;

beforeAll(async () => {
  chain = await newChain();
}, COMPILING);

const env = () => chain.nextEnvironment(chain.head.timestamp + 1);

function completed(run: EvmRun) {
  if (run.kind !== "completed") throw new Error(`it is ${run.kind}: ${run.kind === "invalid" ? run.message : ""}`);
  return run;
}

function asked(run: EvmRun) {
  if (run.kind !== "calls") throw new Error(`it is ${run.kind}`);
  return run;
}

describe("discovery", () => {
  it("comes to the end of two questions that depend on each other in three runs", async () => {
    const tx = await asking("TwoStep", "run", [LONG_INPUT]);
    const solved = await solve(chain, tx);
    expect(solved.runs.map(({ kind }) => kind)).toEqual(["calls", "calls", "completed"]);
    const { calls, reverted, readSet } = completed(lastRun(solved));
    expect(calls.map(({ known }) => known)).toEqual([true, true]);
    expect(reverted).toBe(false);
    for (const [callIndex, call] of calls.entries()) {
      const { model, mode, conflict, inputHash } = call;
      const digest = jobDigest({ chainId: PIPE_CHAIN, txHash: tx.hash, callIndex, model, inputHash, mode, conflict });
      expect(call.digest).toBe(digest);
    }
    expect(readSet).toContain(`a:${addressOf("TwoStep")}`);
    expect(readSet).toContain(`s:${addressOf("TwoStep")}:${"0".repeat(64)}`);
    expect(readSet).not.toContain(`a:${senderAddress(0)}`);
  });

  it("finds questions that do not depend on each other at once", async () => {
    const cases = Array.from({ length: 10 }, (_, i) => toHex(new Uint8Array(64).fill(i)));
    const solved = await solve(chain, await asking("BatchOfTen", "run", [cases], { gas: 3_000_000n }));
    expect(solved.runs.map(({ kind }) => kind)).toEqual(["calls", "completed"]);
    expect(completed(lastRun(solved)).calls).toHaveLength(10);
  });

  it("races an announced question beside the one before it, under one number", async () => {
    const tx = await asking("Tolerant", "announceThenAsk", [INPUT, LONG_INPUT]);
    const solved = await solve(chain, tx);
    expect(solved.runs.map(({ kind }) => kind)).toEqual(["calls", "completed"]);
    const { calls } = completed(lastRun(solved));
    expect(calls.map(({ input }) => input.length)).toEqual([256, 64]);
  });

  it("goes on with a marker where the contract is content with none, and says that it did", async () => {
    const tx = await asking("Tolerant", "run", [INPUT]);
    const run = asked(await chain.preExecute(tx, NO_RESULTS, env()));
    expect(run.calls.map(({ known }) => known)).toEqual([false]);
    expect(run.readSet).toContain(`s:${addressOf("Tolerant")}:${"0".repeat(64)}`);
  });

  it("cannot be outlived by a contract that catches everything", async () => {
    const tx = await asking("ChainProbe", "catchIt", [INPUT]);
    const run = asked(await chain.preExecute(tx, NO_RESULTS, env()));
    expect(run.calls).toHaveLength(1);
    const solved = completed(lastRun(await solve(chain, tx)));
    // Asked twice, once in each way: two questions, none of which failed.
    expect(solved.calls).toHaveLength(2);
    expect(await stored("ChainProbe", 1n, tx)).toBe(0n);
  });

  it("numbers questions of frames that revert, so that those after them keep their digests", async () => {
    const solved = await solve(chain, await asking("RevertAfter", "runInner", [INPUT]));
    const { calls, reverted } = completed(lastRun(solved));
    expect(calls.map(({ inputHash }) => inputHash)).toEqual([calls[0]?.inputHash, calls[0]?.inputHash]);
    expect(new Set(calls.map(({ digest }) => digest)).size).toBe(2);
    expect(reverted).toBe(false);
  });

  it("tells of a transaction that fails with all of its answers", async () => {
    const { reverted, gasUsed } = completed(lastRun(await solve(chain, await asking("RevertAfter", "run", [INPUT]))));
    expect(reverted).toBe(true);
    expect(gasUsed).toBeGreaterThan(21_000n);
  });

  it("ends loops at the bound of sixteen questions, as a transaction that fails in every run alike", async () => {
    for (const [name, args] of [
      ["Looper", [INPUT]],
      ["NonTerminating", [`0x${"07".repeat(32)}`]],
    ] as const) {
      const solved = await solve(chain, await asking(name, "run", args, { gas: 10_000_000n }));
      const { calls, reverted } = completed(lastRun(solved));
      expect(calls).toHaveLength(16);
      expect(reverted).toBe(true);
      expect(solved.runs).toHaveLength(17);
    }
  });

  it("says why a contract stops at the bound", async () => {
    const data = hexToBytes(calldata("Looper", "run", [INPUT]));
    const outcome = await chain.call({ ...CALL, to: addressOf("Looper"), data, gas: 10_000_000n }, env());
    if (outcome.kind !== "ran") throw new Error(outcome.message);
    expect([outcome.ok, outcome.error]).toEqual([false, "revert"]);
    expect(outcome.pendingCalls).toHaveLength(16);
    expect(Buffer.from(outcome.returnData).toString()).toContain("more than 16 in one transaction");
  });

  it("stops what spends all of its gas by the clock, and says so", async () => {
    const slow = await newChain({ gasLimit: 4_000_000_000n }, DEFAULT_EVM_LIMITS);
    const tx = await asking("GasBurner", "burnAll", [], { gas: 4_000_000_000n });
    const before = performance.now();
    const run = await slow.preExecute(tx, NO_RESULTS, slow.nextEnvironment(2_000));
    expect(run).toMatchObject({ kind: "invalid", reason: "too-slow" });
    expect(performance.now() - before).toBeLessThan(5_000);
  });

  it("takes a transaction that spends all of its gas for one that fails", async () => {
    const tx = await asking("GasBurner", "burnAll", [], { gas: 300_000n });
    const run = completed(await chain.preExecute(tx, NO_RESULTS, env()));
    expect([run.reverted, run.gasUsed]).toEqual([true, 300_000n]);
  });

  it.each(["run", "runCall", "runDelegate"])(
    "answers garbage with an error that a contract can read (%s)",
    async (how) => {
      for (const garbage of ["0x", "0x12345678", `0x091f7e65${"ff".repeat(400)}`]) {
        const run = completed(await chain.preExecute(await asking("Garbage", how, [garbage]), NO_RESULTS, env()));
        expect([run.reverted, run.calls.length]).toEqual([false, 0]);
      }
    },
  );

  it("asks another question in another block, if that is what the contract does", async () => {
    const tx = await asking("BlockReader", "askNumber");
    const here = asked(await chain.preExecute(tx, NO_RESULTS, env()));
    const later = asked(await chain.preExecute(tx, NO_RESULTS, { ...env(), number: env().number + 1 }));
    expect(here.calls[0]?.digest).not.toBe(later.calls[0]?.digest);
    expect(here.readSet).toContain("b:number");
    const ofTime = asked(await chain.preExecute(await asking("BlockReader", "askTimestamp"), NO_RESULTS, env()));
    expect(ofTime.readSet).toContain("b:timestamp");
    expect(ofTime.readSet).not.toContain("b:number");
  });

  it("notes what else of block, fees and accounts a contract sees", async () => {
    const readsOf = async (name: string, args: readonly unknown[]) =>
      completed(await chain.preExecute(await asking("ChainProbe", name, args), NO_RESULTS, env())).readSet;
    expect(await readsOf("price", [])).toContain("b:baseFeePerGas");
    expect(await readsOf("hashOf", [chain.head.number])).toContain("b:hash");
    expect(await readsOf("balanceOf", [senderAddress(5)])).toContain(`a:${senderAddress(5)}`);
    const own = await readsOf("balanceOf", [senderAddress(0)]);
    // What the sender has left depends on the price of its gas.
    expect(own).toEqual(expect.arrayContaining([`a:${senderAddress(0)}`, "b:baseFeePerGas"]));
    expect(await readsOf("write", [1n, 2n])).not.toContain("b:baseFeePerGas");
  });

  it("does not hold a later nonce against a transaction, and does an earlier one", async () => {
    const later = await asking("TwoStep", "run", [LONG_INPUT], { nonce: 7 });
    expect(asked(await chain.preExecute(later, NO_RESULTS, env())).calls).toHaveLength(1);
    const other = await newChain();
    await other.begin(other.nextEnvironment(1_001));
    await other.add(await transaction({ to: senderAddress(1) }), NO_RESULTS, ANY_TIME);
    await other.seal(new Uint8Array(32));
    const old = await asking("TwoStep", "run", [LONG_INPUT]);
    const run = await other.preExecute(old, NO_RESULTS, other.nextEnvironment(1_002));
    expect(run).toMatchObject({ kind: "invalid", reason: "nonce-too-low" });
  });

  it("leaves the head as it was, whatever was run", async () => {
    const other = await newChain();
    const { head } = other;
    await solve(other, await asking("TwoStep", "run", [LONG_INPUT]));
    await solve(other, await asking("ChainProbe", "catchIt", [INPUT]));
    expect(other.head).toEqual(head);
    await other.begin(other.nextEnvironment(1_001));
    const { head: next } = await other.seal(new Uint8Array(32));
    expect(next.stateRoot).toBe(head.stateRoot);
  });

  it("begins every run with empty transient storage, also after one that was stopped", async () => {
    const tx = await asking("ChainProbe", "transients", [INPUT]);
    const solved = await solve(chain, tx);
    expect(solved.runs).toHaveLength(2);
    expect(await stored("ChainProbe", 2n, tx)).toBe(1n);
  });

  it("asks another question for another input", async () => {
    const digests = await Promise.all(
      ["00", "01"].map(async (byte) => {
        const own = await newChain();
        const tx = await asking("Tolerant", "run", [`0x${byte.repeat(64)}`]);
        return asked(await own.preExecute(tx, NO_RESULTS, own.nextEnvironment(1_001))).calls[0]?.digest;
      }),
    );
    expect(digests[0]).not.toBe(digests[1]);
  });
});

describe("a call that is tried", () => {
  it("has zeros for answers, names the questions, and costs what the real one does", async () => {
    const data = hexToBytes(calldata("Tolerant", "run", [INPUT]));
    const outcome = await chain.call({ ...CALL, to: addressOf("Tolerant"), data }, env());
    if (outcome.kind !== "ran") throw new Error(outcome.message);
    expect([outcome.ok, outcome.pendingCalls.length]).toEqual([true, 1]);
  });

  it("gives a limit of gas with which the transaction succeeds, and not with much less", async () => {
    const data = calldata("TwoStep", "run", [LONG_INPUT]);
    const request = { ...CALL, from: senderAddress(0), to: addressOf("TwoStep"), data: hexToBytes(data) };
    const estimate = await chain.estimateGas(request, env());
    if (estimate.kind !== "enough") throw new Error("it fails");
    expect(estimate.pendingCalls).toHaveLength(2);
    const withGas = async (gas: bigint) =>
      completed(lastRun(await solve(chain, await asking("TwoStep", "run", [LONG_INPUT], { gas })))).reverted;
    expect(await withGas(estimate.gas)).toBe(false);
    expect(await withGas((estimate.gas * 9n) / 10n)).toBe(true);
  });

  it("may come from a contract, and does not take its code from it", async () => {
    const data = hexToBytes(calldata("Tolerant", "known"));
    const outcome = await chain.call({ ...CALL, from: addressOf("Tolerant"), to: addressOf("Tolerant"), data }, env());
    if (outcome.kind !== "ran") throw new Error(outcome.message);
    expect(decodeAbiParameters([{ type: "bool" }], toHex(outcome.returnData))).toEqual([false]);
  });

  it("is refused without the money that it sends", async () => {
    const outcome = await chain.call({ ...CALL, from: `0x${"99".repeat(20)}`, to: senderAddress(0), value: 1n }, env());
    expect(outcome).toMatchObject({ kind: "refused", reason: "insufficient-funds" });
  });
});

const CALL = {
  from: undefined,
  to: undefined,
  data: new Uint8Array(0),
  value: 0n,
  gas: undefined,
  maxFeePerGas: undefined,
  maxPriorityFeePerGas: undefined,
  accessList: [],
};

/** What the probe's list of slots holds after the transaction. */
async function stored(name: "ChainProbe", slot: bigint, tx: Awaited<ReturnType<typeof asking>>): Promise<bigint> {
  const own = await newChain();
  const { results } = await solve(own, tx, answerTo);
  await own.begin(own.nextEnvironment(1_001));
  const added = await own.add(tx, results, ANY_TIME);
  if (added.kind !== "included") throw new Error(`not included: ${added.kind}`);
  await own.seal(new Uint8Array(32));
  const functionName = slot === 1n ? "caught" : "slots";
  const data = hexToBytes(calldata(name, functionName, slot === 1n ? [] : [slot]));
  const outcome = await own.call({ ...CALL, to: addressOf(name), data }, own.nextEnvironment(1_002));
  if (outcome.kind !== "ran" || abiOf(name).length === 0) throw new Error("it cannot be read");
  return BigInt(toHex(outcome.returnData));
}
