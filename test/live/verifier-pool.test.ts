import { afterEach, expect, test } from "vitest";
import type { CopyView } from "../../scheduler/engine/commands.ts";
import { answerHash } from "../../scheduler/proofs/answer.ts";
import { DEFAULT_LIVE_LIMITS, type LiveLimits } from "../../scheduler/live/limits.ts";
import type { ProofCheck, Verdict } from "../../scheduler/live/verification.ts";
import { VerifierPool, verifyWorkerUrl } from "../../scheduler/live/verifier-pool.ts";
import { sha256Hex } from "../../scheduler/proofs/digest.ts";
import { signingKeyFromSeed } from "../../scheduler/proofs/keys.ts";
import { encodeStatement } from "../../scheduler/proofs/statement.ts";

const key = signingKeyFromSeed(new Uint8Array(32).fill(7));
const other = signingKeyFromSeed(new Uint8Array(32).fill(8));
const troubled = new URL("./workers/troubled-worker.ts", import.meta.url);
const HANG = "aa".repeat(64);
const CRASH = "bb".repeat(64);
const THROW = "cc".repeat(64);

let pool: VerifierPool | undefined;
let replaced: string[] = [];

afterEach(async () => {
  await pool?.close();
  pool = undefined;
  replaced = [];
});

function open(workerUrl: URL, limits: Partial<LiveLimits> = {}, workers = 1): VerifierPool {
  pool = new VerifierPool({
    workers,
    workerUrl,
    trust: { roots: [], allowEmulator: false },
    limits: { ...DEFAULT_LIVE_LIMITS, ...limits },
    onReplaced: (reason) => replaced.push(reason),
  });
  return pool;
}

/** A check of an honest answer, with what a case changes of it. */
function checkOf(
  changes: { signature?: string; signer?: typeof key; output?: Uint8Array; nonce?: number } = {},
): ProofCheck {
  const output = changes.output ?? new Uint8Array([1, 2, 3, 4]);
  const nonce = changes.nonce ?? 77;
  const hash = "ab".repeat(32);
  const statement = {
    chainId: "test",
    txHash: hash,
    callIndex: 0,
    model: "risk-small",
    inputHash: hash,
    mode: "vanilla",
    node: "node-1",
    nonce,
    outputHash: sha256Hex(output),
  } as const;
  const signature = changes.signature ?? (changes.signer ?? key).sign(encodeStatement(statement));
  const answer = { output, proof: { kind: "vanilla", signature } } as const;
  const call = {
    model: "risk-small",
    mode: "vanilla",
    digest: hash,
    inputHash: hash,
    tokensIn: 1,
    tokensOut: 1,
    maxFeeGwei: 1,
    conflict: { kind: "first-valid" },
    validityBlocks: 1,
  } as const;
  const copy: CopyView = {
    id: 1,
    nonce,
    node: { id: "node-1" },
    race: { id: 1, tx: { id: 1, hash }, callIndex: 0, call, lane: "fast", openedUs: 0, deadlineUs: 1 },
    state: "verifying",
    speculative: false,
    launchedUs: 0,
    leaseUs: 1,
    outputHash: statement.outputHash,
    answerHash: answerHash(answer),
  };
  const registered = { key: key.publicKeyHex, attestation: undefined };
  const known = { registered, model: undefined, input: undefined, atMs: 0 };
  return { chainId: "test", copy, answer, ...known, isWanted: () => true };
}

function judge(verifier: VerifierPool, check: ProofCheck): Promise<Verdict> {
  return new Promise((resolve) => verifier.check(check, resolve));
}

test("an honest answer is accepted", async () => {
  expect(await judge(open(verifyWorkerUrl()), checkOf())).toEqual({ accepted: true, reason: "valid" });
});

test("P3: what differs from the assignment in any way is rejected", async () => {
  const verifier = open(verifyWorkerUrl());
  const honest = checkOf();
  const copy = honest.copy;
  const cases: Record<string, ProofCheck> = {
    "another signer": checkOf({ signer: other }),
    "another nonce": { ...honest, copy: { ...copy, nonce: 78 } },
    "another chain": { ...honest, chainId: "other" },
    "another call": { ...honest, copy: { ...copy, race: { ...copy.race, callIndex: 1 } } },
    "another node": { ...honest, copy: { ...copy, node: { id: "node-2" } } },
    "no signature": checkOf({ signature: "zz" }),
  };
  for (const [name, check] of Object.entries(cases)) {
    expect(await judge(verifier, check), name).toEqual({ accepted: false, reason: "bad-signature" });
  }
  expect(replaced).toEqual([]);
});

