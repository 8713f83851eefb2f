import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { madeUpArrivals, TraceError, traceArrivals, Users } from "../../../scheduler/cli/demo-workload.ts";
import type { Pipe, SignedTransaction, SubmitOutcome } from "../../../scheduler/index.ts";
import { createEmulatorRoot } from "../../../scheduler/node/enclave-emulator.ts";
import { checkTransaction } from "../../../scheduler/proofs/transaction.ts";
import { refuseCalls } from "../../../scheduler/registry/call-check.ts";
import { embeddedRegistry } from "../../../scheduler/registry/default-registry.ts";

const FIRST_VALID = { kind: "first-valid" } as const;

/** Takes everything, or, like a mempool, only the nonce that is due. */
function mempool() {
  const seen: SignedTransaction[] = [];
  const nonces = new Map<string, number>();
  const pipe: Pick<Pipe, "account" | "submit"> = {
    account: async (id) => ({ nextNonce: nonces.get(id) ?? 0, depositGwei: 0, pending: 0 }),
    submit: async (signed): Promise<SubmitOutcome> => {
      const transaction = signed as SignedTransaction;
      seen.push(transaction);
      await new Promise((resolve) => setTimeout(resolve, 1));
      nonces.set(transaction.sender, transaction.nonce + 1);
      return { ok: true, hash: "" } as SubmitOutcome;
    },
  };
  return { seen, pipe };
}

describe("the made-up workload", () => {
  const minute = { seed: 1, ratePerS: 12, durationMs: 60_000 };

  it("is the same for the same seed and another for another", () => {
    expect(madeUpArrivals(minute)).toEqual(madeUpArrivals(minute));
    expect(madeUpArrivals({ ...minute, seed: 2 })).not.toEqual(madeUpArrivals(minute));
  });

  it.each([1, 2, 3, 4, 5, 1_000, 2 ** 31 - 1])("keeps its rate from the first second on, with seed %i", (seed) => {
    const times = madeUpArrivals({ ...minute, seed }).map(({ atMs }) => atMs);
    // Six standard deviations of a Poisson count around its mean.
    expect(Math.abs(times.length - 720)).toBeLessThan(6 * Math.sqrt(720));
    expect(times.filter((atMs) => atMs < 5_000).length).toBeGreaterThan(60 - 6 * Math.sqrt(60));
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(times.at(-1)).toBeLessThan(60_000);
  });

  it("asks every kind of question, in all modes, with all conflict rules", () => {
    const calls = madeUpArrivals(minute).map((arrival) => arrival.calls);
    const kinds = calls.map((asked) => asked.map(({ model, mode }) => `${model}/${mode}`).join("+"));
    const share = (kind: string) => kinds.filter((each) => each === kind).length / kinds.length;
    const expected = [
      "risk-small/vanilla",
      "risk-small/optimistic",
      "risk-small/tee",
      "risk-small/tee+risk-tiny/zkml",
      "chat-mini/vanilla",
      "",
    ];
    for (const kind of expected) expect(share(kind), kind).toBeGreaterThan(0.02);
    const rules = new Set(calls.flat().map(({ conflict }) => conflict.kind));
    expect(rules).toEqual(new Set(["first-valid", "agree", "median"]));
  });

  it("asks nothing that the registry does not allow", async () => {
    const { seen, pipe } = mempool();
    const users = new Users({ chainId: "a-chain", seed: 7 });
    await Promise.all(madeUpArrivals(minute).map((arrival) => users.submit(arrival, 5, pipe)));
    const registry = embeddedRegistry([], createEmulatorRoot({ nowMs: Date.now() }));
    for (const signed of seen) {
      const checked = checkTransaction(signed, "a-chain");
      if (!checked.ok) throw new Error(checked.problem.advice);
      const inputOf = (hash: string) => checked.inputs.get(hash);
      expect(refuseCalls(registry, checked.terms.calls ?? [], inputOf)).toBeUndefined();
    }
  });
});

