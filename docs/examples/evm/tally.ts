import type { BuiltBlock } from "../../../scheduler/evm/block-building.ts";
import type { EvmPreExecutor } from "../../../scheduler/evm/pre-executor.ts";
import type { ServiceStatistics } from "../../../scheduler/index.ts";
import type { Checked } from "./validator.ts";

/** Before the seal: a result that comes later has no time to be run with, twice, and is for the next block. */
const RESULTS_MS = 100;

interface Times {
  readonly sealAtMs: number;
  readonly lateMs: number;
}

/** What the run came to. Times in milliseconds, shares from 0 to 1, money in gwei. */
export interface Summary {
  readonly blocks: number;
  readonly transactions: { readonly sent: number; readonly refused: number; readonly byKind: Record<string, number> };
  readonly sealed: {
    readonly ordinary: number;
    readonly inference: number;
    readonly results: number;
    readonly reverted: number;
  };
  readonly refunded: number;
  /**
   * Of the transactions that ask models: sealed in the first block whose cut-off for results (100 ms before the seal) came after
   * their last one, and not before the one with the nonce before.
   */
  readonly firstBlockShare: number | undefined;
  /** How much later than planned blocks were there. */
  readonly latenessMs: { readonly p50: number; readonly p99: number; readonly max: number };
  readonly preExecutions: number;
  /** Waiting transactions, counted block by block, whose read sets a block touched, and those that need not run again. */
  readonly readSets: { readonly concerned: number; readonly spared: number };
  readonly validator: {
    readonly blocks: number;
    readonly receipts: number;
    readonly ms: number;
    readonly findings: number;
  };
  readonly feesPaidGwei: number;
  readonly ledgerBalanced: boolean;
}

/** Counts what blocks carry. */
export class Tally {
  readonly blocks: BuiltBlock[] = [];
  readonly #times: Times[] = [];
  /** Blocks before the users came; their times say how long it takes to start. */
  #quiet = 0;

  block(block: BuiltBlock, times: Times): void {
    this.blocks.push(block);
    this.#times.push(times);
  }

  /** The users come: punctuality counts from the next block on. */
  begin(): void {
    this.#quiet = this.blocks.length;
  }

  /** A block in one line; nothing for an empty one. */
  lineOf({ head, included, inference, receipts }: BuiltBlock, { lateMs }: Times): string | undefined {
    if (included.length === 0) return undefined;
    const asked = inference.header.transactions.length;
    const winners = new Map<string, number>();
    for (const { receipt } of inference.receipts) winners.set(receipt.mode, (winners.get(receipt.mode) ?? 0) + 1);
    const proofs = [...winners].map(([mode, count]) => `${count} ${mode}`).join(", ");
    const failed = receipts.filter(({ succeeded }) => !succeeded).length;
    const parts = [
      `block ${String(head.number).padStart(3)}`,
      `${String(included.length - asked).padStart(3)} ordinary`,
      `${String(asked).padStart(2)} with results${proofs === "" ? "" : ` (${proofs})`}`,
      `${head.gasUsed} gas`,
      `${lateMs.toFixed(1)} ms late`,
    ];
    return parts.join("  ") + (failed === 0 ? "" : `  ${failed} reverted`);
  }

