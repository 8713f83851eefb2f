import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { verifyReceipts } from "../../../scheduler/cli/receipts.ts";
import type { CallResult, ChallengeOutcome, Movement } from "../../../scheduler/engine/commands.ts";
import { EvidenceAudit } from "../../../scheduler/live/records-audit-evidence.ts";
import { Findings } from "../../../scheduler/live/records-reader.ts";
import { challengeEpoch, isRevealed, isSampled, seedCommitment } from "../../../scheduler/proofs/challenge-sample.ts";
import type { EquivocationEvidence, EvidenceEntry } from "../../../scheduler/proofs/evidence.ts";
import type { RegistryEntry } from "../../../scheduler/proofs/registry-log.ts";
import { RegistryView } from "../../../scheduler/proofs/registry-view.ts";
import { verifyBlock } from "../../../scheduler/proofs/verify-block.ts";
import type { Told } from "./lying.ts";
import { containing, lieWith, mapBlocks, mapMovements, mapResults, once, verified } from "./lying.ts";
import { CHALLENGES, cleanUp, liveThroughChallenges, makeDirectory, type Producer, schedulerKey } from "./producer.ts";

let directory: string;
let producer: Producer;

beforeAll(async () => {
  ({ directory, producer } = await makeDirectory(liveThroughChallenges));
});
afterAll(cleanUp);

async function read<E>(log: string): Promise<E[]> {
  const text = await readFile(join(directory, `${log}.jsonl`), "utf8");
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => {
      const { n: _n, prev: _prev, hash: _hash, ...entry } = JSON.parse(line);
      return entry as E;
    });
}

describe("a directory with challenges and agreements", () => {
  it("passes, and tells of results upheld and overturned, of dissent, of equivocations, and of agreements", async () => {
    const report = await verifyReceipts(directory, { key: schedulerKey.publicKeyHex });
    expect(report.findings).toEqual([]);
    const told = await read<EvidenceEntry>("evidence");
    const kinds = told.map((entry) =>
      entry.entry === "challenge" ? `${entry.verdict} ${entry.dissenter}` : entry.entry,
    );
    expect(new Set(kinds)).toEqual(new Set(["upheld ", "overturned ", "upheld node-d", "equivocation"]));
    const receipts = producer.blocks.flatMap((block) => block.receipts);
    expect(receipts.filter(({ receipt }) => receipt.supporters.length === 1)).toHaveLength(40);
  });

  it("has blocks with which a validator finds nothing wrong either", async () => {
    const registry = RegistryView.of(await read<RegistryEntry>("registry"));
    for (const block of producer.blocks) {
      const check = { block, receipts: block.receipts, registry, schedulerKey: schedulerKey.publicKeyHex };
      expect(verifyBlock(check)).toEqual([]);
      expect(verifyBlock({ ...check, schedulerKey: "00".repeat(32) }).map(({ fault }) => fault)).toEqual(["header"]);
    }
  });

  it("has challenged what the seeds fell on, which were fixed before and are told when they cannot matter any more", async () => {
    const registry = await read<RegistryEntry>("registry");
    const commitments = new Map(registry.flatMap((e) => (e.entry === "commitment" ? [[e.epoch, e.commitment]] : [])));
    const seeds = new Map(registry.flatMap((e) => (e.entry === "revealed" ? [[e.epoch, e.seed]] : [])));
    expect(seeds.size).toBeGreaterThan(10);
    for (const [epoch, seed] of seeds) {
      expect(seedCommitment(seed)).toBe(commitments.get(epoch));
      expect(isRevealed(CHALLENGES, epoch, 40)).toBe(true);
    }
    const challenged = new Set(
      (await read<EvidenceEntry>("evidence")).map(({ txHash, callIndex }) => `${txHash}/${callIndex}`),
    );
    const results = producer.blocks.flatMap((block) => block.receipts.map(({ receipt }) => receipt));
    let drawn = 0;
    for (const { height, txHash, callIndex, mode } of results) {
      const seed = seeds.get(challengeEpoch(CHALLENGES, height));
      if (seed === undefined || mode !== "optimistic") continue;
      const isDrawn = isSampled(CHALLENGES, { seed, txHash, callIndex });
      if (isDrawn) drawn++;
      // An equivocation may name the same job; it stands for no challenge.
      if (isDrawn) expect(challenged.has(`${txHash}/${callIndex}`)).toBe(true);
    }
    expect(drawn).toBeGreaterThan(10);
  });

  it("shows every changed byte of evidence and registry", async () => {
    for (const file of ["evidence.jsonl", "registry.jsonl", "receipts.jsonl"]) {
      const path = join(directory, file);
      const bytes = await readFile(path);
      for (let sample = 0; sample < 10; sample++) {
        const at = Math.round((sample / 9) * (bytes.length - 1));
        const changed = Buffer.from(bytes);
        changed[at] = (changed[at] ?? 0) ^ (1 << (sample % 8));
        await writeFile(path, changed);
        expect((await verifyReceipts(directory, { key: undefined })).exitCode, `${file} byte ${at}`).toBe(1);
      }
      await writeFile(path, bytes);
    }
  });
});

