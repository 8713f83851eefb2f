import { afterEach, expect, test } from "vitest";
import { DEFAULT_LIVE_LIMITS, type LiveLimits } from "../../scheduler/live/limits.ts";
import type { ProofCheck, Verdict } from "../../scheduler/live/verification.ts";
import { VerifierPool, verifyWorkerUrl } from "../../scheduler/live/verifier-pool.ts";
import { sha256Hex } from "../../scheduler/proofs/digest.ts";
import type { ProofParts } from "../../scheduler/proofs/judge.ts";
import type { ZkmlRules } from "../../scheduler/proofs/model-rules.ts";
import { CHAIN, HonestNode, MODEL, TRUST } from "../support/honest-proofs.ts";

/** Proofs that are dear to check, in the real pool: what they do to a verifier, and what is ready before they come. */

const troubled = new URL("./workers/troubled-worker.ts", import.meta.url);
const node = new HonestNode("node", 1);
const RULES = MODEL.zkml as ZkmlRules;

/** What takes long here is the machine. */
const PATIENT: LiveLimits = {
  ...DEFAULT_LIVE_LIMITS,
  proofTimeLimitMs: 20_000,
  dearProofTimeLimitMs: 60_000,
  verifierStartLimitMs: 60_000,
};

let pool: VerifierPool | undefined;
let replaced: string[] = [];
afterEach(async () => {
  await pool?.close();
  replaced = [];
});

function open(workerUrl: URL, limits: Partial<LiveLimits> = {}): VerifierPool {
  const onReplaced = (reason: string) => replaced.push(reason);
  pool = new VerifierPool({
    workers: 2,
    workerUrl,
    trust: TRUST,
    limits: { ...PATIENT, ...limits },
    onReplaced,
  });
  return pool;
}

function checkOf({ statement, registered, proof, output, input, model, atMs }: ProofParts): ProofCheck {
  const { txHash, callIndex, nonce, outputHash, model: id, mode, inputHash } = statement;
  const race = { tx: { hash: txHash }, callIndex, call: { model: id, mode, inputHash } };
  const copy = { node: { id: statement.node }, nonce, outputHash, race };
  return { chainId: CHAIN, copy, answer: { output, proof }, registered, model, input, atMs, isWanted: () => true };
}

function judge(verifier: VerifierPool, check: ProofCheck): Promise<Verdict["reason"]> {
  return new Promise((resolve) => verifier.check(check, ({ reason }) => resolve(reason)));
}

/** A zero-knowledge proof whose first byte is the mark of a planted fault. */
async function marked(mark: string): Promise<ProofCheck> {
  const parts = await node.parts("zkml");
  const proof = parts.proof.kind === "zkml" ? parts.proof.proof : "";
  return checkOf({ ...parts, proof: { ...parts.proof, proof: mark + proof.slice(2) } as ProofParts["proof"] });
}

test.each([
  ["hangs", "aa", "verifier-timeout"],
  ["ends the process", "bb", "verifier-crashed"],
  ["throws", "cc", "verifier-crashed"],
  ["takes memory without end", "ee", "verifier-out-of-memory"],
])(
  "P2: a dear proof that %s is rejected alone, and signatures go on meanwhile",
  { timeout: 60_000 },
  async (_, mark, reason) => {
    const limits = mark === "aa" ? { dearProofTimeLimitMs: 3_000 } : { verifierHeapMb: 96 };
    const verifier = open(troubled, limits);
    const [honest, signed] = [checkOf(await node.parts("zkml")), checkOf(await node.parts("vanilla"))];
    expect(await judge(verifier, honest)).toBe("valid");
    const ends: string[] = [];
    const hostile = judge(verifier, await marked(mark)).finally(() => ends.push("hostile"));
    for (let n = 0; n < 20; n++) expect(await judge(verifier, signed)).toBe("valid");
    ends.push("signatures");
    expect(await hostile).toBe(reason);
    if (mark === "aa") expect(ends).toEqual(["signatures", "hostile"]);
    expect(await judge(verifier, honest)).toBe("valid");
    expect(replaced).toEqual(mark === "cc" ? [] : [reason]);
  },
);

test("keys that proofs are expected under are ready before them, also in the process that comes after a crash", async () => {
  const verifier = open(troubled);
  verifier.expect(RULES);
  verifier.expect(RULES);
  const honest = checkOf(await node.parts("zkml"));
  // The key's text is not sent with the proofs: had the process not got it before, they could not be judged.
  expect(await judge(verifier, honest)).toBe("valid");
  expect(await judge(verifier, await marked("bb"))).toBe("verifier-crashed");
  expect(await judge(verifier, honest)).toBe("valid");
  expect(replaced).toEqual(["verifier-crashed"]);
});

test("a key that cannot be used keeps nobody from anything but proofs under it", async () => {
  const verificationKey = '{"protocol":"none"}';
  const rules = { ...RULES, verificationKey, keyHash: sha256Hex(Buffer.from(verificationKey)) };
  const verifier = open(verifyWorkerUrl());
  verifier.expect(rules);
  const parts = await node.parts("zkml");
  expect(await judge(verifier, checkOf({ ...parts, model: { ...MODEL, zkml: rules } }))).toBe("verifier-bad-rules");
  expect(await judge(verifier, checkOf(parts))).toBe("valid");
  expect(await judge(verifier, checkOf(await node.parts("vanilla")))).toBe("valid");
  expect(replaced).toEqual([]);
});

test("only who signed it is asked where that is the question, and no proof is looked at", async () => {
  const verifier = open(verifyWorkerUrl());
  const parts = await node.parts("zkml");
  const worthless = { ...parts, proof: { ...parts.proof, proof: "00" } as ProofParts["proof"] };
  expect(await judge(verifier, checkOf(worthless))).toBe("zk-bad-proof-length");
  expect(await judge(verifier, { ...checkOf(worthless), signatureOnly: true })).toBe("valid");
  const another = { ...worthless, statement: { ...parts.statement, nonce: 9 } };
  expect(await judge(verifier, { ...checkOf(another), signatureOnly: true })).toBe("bad-signature");
});

test("a node that fills its own queue cannot have a suspicion dismissed", async () => {
  const verifier = open(verifyWorkerUrl(), { maxWaitingProofsPerNode: 4 });
  const check = checkOf(await node.parts("vanilla"));
  const own = Array.from({ length: 100 }, () => judge(verifier, check));
  expect(await judge(verifier, { ...check, signatureOnly: true })).toBe("valid");
  expect(await Promise.all(own)).toContain("verifier-node-queue-full");
});