describe("a trace", () => {
  let folder = "";
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "pipe-trace-"));
  });
  afterAll(() => rm(folder, { recursive: true }));

  const HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens";
  async function traced(text: string, durationMs = 10_000) {
    const path = join(folder, "trace.csv");
    await writeFile(path, text);
    return traceArrivals(path, durationMs);
  }

  it("gives arrivals from its first row on, in the order of time, each one chat call", async () => {
    const rows = ["2023-11-16 18:15:47.6800000,10,0", "2023-11-16 18:15:46.6805900,374,44"];
    const [first, second, ...rest] = await traced(`\ufeff${[HEADER, ...rows].join("\r\n")}\r\n\r\n`);
    expect(first).toEqual({
      atMs: 0,
      ttlBlocks: 24,
      calls: [{ model: "chat-mini", mode: "vanilla", conflict: FIRST_VALID, tokensIn: 374, tokensOut: 44 }],
    });
    // A model says at least one token.
    expect(second).toMatchObject({ atMs: 1_000, calls: [{ tokensIn: 10, tokensOut: 1 }] });
    expect(rest).toEqual([]);
  });

  it("ends where the demonstration does", async () => {
    const rows = [0, 1, 2, 3].map((second) => `2023-11-16 18:15:0${second}.000,1,1`);
    expect(await traced([HEADER, ...rows].join("\n"), 2_000)).toHaveLength(2);
  });

  it("asks for a file when there is none", async () => {
    const missing = join(folder, "missing.csv");
    await expect(traceArrivals(missing, 1)).rejects.toThrow(
      new TraceError(`The trace ${missing} cannot be read (ENOENT). Give --trace the path of a CSV file.`),
    );
    await expect(traceArrivals(folder, 1)).rejects.toThrow("(EISDIR)");
  });

  it.each([
    ["", "has no rows"],
    [HEADER, "has no rows"],
    [`${HEADER}\n2023-11-16 18:15:46.680,1`, "is no CSV"],
    [`${HEADER}\n"2023,1,1`, "is no CSV"],
    ["TIMESTAMP,ContextTokens\n2023-11-16 18:15:46.680,1", "row 1: the column GeneratedTokens is missing"],
    ["when,ContextTokens,GeneratedTokens\n1,1,1", "row 1: the column TIMESTAMP is missing"],
    [`${HEADER}\n2023-11-16 18:15:46.680,1,1\nyesterday,1,1`, "row 2: TIMESTAMP is yesterday, not a time"],
    [`${HEADER}\n2023-11-16 18:15:46.680,-1,1`, "row 1: ContextTokens is -1, not a count"],
    [`${HEADER}\n2023-11-16 18:15:46.680,1,1.5`, "row 1: GeneratedTokens is 1.5, not a count"],
    [`${HEADER}\n2023-11-16 18:15:46.680,1,1e99`, "row 1: GeneratedTokens is 1e99, not a count"],
    [`${HEADER}\n2023-11-16 18:15:46.680,,1`, "row 1: ContextTokens is empty"],
  ])("that is %j is refused with its place", async (text, problem) => {
    await expect(traced(text)).rejects.toThrow(TraceError);
    await expect(traced(text)).rejects.toThrow(problem);
  });
});

describe("the users", () => {
  const call = { model: "risk-small", mode: "vanilla", conflict: FIRST_VALID, tokensIn: 16, tokensOut: 8 } as const;
  const arrival = { atMs: 0, ttlBlocks: 9, calls: [call] };

  it("sign what the chain accepts, each one's nonces without a gap though they do not wait for each other", async () => {
    const { seen, pipe } = mempool();
    const users = new Users({ chainId: "a-chain", seed: 7 });
    await Promise.all(Array.from({ length: 60 }, () => users.submit(arrival, 5, pipe)));
    expect(new Set(seen.map(({ sender }) => sender))).toEqual(new Set(users.accounts));
    for (const account of users.accounts) {
      const nonces = seen.filter(({ sender }) => sender === account).map(({ nonce }) => nonce);
      expect(nonces).toEqual(nonces.map((_, index) => index));
    }
    for (const signed of seen) expect(checkTransaction(signed, "a-chain")).toMatchObject({ ok: true });
    expect(seen.every(({ ttlBlocks }) => ttlBlocks === 5)).toBe(true);
  });

  it("are the same people for the same seed", () => {
    const accounts = (seed: number) => new Users({ chainId: "a-chain", seed }).accounts;
    expect(accounts(7)).toEqual(accounts(7));
    expect(accounts(8)).not.toEqual(accounts(7));
  });
});