// ── lies ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

const lying = (change: (history: readonly Told[]) => readonly Told[]) =>
  lieWith(change, undefined, liveThroughChallenges);

function mapOutcomes(
  history: readonly Told[],
  change: (outcome: ChallengeOutcome) => readonly ChallengeOutcome[],
): Told[] {
  return history.flatMap((item): Told[] => {
    if (!("kind" in item) || item.kind !== "challengeEnded") return [item];
    return change(item.outcome).map((outcome) => ({ kind: "challengeEnded", outcome }));
  });
}

const isUpheld = (outcome: ChallengeOutcome) => outcome.verdict === "upheld" && outcome.dissenter === "";
const isOverturned = (outcome: ChallengeOutcome) => outcome.verdict === "overturned";

describe("lies about challenges", () => {
  it.each<[string, (outcome: ChallengeOutcome) => boolean, (outcome: ChallengeOutcome) => ChallengeOutcome[], string]>([
    ["one that is not told", isUpheld, () => [], "fell on it, but no challenge of it is told"],
    ["a lie that is said to be upheld", isOverturned, (o) => [{ ...o, verdict: "upheld" }], "give another verdict"],
    [
      "a result that is said to be overturned",
      isUpheld,
      (o) => [{ ...o, verdict: "overturned", forfeitedGwei: 1_000 }],
      "give another verdict: upheld",
    ],
    ["a dissenter who was none", isUpheld, (o) => [{ ...o, dissenter: "node-a" }], "give another verdict"],
    ["a bond that nobody forfeits", isUpheld, (o) => [{ ...o, forfeitedGwei: 5 }], "and yet a bond is forfeited"],
    ["another amount forfeited", isOverturned, (o) => [{ ...o, forfeitedGwei: 5 }], "forfeits as much"],
    [
      "another result",
      isUpheld,
      (o) => [{ ...o, outputHash: "00".repeat(32) }],
      "another node or output than the receipt",
    ],
    ["a result of another block", isUpheld, (o) => [{ ...o, height: o.height + 1 }], "has no receipt at that height"],
    [
      "an answer under another nonce",
      isUpheld,
      (o) => [{ ...o, answers: o.answers.map((answer) => ({ ...answer, nonce: answer.nonce + 1 })) }],
      "P3: the proof is not the node's signature",
    ],
    [
      "an answer counted twice",
      isOverturned,
      (o) => [{ ...o, answers: [o.answers[0], o.answers[0]].flatMap((answer) => answer ?? []) }],
      "two of the answers are of one operator",
    ],
  ])("%s", async (_, applies, change, message) => {
    const lie = once(change as (outcome: ChallengeOutcome) => readonly ChallengeOutcome[], applies);
    expect(await verified(await lying((history) => mapOutcomes(history, lie)))).toEqual(containing(message));
  });

  it("a result that was picked instead of drawn", async () => {
    const drawn = new Set<string>();
    const found = await lying((history) => {
      for (const item of history)
        if ("kind" in item && item.kind === "challengeEnded")
          drawn.add(`${item.outcome.txHash}/${item.outcome.callIndex}`);
      const [model] = history.flatMap((item) =>
        "kind" in item && item.kind === "challengeEnded" ? [item.outcome] : [],
      );
      let picked: CallResult | undefined;
      mapResults(history, (result, height) => {
        if (height < 10 && result.mode === "optimistic" && !drawn.has(`${result.txHash}/${result.callIndex}`))
          picked ??= result;
        return result;
      });
      if (model === undefined || picked === undefined) throw new Error("nothing to pick");
      const { txHash, callIndex, node, outputHash } = picked;
      const height = history.flatMap((item) => {
        const isIts =
          "kind" in item && item.kind === "sealed" && item.block.transactions.some(({ hash }) => hash === txHash);
        return isIts ? [item.block.height] : [];
      })[0] as number;
      const outcome = { ...model, txHash, callIndex, node, outputHash, height, verdict: "open", answers: [] } as const;
      return [...history, { kind: "challengeEnded", outcome: { ...outcome, dissenter: "", forfeitedGwei: 0 } }];
    });
    expect(await verified(found)).toEqual(containing("did not fall on it"));
  });
});

