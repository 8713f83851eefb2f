import type { ConflictRule, Mode } from "../../scheduler/shared/vocabulary.ts";
import { quorum } from "../../scheduler/shared/vocabulary.ts";

/**
 * What a call of the precompile costs. Every part is a function of the calldata alone, never of an answer, so that the run that
 * finds a question, the run in the block and a validator's replay all pay the same. Fees for the inference itself are no part of
 * it: those are gwei out of a deposit. Gas pays for what every validator does and keeps. docs/EVM-SOLIDITY.md gives the reasons.
 */
export const INFERENCE_GAS = {
  /** A call, whatever becomes of it. */
  call: 700n,
  /** A word of calldata or part of one: read, hashed, and turned into the model's input. */
  calldataWord: 100n,
  /** A byte that the answer may have: it stands in the block beside the receipt. Calldata costs as much. */
  outputByte: 16n,
  /** A number that the answer may have: converted, and two words of return data. */
  outputNumber: 200n,
  /** One accepted answer of that mode: the receipt's bytes in the block at 16 each, and checking the proof. */
  answer: { vanilla: 15_000n, optimistic: 15_000n, tee: 100_000n, zkml: 400_000n },
} as const satisfies Readonly<Record<string, bigint | Readonly<Record<Mode, bigint>>>>;

/** What a call with that many bytes of calldata costs at the least; all that a call that is refused costs. */
export function lengthGas(calldataBytes: number): bigint {
  return INFERENCE_GAS.call + INFERENCE_GAS.calldataWord * BigInt(Math.ceil(calldataBytes / 32));
}

/** What one question adds: a proof for each answer that its conflict rule asks for, and room for the output. */
export function requestGas(request: {
  readonly mode: Mode;
  readonly conflict: ConflictRule;
  readonly maxOutputBytes: number;
}): bigint {
  const answers = BigInt(quorum(request.conflict));
  return answers * INFERENCE_GAS.answer[request.mode] + INFERENCE_GAS.outputByte * BigInt(request.maxOutputBytes);
}

/** What reading an answer as so many numbers adds. */
export function numbersGas(numbers: number): bigint {
  return INFERENCE_GAS.outputNumber * BigInt(numbers);
}
