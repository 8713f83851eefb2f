import type { TransactionView } from "../../scheduler/engine/commands.ts";
import type { CallTerms, TransactionTerms } from "../../scheduler/shared/vocabulary.ts";
import type { Books, TransactionRecord } from "../checkers/books.ts";
import type { CallDraw, SubmitDraw } from "./scenario.ts";

/** What a transaction does when it is run: its calls, the ones that follow from their results, and what it reads. */
export interface Program {
  readonly hash: string;
  readonly declared: readonly CallTerms[] | undefined;
  readonly first: readonly CallDraw[];
  readonly later: readonly CallDraw[];
  readonly reads: readonly number[];
}

/** One run of a program with the results at hand: the calls that it gets to, and whether it got to its end. */
export function neededCalls(
  program: Program,
  view: TransactionView,
  stateVersions: readonly number[],
): { calls: readonly CallTerms[]; complete: boolean } {
  const calls: CallTerms[] = [];
  let complete = true;
  let results = "";
  for (const stage of [program.first, program.later]) {
    const begin = calls.length;
    for (const draw of stage) {
      const index = calls.length;
      const declared = program.declared?.[index];
      const state = draw.reads < 0 ? "" : `@${stateVersions[draw.reads] ?? 0}`;
      calls.push(declared ?? callTerms(program.hash, index, draw, `${state}${results}`));
    }
    for (let index = begin; index < calls.length; index++) {
      const { terms, result } = view.calls[index] ?? {};
      if (result === undefined || terms?.digest !== calls[index]?.digest) complete = false;
      else results += `<${result.outputHash}>`;
    }
    if (!complete) break;
  }
  return { calls, complete };
}

/** `input` stands for everything that the call's input is made of. */
function callTerms(hash: string, index: number, draw: CallDraw, input: string): CallTerms {
  const inputHash = `in:${index}:${digestOf(input)}`;
  const model = `m${draw.model}`;
  return {
    model,
    mode: draw.mode,
    digest: `${hash}/${index}/${model}/${draw.mode}/${inputHash}`,
    inputHash,
    tokensIn: 32,
    tokensOut: draw.tokensOut,
    maxFeeGwei: draw.maxFeeGwei,
    conflict: draw.conflict,
    validityBlocks: draw.validityBlocks,
  };
}

/** A short name for a text that may be long; 32 bits are plenty for the few calls of a run. */
function digestOf(text: string): string {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return (hash >>> 0).toString(16);
}

/** What a sender's wallet knows: derived from the books, so that most transactions are well-formed. */
export function transactionOf(
  draw: SubmitDraw,
  serial: number,
  books: Books,
): { terms: TransactionTerms; program: Program } | undefined {
  const sender = `s${draw.sender}`;
  const mine = [...books.transactions.values()].filter(
    (record) => record.sender === sender && record.stage !== "ended",
  );
  const target = targetOf(draw, mine);
  if (draw.kind === "duplicate")
    return target && { terms: target.terms, program: programOf(draw, target.terms.hash, target.terms.calls) };
  if (target === undefined && (draw.kind === "replace" || draw.kind === "underpriced")) return undefined;
  const hash = `tx${serial}`;
  const calls = draw.declared
    ? draw.calls.map((call, index) => callTerms(hash, index, call, `declared${serial}`))
    : undefined;
  const odd = oddCalls(draw, calls);
  const sum = [...draw.calls, ...(draw.declared ? [] : draw.later)].reduce((total, call) => total + call.maxFeeGwei, 0);
  const terms: TransactionTerms = {
    hash,
    sender,
    nonce: nonceOf(draw, mine, target),
    gasPriceGwei: gasPriceOf(draw, target),
    ttlBlocks: draw.kind === "out-of-range" ? 1_000 : draw.kind === "infeasible" ? 1 : draw.ttlBlocks,
    escrowGwei: draw.kind === "underfunded" ? 1_000_000 : sum,
    calls: odd,
  };
  return { terms, program: programOf(draw, hash, odd) };
}

function targetOf(draw: SubmitDraw, mine: readonly TransactionRecord[]): TransactionRecord | undefined {
  if (draw.kind === "duplicate") return mine[draw.ttlBlocks % Math.max(1, mine.length)];
  const pending = mine.filter((record) => record.stage === "pending");
  return pending[draw.ttlBlocks % Math.max(1, pending.length)];
}

function nonceOf(draw: SubmitDraw, mine: readonly TransactionRecord[], target: TransactionRecord | undefined): number {
  // The first nonce that nothing alive has: fills the holes that refunds leave.
  const taken = new Set(mine.map((record) => record.nonce));
  let next = 0;
  while (taken.has(next)) next++;
  if (draw.kind === "gap") return next + 2;
  if (draw.kind === "used") return Math.max(0, next - 1);
  if (draw.kind === "replace" || draw.kind === "underpriced") return target?.nonce ?? next;
  return next;
}

function gasPriceOf(draw: SubmitDraw, target: TransactionRecord | undefined): number {
  const old = target?.terms.gasPriceGwei ?? draw.gasPriceGwei;
  if (draw.kind === "replace") return Math.ceil(old * 1.1) + 1;
  if (draw.kind === "underpriced") return Math.max(0, old - 1);
  return draw.gasPriceGwei;
}

function oddCalls(draw: SubmitDraw, calls: readonly CallTerms[] | undefined): readonly CallTerms[] | undefined {
  if (draw.kind === "unknown-model") return calls?.map((call) => ({ ...call, model: "nobody-has-it" }));
  if (draw.kind === "low-fee") return calls?.map((call) => ({ ...call, maxFeeGwei: 0 }));
  if (draw.kind === "infeasible") return calls?.map((call) => ({ ...call, tokensOut: 100_000 }));
  return calls;
}

function programOf(draw: SubmitDraw, hash: string, declared: readonly CallTerms[] | undefined): Program {
  return { hash, declared, first: draw.calls, later: draw.later, reads: draw.reads };
}