describe("lies about bonds and late fees (P5)", () => {
  const of = (kind: Movement["kind"]) => (movement: Movement) => movement.kind === kind;
  const isOptimisticFee = (movement: Movement) => movement.kind === "paid" && movement.callIndex === 1;

  it.each<[string, (m: Movement) => boolean, (m: Movement) => Movement[], string]>([
    [
      "a bond that was never put up",
      (m) => m.kind === "bonded" && m.account === "node-d",
      (m) => [{ ...m, amountGwei: 1 }],
      "becomes negative",
    ],
    ["a bond that nobody gets", of("compensated"), () => [], "not all went to somebody"],
    ["more given away than forfeited", of("rewarded"), (m) => [{ ...m, amountGwei: 1e6 }], "that was not forfeited"],
    ["another node rewarded", of("rewarded"), (m) => [{ ...m, account: "node-x" }], "is rewarded that showed nothing"],
    [
      "another sender compensated",
      of("compensated"),
      (m) => [{ ...m, account: "mallory" }],
      "compensates another account",
    ],
    ["another node that forfeits", of("forfeited"), (m) => [{ ...m, account: "node-a" }], "but no challenge says why"],
    ["a fee before its window", isOptimisticFee, (m) => [{ ...m, height: m.height - 3 }], "at another height"],
    ["a fee that is never paid", isOptimisticFee, () => [], "the ledger has not paid its fee"],
    [
      "a fee that was not given back",
      (m) => m.kind === "refunded" && m.callIndex >= 0,
      () => [],
      "and yet its fee was not given back",
    ],
    [
      "a lie that is paid",
      (m) => m.kind === "refunded" && m.callIndex >= 0,
      (m) => [m, { ...m, kind: "paid", account: "node-d", amountGwei: 10 }],
      "the result did not hold, and yet the ledger paid it",
    ],
  ])("%s", async (_, applies, change, message) => {
    const lie = once<Movement>(change, applies);
    expect(await verified(await lying((history) => mapMovements(history, lie)))).toEqual(containing(message));
  });
});

