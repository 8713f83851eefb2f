import { afterAll, describe, expect, it } from "vitest";
import { auditOrder } from "../../../scheduler/cli/order.ts";
import { verifyReceipts } from "../../../scheduler/cli/receipts.ts";
import type { CallResult, Movement, OrderEntry, SealedBlock } from "../../../scheduler/engine/commands.ts";
import type { Told } from "./lying.ts";
import { audited, containing, lieWith, mapBlocks, mapMovements, mapResults, once, verified } from "./lying.ts";
import { cleanUp, keyOf, NODES, schedulerKey } from "./producer.ts";

afterAll(cleanUp);

describe("lies about money (P5)", () => {
  const isPaid = (m: Movement) => m.kind === "paid";

  it("the same history without a lie passes", async () => {
    const directory = await lieWith((history) => history);
    expect((await verifyReceipts(directory, { key: schedulerKey.publicKeyHex })).findings).toEqual([]);
    expect((await auditOrder(directory)).findings).toEqual([]);
  });
  it("a job paid twice", async () => {
    const lie = once<Movement>((m) => [m, m], isPaid);
    const found = await verified(await lieWith((history) => mapMovements(history, lie)));
    expect(found).toEqual(containing("pays a job for a second time"));
  });
  it("a job paid twice, the second time after its payment was taken back from another node", async () => {
    const lie = once<Movement>((m) => [m, { ...m, kind: "unpaid", account: "node-x" }, m], isPaid);
    const found = await verified(await lieWith((history) => mapMovements(history, lie)));
    expect(found).toEqual(containing("takes back another payment"));
  });
  it("another amount than the fee", async () => {
    const lie = once<Movement>((m) => [{ ...m, amountGwei: m.amountGwei + 1 }], isPaid);
    const found = await verified(await lieWith((history) => mapMovements(history, lie)));
    expect(found).toEqual(containing("not the fee of"));
  });
  it("another payee than the winner", async () => {
    const lie = once<Movement>((m) => [{ ...m, account: "node-x" }], isPaid);
    const found = await verified(await lieWith((history) => mapMovements(history, lie)));
    expect(found).toEqual(containing("the ledger has not paid its fee to node-"));
    expect(found).toEqual(containing("pays node-x for"));
  });
  it("a fee that is not paid", async () => {
    const lie = once<Movement>(() => [], isPaid);
    const found = await verified(await lieWith((history) => mapMovements(history, lie)));
    expect(found).toEqual(containing("the ledger has not paid its fee"));
    expect(found).toEqual(containing("gwei of"));
  });
  it("a payment for a call without receipt", async () => {
    const lie = once<Movement>((m) => [m, { ...m, callIndex: 9, amountGwei: 0 }], isPaid);
    const found = await verified(await lieWith((history) => mapMovements(history, lie)));
    expect(found).toEqual(containing("has no receipt in a block of the chain"));
  });
  it("more paid than was escrowed", async () => {
    const lie = once<Movement>((m) => [{ ...m, amountGwei: 5_000 }], isPaid);
    const found = await verified(await lieWith((history) => mapMovements(history, lie)));
    expect(found).toEqual(containing("moves more than is held"));
  });
  it("more escrowed than was deposited", async () => {
    const lie = once<Movement>(
      (m) => [{ ...m, amountGwei: 10 }],
      (m) => m.kind === "deposited",
    );
    const found = await verified(await lieWith((history) => mapMovements(history, lie)));
    expect(found).toEqual(containing("becomes negative"));
  });
  it("a refund to somebody else", async () => {
    const lie = once<Movement>(
      (m) => [{ ...m, account: "mallory" }],
      (m) => m.kind === "refunded",
    );
    const found = await verified(await lieWith((history) => mapMovements(history, lie)));
    expect(found).toEqual(containing("refunds to another account"));
  });
});

