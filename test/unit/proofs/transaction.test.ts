import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Rejection } from "../../../mempool/rejection.ts";
import { sha256Hex } from "../../../scheduler/proofs/digest.ts";
import { signingKeyFromSeed } from "../../../scheduler/proofs/keys.ts";
import type { SignedCall, SignedTransaction, UnsignedTransaction } from "../../../scheduler/proofs/transaction.ts";
import {
  checkTransaction,
  describeRejection,
  jobDigest,
  parseTransaction,
  signTransaction,
  transactionHash,
} from "../../../scheduler/proofs/transaction.ts";
import { WIRE_LIMITS } from "../../../scheduler/proofs/wire-limits.ts";
import { MODES } from "../../../scheduler/shared/vocabulary.ts";

const key = signingKeyFromSeed(new Uint8Array(32).fill(7));
const other = signingKeyFromSeed(new Uint8Array(32).fill(8));

const call: SignedCall = {
  model: "risk-small",
  mode: "vanilla",
  input: Buffer.from("question").toString("base64"),
  tokensIn: 4,
  tokensOut: 8,
  maxFeeGwei: 100,
  conflict: { kind: "first-valid" },
  validityBlocks: 3,
};
const unsigned: UnsignedTransaction = {
  chainId: "pipe-1",
  sender: key.publicKeyHex,
  nonce: 0,
  gasPriceGwei: 2,
  ttlBlocks: 10,
  calls: [call, { ...call, mode: "tee", maxFeeGwei: 50 }],
};
const signed = signTransaction(unsigned, key);

function problemOf(input: unknown, chainId = "pipe-1") {
  const checked = checkTransaction(input, chainId);
  if (checked.ok) throw new Error("taken for a good transaction");
  return checked.problem;
}

const id = fc.stringMatching(/^[A-Za-z0-9._-]{1,8}$/);
const calls: fc.Arbitrary<SignedCall> = fc.record({
  model: id,
  mode: fc.constantFrom(...MODES),
  input: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString("base64")),
  tokensIn: fc.nat(1_000),
  tokensOut: fc.nat(1_000),
  maxFeeGwei: fc.nat({ max: 2 ** 31 - 1 }),
  conflict: fc.oneof(
    fc.constant({ kind: "first-valid" as const }),
    fc.record({ kind: fc.constant("agree" as const), k: fc.integer({ min: 1, max: WIRE_LIMITS.maxQuorum }) }),
    fc.record({
      kind: fc.constant("median" as const),
      k: fc.integer({ min: 1, max: WIRE_LIMITS.maxQuorum }),
      // JSON has no minus zero.
      tolerance: fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }).map((value) => value + 0),
    }),
  ),
  validityBlocks: fc.nat(1024),
});
const transactions: fc.Arbitrary<UnsignedTransaction> = fc.record({
  chainId: id,
  sender: fc.constant(key.publicKeyHex),
  nonce: fc.maxSafeNat(),
  gasPriceGwei: fc.nat(),
  ttlBlocks: fc.integer({ min: 1, max: 1024 }),
  calls: fc.array(calls, { maxLength: 4 }),
});