test("cheap checks come first", async () => {
  const verifier = open(verifyWorkerUrl(), { maxOutputBytes: 8 });
  const honest = checkOf();
  const answer = honest.answer;
  expect(await judge(verifier, { ...honest, answer: undefined })).toMatchObject({ reason: "answer-missing" });
  expect(await judge(verifier, { ...honest, registered: undefined })).toMatchObject({ reason: "unknown-node" });
  expect(await judge(verifier, checkOf({ output: new Uint8Array(9) }))).toMatchObject({ reason: "output-too-large" });
  if (answer === undefined) throw new Error("the honest check has an answer");
  const swapped = { ...honest, answer: { ...answer, output: new Uint8Array([9]) } };
  expect(await judge(verifier, swapped)).toMatchObject({ reason: "output-mismatch" });
});

test("P2: a check that hangs is rejected in bounded time, those behind it are judged by another process", async () => {
  const verifier = open(troubled, { proofTimeLimitMs: 200 });
  await judge(verifier, checkOf());
  const checks = [checkOf(), checkOf({ signature: HANG }), checkOf(), checkOf({ signer: other })];
  const verdicts = await Promise.all(checks.map((check) => judge(verifier, check)));
  expect(verdicts.map(({ reason }) => reason)).toEqual(["valid", "verifier-timeout", "valid", "bad-signature"]);
  expect(replaced).toEqual(["verifier-timeout"]);
});

test("P2: a crash or a throw rejects that proof alone", async () => {
  const verifier = open(troubled);
  const checks = [checkOf(), checkOf({ signature: CRASH }), checkOf(), checkOf({ signature: THROW }), checkOf()];
  const verdicts = await Promise.all(checks.map((check) => judge(verifier, check)));
  expect(verdicts.map(({ reason }) => reason)).toEqual([
    "valid",
    "verifier-crashed",
    "valid",
    "verifier-crashed",
    "valid",
  ]);
  expect(replaced).toEqual(["verifier-crashed"]);
});

test.each([
  ["takes too much memory at once", "dd", "verifier-out-of-memory"],
  ["takes memory without end", "ee", "verifier-out-of-memory"],
  ["crashes outside of JavaScript", "ff", "verifier-crashed"],
])("P2: one that %s is rejected alone", async (_, mark, reason) => {
  const verifier = open(troubled, { verifierHeapMb: 64, proofTimeLimitMs: 20_000 });
  const checks = [checkOf(), checkOf({ signature: mark.repeat(64) }), checkOf()];
  const verdicts = await Promise.all(checks.map((check) => judge(verifier, check)));
  expect(verdicts.map((verdict) => verdict.reason)).toEqual(["valid", reason, "valid"]);
  expect(replaced).toEqual([reason]);
});

test("every proof is judged once when each process keeps dying", async () => {
  const verifier = open(troubled, { proofTimeLimitMs: 100 }, 2);
  const checks = Array.from({ length: 60 }, (_, i) => checkOf(i % 20 === 3 ? { signature: CRASH } : {}));
  let judged = 0;
  const verdicts = await Promise.all(checks.map((check) => judge(verifier, check).finally(() => judged++)));
  expect(judged).toBe(60);
  expect(verdicts.filter(({ accepted }) => !accepted)).toHaveLength(3);
  expect(replaced).toHaveLength(3);
});

test("P11: proofs beyond the limit are rejected, not queued; closing rejects what waits", async () => {
  const verifier = open(troubled, {
    maxWaitingProofs: 4,
    maxWaitingProofsPerNode: 4,
    maxProofsPerBatch: 1,
    proofTimeLimitMs: 60_000,
  });
  await judge(verifier, checkOf());
  const waiting = Array.from({ length: 6 }, () => judge(verifier, checkOf({ signature: HANG })));
  expect(await waiting[5]).toEqual({ accepted: false, reason: "verifier-overloaded" });
  await verifier.close();
  const verdicts = await Promise.all(waiting.slice(0, 5));
  expect(verdicts.map(({ reason }) => reason)).toEqual(Array(5).fill("verifier-closed"));
});

test("a proof whose race is decided while it waits is not checked any more", async () => {
  const verifier = open(troubled, { maxProofsPerBatch: 1 });
  let decided = false;
  const first = judge(verifier, checkOf());
  const second = judge(verifier, { ...checkOf({ signature: HANG }), isWanted: () => !decided });
  decided = true;
  expect(await first).toMatchObject({ accepted: true });
  expect(await second).toEqual({ accepted: false, reason: "not-wanted" });
  expect(replaced).toEqual([]);
});

test("a worker module that does not load loses its proofs by time, not the service", async () => {
  const missing = new URL("./workers/no-such-worker.ts", import.meta.url);
  const verifier = open(missing, { verifierStartLimitMs: 1_000 });
  const verdict = judge(verifier, checkOf());
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(replaced.length).toBeGreaterThan(0);
  await verifier.close();
  expect(await verdict).toEqual({ accepted: false, reason: "verifier-closed" });
});