describe("lies about results (P1, P3, P10)", () => {
  const nodeAfter = (node: string) => NODES[(NODES.indexOf(node) + 1) % NODES.length] ?? "";

  it.each<[string, (result: CallResult) => Partial<CallResult>]>([
    ["another node's answer", ({ node }) => ({ node: nodeAfter(node) })],
    ["an answer to another assignment", ({ nonce }) => ({ nonce: nonce + 1 })],
    ["an answer to another input", ({ outputHash }) => ({ inputHash: outputHash })],
  ])("%s", async (_, change) => {
    const directory = await lieWith((history) => mapResults(history, (result) => ({ ...result, ...change(result) })));
    expect(await verified(directory)).toEqual(containing("P3: the proof is not the node's signature"));
  });

  it("an answer of another mode", async () => {
    const directory = await lieWith((history) => mapResults(history, (result) => ({ ...result, mode: "tee" })));
    expect(await verified(directory)).toEqual(containing("P2: the proof does not hold: wrong-proof-kind"));
  });
  it("another output than the one that won", async () => {
    const directory = await lieWith(
      (history) => history,
      (answers) => new Map([...answers].map(([hash, { proof }]) => [hash, { proof, output: new Uint8Array(3) }])),
    );
    const found = await verified(directory);
    expect(found).toEqual(containing("the output is not the one whose hash won"));
    expect(found).toEqual(containing("the answer is not the one that won"));
  });
  it("a fee above what the sender offered", async () => {
    const directory = await lieWith((history) => mapResults(history, (result) => ({ ...result, maxFeeGwei: 1 })));
    expect(await verified(directory)).toEqual(containing("the fee is above what the sender offered"));
  });
  it("a result past its validity", async () => {
    const directory = await lieWith((history) =>
      mapResults(history, (result, height) => ({ ...result, validUntilHeight: height - 1 })),
    );
    expect(await verified(directory)).toEqual(containing("P10: the result was past its validity"));
  });
  it("another digest", async () => {
    const directory = await lieWith((history) =>
      mapResults(history, (result) => ({ ...result, digest: result.txHash })),
    );
    expect(await verified(directory)).toEqual(containing("the digest is not that of this job"));
  });
  it("two winners", async () => {
    const rivals = [{ node: "node-b", end: "won" as const, speculative: true }];
    const directory = await lieWith((history) => mapResults(history, (result) => ({ ...result, rivals })));
    expect(await verified(directory)).toEqual(containing("P1: another copy is said to have won too"));
  });
  it("a decision before the race", async () => {
    const directory = await lieWith((history) => mapResults(history, (result) => ({ ...result, decidedUs: 1 })));
    expect(await verified(directory)).toEqual(containing("its times are out of order"));
  });
  it("a transaction sealed in two blocks of the chain", async () => {
    const directory = await lieWith((history) => {
      let first: SealedBlock | undefined;
      return mapBlocks(history, (block) => {
        first ??= block;
        return block.height === 4 ? { ...block, transactions: [...block.transactions, ...first.transactions] } : block;
      });
    });
    const found = await verified(directory);
    expect(found).toEqual(containing("carries already"));
    expect(found).toEqual(containing("P1: the job has another receipt on the chain"));
    expect(await audited(directory)).toEqual(containing("after nonce"));
  });
  it("a key under which the node never joined", async () => {
    const { publicKeyHex: key } = keyOf("mallory");
    const directory = await lieWith((history) => history.map((item) => ("offers" in item ? { ...item, key } : item)));
    const found = await verified(directory);
    expect(new Set(found.map((message) => message.replace(/node-./, "X")))).toEqual(
      new Set(["the key is none under which the node X is in the registry"]),
    );
  });
});

describe("lies about order (P12)", () => {
  const entryOf = (item: Told | undefined): OrderEntry | undefined =>
    item !== undefined && "kind" in item && item.kind === "ordered" ? item.entry : undefined;
  const ordered = (entry: OrderEntry): Told => ({ kind: "ordered", entry });

  it("a job that overtakes", async () => {
    const directory = await lieWith((history) => {
      // The first two jobs: instead of each being launched when it is queued, both wait, and the second goes first.
      const entries = history.flatMap((item) => entryOf(item) ?? []);
      const [first, second] = entries.filter(({ entry }) => entry === "launched");
      const [queuedFirst, queuedSecond] = entries.filter(({ entry }) => entry === "queued");
      if (!(first && second && queuedFirst && queuedSecond)) throw new Error("fewer than two jobs");
      const atUs = second.atUs;
      const replaced = new Map<OrderEntry, Told[]>([
        [queuedFirst, []],
        [first, []],
        [queuedSecond, [ordered({ ...queuedFirst, atUs }), ordered(queuedSecond)]],
        [second, [ordered(second), ordered({ ...first, atUs })]],
      ]);
      return history.flatMap((item) => replaced.get(entryOf(item) as OrderEntry) ?? [item]);
    });
    const found = await audited(directory);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(/^P12: overtakes the job \(0, 0\)/);
  });

  it.each<[string, (entry: OrderEntry) => boolean, (entry: OrderEntry) => readonly OrderEntry[], string]>([
    ["a launch without waiting", (e) => e.entry === "queued", () => [], "launches a job that did not wait"],
    ["a transaction never admitted", (e) => e.seq === 5, () => [], "which was never admitted"],
    [
      "a place left out",
      (e) => e.entry === "admitted" && e.seq === 2,
      (e) => [{ ...e, seq: 7 }],
      "takes the place 7 where 2 was due",
    ],
    [
      "another place later on",
      (e) => e.entry === "queued" && e.seq === 1,
      (e) => [{ ...e, seq: 0 }],
      "tells another place",
    ],
    [
      "a time that goes back",
      (e) => e.entry === "admitted" && e.seq === 1,
      (e) => [{ ...e, atUs: 5 }],
      "before that of the line above",
    ],
    [
      "an admission twice",
      (e) => e.entry === "admitted",
      (e) => [e, { ...e, seq: e.seq + 1 }],
      "in the mempool already",
    ],
    ["a job queued twice", (e) => e.entry === "queued", (e) => [e, e], "waits already"],
    ["a return without leaving", (e) => e.entry === "left" && e.seq === 3, () => [], "had not left"],
    ["a nonce that is skipped", (e) => e.seq === 2, (e) => [{ ...e, nonce: 8 }], "after nonce"],
  ])("%s", async (_, applies, change, message) => {
    const all = message.includes("never admitted") || message.includes("after nonce");
    const lie = all ? (entry: OrderEntry) => (applies(entry) ? change(entry) : [entry]) : once(change, applies);
    const directory = await lieWith((history) =>
      history.flatMap((item) => {
        const entry = entryOf(item);
        return entry === undefined ? [item] : lie(entry).map(ordered);
      }),
    );
    expect(await audited(directory)).toEqual(containing(message));
  });

  it("nonces sealed in the wrong order", async () => {
    const directory = await lieWith((history) =>
      mapBlocks(history, (block) => ({ ...block, transactions: block.transactions.toReversed() })),
    );
    expect(await audited(directory)).toEqual(containing("after nonce"));
  });
});