  summary(parts: {
    readonly workload: Summary["transactions"];
    readonly statistics: ServiceStatistics;
    readonly checked: Checked;
    readonly preExecutor: Pick<EvmPreExecutor, "runs" | "concerned" | "spared">;
  }): Summary {
    const { workload, statistics, checked, preExecutor } = parts;
    const { ledger, counters } = statistics;
    const sum = (of: (block: BuiltBlock) => number) => this.blocks.reduce((total, block) => total + of(block), 0);
    const inference = sum(({ inference: { header } }) => header.transactions.length);
    const late = this.#times
      .slice(this.#quiet)
      .map(({ lateMs }) => lateMs)
      .sort((a, b) => a - b);
    const at = (share: number) => late[Math.min(late.length - 1, Math.floor(share * late.length))] ?? 0;
    return {
      blocks: this.blocks.length,
      transactions: workload,
      sealed: {
        ordinary: sum(({ included }) => included.length) - inference,
        inference,
        results: sum(({ inference: { receipts } }) => receipts.length),
        reverted: sum(({ receipts }) => receipts.filter(({ succeeded }) => !succeeded).length),
      },
      refunded: counters.refunded,
      firstBlockShare: this.#firstBlockShare(),
      latenessMs: { p50: at(0.5), p99: at(0.99), max: late.at(-1) ?? 0 },
      preExecutions: preExecutor.runs,
      readSets: { concerned: preExecutor.concerned, spared: preExecutor.spared },
      validator: {
        blocks: checked.blocks,
        receipts: checked.receipts,
        ms: checked.ms,
        findings: checked.findings.length,
      },
      feesPaidGwei: ledger.paidGwei,
      ledgerBalanced: ledger.paidGwei + ledger.refundedGwei + ledger.heldGwei === ledger.escrowedGwei,
    };
  }

  #firstBlockShare(): number | undefined {
    const cutOffMs = this.#times.map(({ sealAtMs }) => sealAtMs - RESULTS_MS);
    /** Block of each sender's latest transaction: the next one cannot be in an earlier one. */
    const before = new Map<string, number>();
    let inFirst = 0;
    let all = 0;
    for (const [place, { inference, included }] of this.blocks.entries()) {
      const decidedUs = new Map<string, number>();
      for (const { receipt } of inference.receipts)
        decidedUs.set(receipt.txHash, Math.max(receipt.decidedUs, decidedUs.get(receipt.txHash) ?? 0));
      for (const { transaction } of included) {
        const { sender, hash } = transaction;
        const us = decidedUs.get(hash);
        if (us !== undefined) {
          all++;
          const first = cutOffMs.findIndex((ms) => ms * 1000 > us);
          if (place <= Math.max(first, before.get(sender) ?? 0)) inFirst++;
        }
        before.set(sender, place);
      }
    }
    return all === 0 ? undefined : inFirst / all;
  }

  textOf(summary: Summary): string {
    const { transactions, sealed, latenessMs, validator, firstBlockShare, readSets } = summary;
    const kinds = Object.entries(transactions.byKind)
      .map(([kind, count]) => `${count} ${kind}`)
      .join(", ");
    const share = firstBlockShare === undefined ? "none asked" : `${(100 * firstBlockShare).toFixed(1)} %`;
    const lines: [string, string][] = [
      [
        "blocks",
        `${summary.blocks}, later than planned: p50 ${ms(latenessMs.p50)}, p99 ${ms(latenessMs.p99)}, at most ${ms(latenessMs.max)}`,
      ],
      ["transactions sent", `${transactions.sent} (${kinds}), ${transactions.refused} refused`],
      ["  ordinary, sealed", `${sealed.ordinary}, deployments and deposits among them`],
      ["  with results, sealed", `${sealed.inference} with ${sealed.results} results, ${sealed.reverted} reverted`],
      ["  refunded", `${summary.refunded}`],
      ["in the first block after the last result", share],
      [
        "pre-executions",
        `${summary.preExecutions}; after blocks ${readSets.concerned} waiting transactions were concerned, ${readSets.spared} were not`,
      ],
      [
        "fees for inference",
        `${summary.feesPaidGwei} gwei; the ledger ${summary.ledgerBalanced ? "adds up" : "DOES NOT ADD UP"}`,
      ],
      [
        "validator",
        `${validator.blocks} blocks executed again and ${validator.receipts} proofs checked in ${(validator.ms / 1000).toFixed(1)} s, without a model: ` +
          (validator.findings === 0 ? "all is well" : `${validator.findings} FINDINGS`),
      ],
    ];
    return lines.map(([what, value]) => `  ${what.padEnd(42)}${value}`).join("\n");
  }
}

function ms(value: number): string {
  return `${value.toFixed(1)} ms`;
}