describe("a signed transaction", () => {
  it("is accepted with what the engine needs to know", () => {
    const checked = checkTransaction(JSON.parse(JSON.stringify(signed)), "pipe-1");
    expect(checked.ok).toBe(true);
    if (!checked.ok) return;
    const inputHash = sha256Hex(Buffer.from("question"));
    const { terms } = checked;
    expect(terms.hash).toBe(transactionHash(unsigned));
    expect(terms.escrowGwei).toBe(150);
    expect([...checked.inputs]).toEqual([[inputHash, new Uint8Array(Buffer.from("question"))]]);
    expect(terms.calls?.map(({ digest }) => digest)).toEqual(
      (["vanilla", "tee"] as const).map((mode, callIndex) =>
        jobDigest({ ...CONTEXT, txHash: terms.hash, callIndex, inputHash, mode }),
      ),
    );
  });

  it("is accepted whatever its well-formed content, and comes back the same", () => {
    fc.assert(
      fc.property(transactions, (tx) => {
        const checked = parseTransaction(JSON.stringify(signTransaction(tx, key)), tx.chainId);
        expect(checked.ok && checked.transaction).toEqual(signTransaction(tx, key));
      }),
      { numRuns: 150 },
    );
  });

  it("changes its hash and loses its signature with every change of a field", () => {
    fc.assert(
      fc.property(transactions, transactions, fc.constantFrom(...FIELDS), (one, another, field) => {
        fc.pre(JSON.stringify(one[field]) !== JSON.stringify(another[field]));
        const changed = { ...one, [field]: another[field] };
        expect(transactionHash(changed)).not.toBe(transactionHash(one));
        const forged: SignedTransaction = { ...changed, signature: signTransaction(one, key).signature };
        expect(problemOf(forged, changed.chainId).kind).toBe("bad-signature");
      }),
      { numRuns: 300 },
    );
  });

  it("changes its hash with every change inside a call", () => {
    fc.assert(
      fc.property(calls, calls, fc.constantFrom(...CALL_FIELDS), (one, another, field) => {
        fc.pre(JSON.stringify(one[field]) !== JSON.stringify(another[field]));
        const before = transactionHash({ ...unsigned, calls: [one] });
        expect(transactionHash({ ...unsigned, calls: [{ ...one, [field]: another[field] }] })).not.toBe(before);
      }),
      { numRuns: 300 },
    );
  });

  it("asks another question under another conflict rule", () => {
    const job = {
      ...CONTEXT,
      txHash: transactionHash(unsigned),
      callIndex: 0,
      inputHash: "00".repeat(32),
      mode: "vanilla",
    } as const;
    const rules = [
      job.conflict,
      { kind: "agree", k: 2 },
      { kind: "agree", k: 3 },
      { kind: "median", k: 3, tolerance: 0.1 },
      { kind: "median", k: 3, tolerance: 0.2 },
    ] as const;
    expect(new Set(rules.map((conflict) => jobDigest({ ...job, conflict }))).size).toBe(rules.length);
  });

  it("is refused under another sender's name", () => {
    expect(problemOf({ ...signed, sender: other.publicKeyHex }).kind).toBe("bad-signature");
    expect(() => signTransaction(unsigned, other)).toThrow(RangeError);
  });

  it("is refused on another chain before its signature is looked at", () => {
    const problem = problemOf({ ...signed, signature: "00".repeat(64) }, "pipe-2");
    expect(problem).toMatchObject({ kind: "wrong-chain", chainId: "pipe-1", expected: "pipe-2" });
  });
});

describe("malformed transactions", () => {
  const withRule = (conflict: unknown) => ({ ...signed, calls: [{ ...call, conflict }] });
  const cases: [string, unknown, string][] = [
    ["no object", null, ""],
    ["a list", [], ""],
    ["an unknown field", { ...signed, tip: 1 }, "tip"],
    ["an unknown field of a call", { ...signed, calls: [{ ...call, tip: 1 }] }, "calls.0.tip"],
    ["a missing field", { ...signed, nonce: undefined }, "nonce"],
    ["an upper-case key", { ...signed, sender: key.publicKeyHex.toUpperCase() }, "sender"],
    ["a fraction", { ...signed, nonce: 0.5 }, "nonce"],
    ["minus zero", { ...signed, nonce: -0 }, "nonce"],
    ["a number beyond 2^53", { ...signed, nonce: 2 ** 53 }, "nonce"],
    ["no time to live", { ...signed, ttlBlocks: 0 }, "ttlBlocks"],
    ["too long a time to live", { ...signed, ttlBlocks: WIRE_LIMITS.maxTtlBlocks + 1 }, "ttlBlocks"],
    ["too high a fee", { ...signed, calls: [{ ...call, maxFeeGwei: 2 ** 40 + 1 }] }, "calls.0.maxFeeGwei"],
    ["an unknown mode", { ...signed, calls: [{ ...call, mode: "trust" }] }, "calls.0.mode"],
    ["an unknown conflict rule", withRule({ kind: "loudest" }), "calls.0.conflict"],
    ["agreement among nobody", withRule({ kind: "agree", k: 0 }), "calls.0.conflict.k"],
    ["agreement among too many", withRule({ kind: "agree", k: 6 }), "calls.0.conflict.k"],
    ["agreement among one and a half", withRule({ kind: "agree", k: 1.5 }), "calls.0.conflict.k"],
    ["a median without tolerance", withRule({ kind: "median", k: 3 }), "calls.0.conflict.tolerance"],
    ["a negative tolerance", withRule({ kind: "median", k: 3, tolerance: -1 }), "calls.0.conflict.tolerance"],
    ["a tolerance of minus zero", withRule({ kind: "median", k: 3, tolerance: -0 }), "calls.0.conflict.tolerance"],
    ["an endless tolerance", withRule({ kind: "median", k: 3, tolerance: Infinity }), "calls.0.conflict.tolerance"],
    ["a rule with more than it needs", withRule({ kind: "first-valid", k: 2 }), "calls.0.conflict.k"],
    ["a model name with a space", { ...signed, calls: [{ ...call, model: "a b" }] }, "calls.0.model"],
    ["too long a chain id", { ...signed, chainId: "c".repeat(65) }, "chainId"],
    ["base64 with spare bits", { ...signed, calls: [{ ...call, input: "AAB=" }] }, "calls.0.input"],
    ["base64 without padding", { ...signed, calls: [{ ...call, input: "AA" }] }, "calls.0.input"],
    ["base64url", { ...signed, calls: [{ ...call, input: "-_-_" }] }, "calls.0.input"],
    ["a short signature", { ...signed, signature: "00" }, "signature"],
  ];
  it.each(cases)("%s", (_, input, path) => {
    const problem = problemOf(input);
    expect(problem).toMatchObject({ kind: "malformed", path });
    expect(problem.advice).toMatch(/^Correct .+\.$/);
  });

  it("never makes the check throw", () => {
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), fc.record({ calls: fc.jsonValue() })), (input) => {
        expect(checkTransaction(input, "pipe-1").ok).toBe(false);
      }),
    );
  });
});

