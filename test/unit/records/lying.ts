import { expect } from "vitest";
import { auditOrder } from "../../../scheduler/cli/order.ts";
import { verifyReceipts } from "../../../scheduler/cli/receipts.ts";
import type { CallResult, Movement, SealedBlock } from "../../../scheduler/engine/commands.ts";
import type { Command } from "../../../scheduler/engine/recorder.ts";
import type { Answer } from "../../../scheduler/proofs/answer.ts";
import type { NodeTerms } from "../../../scheduler/shared/vocabulary.ts";
import type { Producer } from "./producer.ts";
import { liveThrough, makeDirectory, note, openRecords, schedulerKey, temporaryDirectory } from "./producer.ts";

/**
 * A scheduler that lies and signs its lies: every hash, chain, root and signature of its files is right, so that only the
 * checks of what the files say can find it out.
 */
export type Told = Command | NodeTerms;

/** Each life is lived once; what is told of it differs. */
const lived = new Map<(producer: Producer) => void, Promise<{ readonly producer: Producer }>>();

async function livedThrough(live: (producer: Producer) => void): Promise<Producer> {
  const known = lived.get(live) ?? makeDirectory(live);
  lived.set(live, known);
  return (await known).producer;
}

export async function lieWith(
  change: (history: readonly Told[]) => readonly Told[],
  answersOf: (answers: ReadonlyMap<string, Answer>) => ReadonlyMap<string, Answer> = (answers) => answers,
  live: (producer: Producer) => void = liveThrough,
): Promise<string> {
  const producer = await livedThrough(live);
  const directory = await temporaryDirectory();
  const kept = { copies: producer.kept.copies, answers: answersOf(producer.kept.answers) };
  const records = await openRecords(directory, kept);
  for (const item of change(producer.history)) note(records, item);
  await records.close();
  return directory;
}

async function messages(
  audit: Promise<{ readonly exitCode: number; readonly findings: readonly { readonly message: string }[] }>,
) {
  const { exitCode, findings } = await audit;
  expect(exitCode).toBe(1);
  return findings.map(({ message }) => message);
}

export const verified = (directory: string) => messages(verifyReceipts(directory, { key: schedulerKey.publicKeyHex }));
export const audited = (directory: string) => messages(auditOrder(directory));
export const containing = (part: string) => expect.arrayContaining([expect.stringContaining(part)]);

/** Gives every movement that the test picks another form: several, none, or a changed one. */
export function mapMovements(
  history: readonly Told[],
  change: (movement: Movement, index: number) => readonly Movement[],
): Told[] {
  let index = 0;
  return history.flatMap((item): Told[] => {
    if (!("kind" in item) || item.kind !== "moved") return [item];
    return change(item.movement, index++).map((movement) => ({ kind: "moved", movement }));
  });
}

export function mapResults(
  history: readonly Told[],
  change: (result: CallResult, height: number) => CallResult,
): Told[] {
  return mapBlocks(history, (block) => ({
    ...block,
    transactions: block.transactions.map((tx) => ({
      ...tx,
      calls: tx.calls.map(({ terms, result }) => ({ terms, result: result && change(result, block.height) })),
    })),
  }));
}

export function mapBlocks(history: readonly Told[], change: (block: SealedBlock) => SealedBlock): Told[] {
  return history.map((item) =>
    "kind" in item && item.kind === "sealed" ? { ...item, block: change(item.block) } : item,
  );
}

/** Gives only the first of a kind another form. */
export function once<T>(
  change: (value: T) => readonly T[],
  applies: (value: T) => boolean,
): (value: T) => readonly T[] {
  let done = false;
  return (value) => {
    if (done || !applies(value)) return [value];
    done = true;
    return change(value);
  };
}