describe("lies about agreement", () => {
  const agreed = (change: (result: CallResult) => Partial<CallResult>) =>
    lying((history) =>
      mapResults(history, (result) => (result.supporters.length > 0 ? { ...result, ...change(result) } : result)),
    );

  it.each<[string, (result: CallResult) => Partial<CallResult>, string]>([
    ["nobody agreed", () => ({ supporters: [] }), "1 answers are told where the conflict rule counts 2"],
    [
      "one more agreed",
      ({ supporters }) => ({ supporters: [...supporters, ...supporters] }),
      "3 answers are told where the conflict rule counts 2",
    ],
    [
      "an answer of another node",
      ({ supporters }) => ({ supporters: supporters.map((one) => ({ ...one, node: "node-a" })) }),
      "P3: the proof is not the node's signature",
    ],
    [
      "more for a supporter than its share",
      ({ supporters }) => ({ supporters: supporters.map((one) => ({ ...one, feeGwei: 20 })) }),
      "the fee is above what the sender offered",
    ],
    ["a bond in another mode", () => ({ bondGwei: 1 }), "not those of its mode"],
    [
      "a supporter's answer before the race",
      ({ supporters }) => ({ supporters: supporters.map((one) => ({ ...one, answeredUs: 1 })) }),
      "its times are out of order",
    ],
  ])("%s", async (_, change, message) => {
    expect(await verified(await agreed(change))).toEqual(containing(message));
  });

  it("two answers of one node", async () => {
    const directoryOfLies = await agreed((result) => {
      const { copy, node, nonce, outputHash, answerHash, feeGwei, answeredUs } = result;
      return { supporters: [{ copy, node, nonce, outputHash, answerHash, feeGwei, answeredUs }] };
    });
    expect(await verified(directoryOfLies)).toEqual(containing("are of one operator"));
  });

  it("another rule than the sender's", async () => {
    const found = await lying((history) =>
      mapBlocks(history, (block) => ({
        ...block,
        transactions: block.transactions.map((tx) => ({
          ...tx,
          calls: tx.calls.map(({ terms, result }) => ({
            terms: { ...terms, conflict: { kind: "agree", k: 3 } },
            result,
          })),
        })),
      })),
    );
    expect(await verified(found)).toEqual(containing("the digest is not that of this job"));
  });
});

describe("evidence of an equivocation", () => {
  async function problems(change: (evidence: EquivocationEvidence) => EquivocationEvidence): Promise<string[]> {
    const registry = RegistryView.of(await read<RegistryEntry>("registry"));
    const [evidence] = (await read<EvidenceEntry>("evidence")).filter((entry) => entry.entry === "equivocation");
    if (evidence === undefined) throw new Error("no equivocation");
    const findings = new Findings();
    new EvidenceAudit(findings, registry).add({ line: 1, n: 0, hash: "", body: change(evidence) });
    return findings.kept.map(({ message }) => message);
  }

  it.each<[string, (evidence: EquivocationEvidence) => EquivocationEvidence, string | undefined]>([
    ["holds as it is", (e) => e, undefined],
    ["is none when both answers are the same", (e) => ({ ...e, second: e.first }), "is no evidence"],
    ["is none of another assignment", (e) => ({ ...e, nonce: e.nonce + 1 }), "is no evidence"],
    ["is none of another node", (e) => ({ ...e, node: "node-a" }), "the key is none under which"],
    [
      "is none when an answer is not signed",
      (e) => ({ ...e, second: { ...e.second, proof: { kind: "vanilla", signature: "00".repeat(64) } } }),
      "is no evidence",
    ],
    [
      "is none of another mode",
      (e) => ({ ...e, mode: e.mode === "vanilla" ? "optimistic" : "vanilla" }),
      "is no evidence",
    ],
  ])("%s", async (_, change, message) => {
    const found = await problems(change);
    if (message === undefined) expect(found).toEqual([]);
    else expect(found).toEqual(containing(message));
  });

  it("that proves nothing is not written", async () => {
    const told = await lying((history) =>
      history.map((item) => {
        if (!("kind" in item) || item.kind !== "evidence") return item;
        const { evidence } = item;
        return { kind: "evidence", evidence: { ...evidence, secondAnswerHash: evidence.firstAnswerHash } };
      }),
    );
    const text = await readFile(join(told, "evidence.jsonl"), "utf8");
    expect(text).not.toContain("equivocation");
    expect(text).toContain("challenge");
  });
});