describe("oversized transactions", () => {
  const withInput = (bytes: number, count = 1) => ({
    ...signed,
    calls: Array.from({ length: count }, () => ({ ...call, input: Buffer.alloc(bytes).toString("base64") })),
  });

  it("names what is too large and the limit", () => {
    expect(problemOf({ ...signed, calls: Array(17).fill(call) })).toMatchObject({
      kind: "oversized",
      what: "calls",
      size: 17,
      limit: 16,
    });
    expect(problemOf(withInput(65_537))).toMatchObject({
      kind: "oversized",
      what: "input",
      size: 65_537,
      limit: 65_536,
    });
    expect(problemOf(withInput(65_536, 16))).toMatchObject({
      kind: "oversized",
      what: "transaction",
      limit: 1_048_576,
    });
  });

  it("accepts the largest input", () => {
    const { signature: _, ...tx } = withInput(65_536, 11);
    expect(checkTransaction(signTransaction(tx, key), "pipe-1").ok).toBe(true);
  });

  it("looks at the size before it parses", () => {
    const text = " ".repeat(WIRE_LIMITS.maxTransactionBytes) + JSON.stringify(signed);
    const checked = parseTransaction(text, "pipe-1");
    expect(checked).toMatchObject({ ok: false, problem: { kind: "oversized", what: "transaction" } });
    expect(parseTransaction(new Uint8Array([0x7b, 0xff]), "pipe-1")).toMatchObject({
      ok: false,
      problem: { kind: "malformed" },
    });
    expect(parseTransaction(Buffer.from(JSON.stringify(signed)), "pipe-1").ok).toBe(true);
  });
});

describe("a rejection", () => {
  const rejections: Rejection[] = [
    { reason: "duplicate" },
    { reason: "nonce-used", expectedNonce: 31 },
    { reason: "nonce-gap", expectedNonce: 31 },
    { reason: "underpriced-replacement", minimumGasPriceGwei: 31 },
    { reason: "underfunded", availableGwei: 11, neededGwei: 42 },
    { reason: "fee-too-low", callIndex: 0, minimumFeeGwei: 31 },
    { reason: "sender-limit", limit: 31 },
    { reason: "pool-full", limit: 31 },
    { reason: "too-many-accounts", limit: 31 },
    { reason: "unknown-model", callIndex: 31, model: "m", mode: "tee" },
    { reason: "infeasible", callIndex: 31, probability: 0.0012, ttlBlocks: 2 },
    { reason: "out-of-range", field: "nonce", limit: 31 },
  ];
  it.each(rejections)("$reason says what to do, with the numbers", (rejection) => {
    const text = describeRejection(rejection);
    expect(text).toMatch(/\b(Nothing needs|Sign|Send|offer|Offer|Deposit|Choose|Allow|Change)\b/);
    if (rejection.reason !== "duplicate") expect(text).toContain("31");
  });

  it("has a text of its own for every reason", () => {
    expect(new Set(rejections.map(describeRejection)).size).toBe(rejections.length);
  });
});

const CONTEXT = { chainId: "pipe-1", model: "risk-small", conflict: { kind: "first-valid" } } as const;
const FIELDS = ["chainId", "nonce", "gasPriceGwei", "ttlBlocks", "calls"] as const;
const CALL_FIELDS = [
  "model",
  "mode",
  "input",
  "tokensIn",
  "tokensOut",
  "maxFeeGwei",
  "conflict",
  "validityBlocks",
] as const;
