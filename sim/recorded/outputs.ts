import { callKey, type CopyRecord } from "./recording.ts";

/** What nodes answered to one call. */
export interface CallOutputs {
  /** Digest of the output that most nodes gave; `undefined` when two are equally frequent. */
  readonly usual: string | undefined;
  /** The number that its model says to read in it; `undefined` where it says none. */
  readonly value: number | undefined;
  readonly answers: number;
}

/** By call, what its answers say of the output. Late answers tell as much as others. */
export function outputsOf(copies: readonly CopyRecord[]): ReadonlyMap<string, CallOutputs> {
  const answered = copies.filter(({ outputHash }) => outputHash !== undefined);
  const byCall = Map.groupBy(answered, ({ txHash, callIndex }) => callKey(txHash, callIndex));
  return new Map([...byCall].map(([call, answers]) => [call, outputsOfCall(answers)]));
}

function outputsOfCall(answers: readonly CopyRecord[]): CallOutputs {
  const byOutput = [...Map.groupBy(answers, ({ outputHash }) => outputHash as string)];
  byOutput.sort(([, a], [, b]) => b.length - a.length);
  const [first, second] = byOutput;
  const tied = first !== undefined && first[1].length === second?.[1].length;
  return { usual: tied ? undefined : first?.[0], value: first?.[1][0]?.value, answers: answers.length };
}

/**
 * By node, which share of its answers was another output than most others gave. Only calls that several nodes answered can tell; a node
 * without such a call is missing.
 */
export function strayShares(
  copies: readonly CopyRecord[],
  outputs: ReadonlyMap<string, CallOutputs>,
): ReadonlyMap<string, number> {
  const counts = new Map<string, { told: number; stray: number }>();
  for (const { node, txHash, callIndex, outputHash } of copies) {
    const { usual, answers } = outputs.get(callKey(txHash, callIndex)) ?? { usual: undefined, answers: 0 };
    if (outputHash === undefined || usual === undefined || answers < 2) continue;
    const count = counts.get(node) ?? { told: 0, stray: 0 };
    counts.set(node, count);
    count.told++;
    if (outputHash !== usual) count.stray++;
  }
  return new Map([...counts].map(([node, { told, stray }]) => [node, stray / told]));
}
