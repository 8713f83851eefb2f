import type { ChallengeEvidence } from "../proofs/evidence.ts";
import { provesInclusion } from "../proofs/merkle.ts";
import type { Receipt } from "../proofs/receipt.ts";
import { receiptFeesGwei } from "../proofs/receipt.ts";
import type { RegistryView } from "../proofs/registry-view.ts";
import { BlockReceipts } from "../proofs/verify-block.ts";
import { receiptFindings } from "../proofs/verify-receipt.ts";
import type { AuditedBlock } from "./records-audit-blocks.ts";
import type { EvidenceAudit } from "./records-audit-evidence.ts";
import { isForgone } from "./records-audit-evidence.ts";
import { LedgerAudit } from "./records-audit-ledger.ts";
import type { ReceiptRecord } from "./records-lines.ts";
import { fileOf, receiptLine } from "./records-lines.ts";
import type { Findings } from "./records-reader.ts";

const FILE = fileOf("receipts");
const BLOCKS_FILE = fileOf("blocks");
const LEDGER_FILE = fileOf("ledger");

/**
 * Holds receipts against blocks, registry, ledger and evidence, with no help of what wrote them:
 *
 * 1. receipts stand in the order of their blocks, complete, with the headers' roots, counts, fees and transactions
 * 2. each receipt is one that `verifyBlock` finds nothing wrong with
 * 3. on the chain no job has two receipts (P1), and each fee is what the ledger paid, once, to whose answer counted (P5)
 * 4. in mode `optimistic` nothing is paid before the challenge window has closed, and nothing for a result that did not hold
 */
export class ReceiptAudit {
  readonly #findings: Findings;
  readonly #blocks: readonly AuditedBlock[];
  readonly #registry: RegistryView;
  readonly #ledger: LedgerAudit;
  readonly #evidence: EvidenceAudit;
  readonly #paidJobs = new Map<string, number>();
  /** By transaction: fees in escrow until challenge windows close. */
  readonly #pendingGwei = new Map<string, bigint>();
  readonly #indexOf: ReadonlyMap<string, number>;
  readonly #tipHeight: number;
  #blockIndex = 0;
  #receipts: BlockReceipts | undefined;
  checked = 0;

  constructor(options: {
    readonly findings: Findings;
    readonly blocks: readonly AuditedBlock[];
    readonly registry: RegistryView;
    /** Its payments are consumed: what no receipt accounts for remains. */
    readonly ledger: LedgerAudit;
    readonly evidence: EvidenceAudit;
  }) {
    this.#findings = options.findings;
    this.#blocks = options.blocks;
    this.#indexOf = new Map(options.blocks.map(({ block }, index) => [block, index]));
    this.#tipHeight = options.blocks.findLast(({ canonical }) => canonical)?.header.height ?? 0;
    this.#registry = options.registry;
    this.#ledger = options.ledger;
    this.#evidence = options.evidence;
  }

  add(line: number, text: string, record: ReceiptRecord): void {
    if (receiptLine(record) !== `${text}\n`)
      this.#find(line, "is not canonical: the same content is written in another way");
    this.checked++;
    const block = this.#advanceTo(record.block);
    if (block === undefined) {
      this.#find(line, "belongs to no block of blocks.jsonl, or stands in the wrong order");
      return;
    }
    const { receipt } = record;
    this.#checkPlace(line, record, block);
    for (const { message } of receiptFindings(receipt, this.#registry)) this.#find(line, message);
    const outcome = this.#checkChallenge(line, receipt, block);
    if (block.canonical) this.#checkPayments(line, receipt, block, outcome);
  }

  /** After the last receipt. */
  finish(): void {
    while (this.#blockIndex < this.#blocks.length) this.#closeBlock();
    for (const [job, payments] of this.#ledger.payments) {
      for (const { line, account } of payments.values()) {
        const known = this.#paidJobs.get(job);
        const why = known === undefined ? "which has no receipt in a block of the chain" : "whose answer did not count";
        this.#findings.add(LEDGER_FILE, line, `pays ${account} for ${job}, ${why}`);
      }
    }
    this.#checkHeld();
  }

  /** The block of that hash, when it is the one under way or a later one. */
  #advanceTo(hash: string): AuditedBlock | undefined {
    const index = this.#indexOf.get(hash);
    if (index === undefined || index < this.#blockIndex) return undefined;
    while (this.#blockIndex < index) this.#closeBlock();
    return this.#blocks[index];
  }

  /** All receipts of the block have been seen: its root must be theirs. */
  #closeBlock(): void {
    const block = this.#blocks[this.#blockIndex++];
    if (block === undefined) return;
    const receipts = this.#receipts ?? new BlockReceipts(block.header);
    for (const message of receipts.finish()) this.#findings.add(BLOCKS_FILE, block.line, message);
    this.#receipts = undefined;
  }

  #checkPlace(line: number, { receipt, leaf, path }: ReceiptRecord, { header }: AuditedBlock): void {
    this.#receipts ??= new BlockReceipts(header);
    const receipts = this.#receipts;
    for (const { message } of receipts.add(receipt)) this.#find(line, message);
    if (receipts.lastLeaf !== leaf) this.#find(line, "its leaf is not its hash");
    const claim = { root: header.receiptsRoot, leaf: receipts.lastLeaf, index: receipts.count - 1, proof: path };
    if (!provesInclusion(claim)) this.#find(line, "is not in the tree of its block");
  }

  /** How the challenge of the receipt's result ended, `undefined` without one. */
  #checkChallenge(line: number, receipt: Receipt, { canonical }: AuditedBlock): ChallengeEvidence | undefined {
    if (receipt.mode !== "optimistic") return undefined;
    const outcome = this.#evidence.receipt(receipt, canonical);
    // A block that was taken back may have been so before anybody was asked.
    const problem = canonical ? this.#evidence.samplingProblem(receipt, outcome !== undefined) : undefined;
    if (problem !== undefined) this.#find(line, problem);
    return outcome;
  }

  #checkPayments(line: number, receipt: Receipt, block: AuditedBlock, outcome: ChallengeEvidence | undefined): void {
    const job = LedgerAudit.jobKey(receipt.txHash, receipt.callIndex);
    const earlier = this.#paidJobs.get(job);
    if (earlier !== undefined) this.#find(line, `P1: the job has another receipt on the chain, in line ${earlier}`);
    this.#paidJobs.set(job, line);
    const forgone = outcome !== undefined && isForgone(outcome);
    const isDue = earlier === undefined && !forgone && this.#isDue(receipt, block);
    const payments = this.#ledger.payments.get(job);
    let unpaidGwei = 0n;
    for (const { node, feeGwei } of [receipt, ...receipt.supporters]) {
      const payment = payments?.get(node);
      if (payment === undefined) {
        unpaidGwei += BigInt(feeGwei);
        if (isDue && feeGwei > 0)
          this.#find(line, `its block is committed, but the ledger has not paid its fee to ${node}`);
        continue;
      }
      payments?.delete(node);
      if (payment.amountGwei !== BigInt(feeGwei)) {
        this.#find(
          line,
          `the ledger paid ${payment.amountGwei} gwei, not the fee of ${feeGwei} (line ${payment.line})`,
        );
      }
      if (forgone) this.#find(line, `the result did not hold, and yet the ledger paid it (line ${payment.line})`);
      else if (!isPaidInTime(receipt, payment.height))
        this.#find(line, `the ledger paid it at another height (line ${payment.line})`);
    }
    if (payments?.size === 0) this.#ledger.payments.delete(job);
    if (forgone) this.#checkRefund(line, receipt, job);
    else if (receipt.mode === "optimistic") this.#addPending(receipt.txHash, unpaidGwei);
  }

  /** Whether the fees must have been paid by the end of the files. */
  #isDue({ mode, height, challengeBlocks }: Receipt, { committed }: AuditedBlock): boolean {
    return committed && (mode !== "optimistic" || this.#tipHeight > height + 2 * challengeBlocks);
  }

  #checkRefund(line: number, receipt: Receipt, job: string): void {
    const refundedGwei = this.#ledger.refunds.get(job)?.amountGwei ?? 0n;
    if (refundedGwei < BigInt(receiptFeesGwei(receipt)))
      this.#find(line, "the result did not hold, and yet its fee was not given back");
  }

  #addPending(txHash: string, gwei: bigint): void {
    this.#pendingGwei.set(txHash, (this.#pendingGwei.get(txHash) ?? 0n) + gwei);
  }

  /** A commit pays the fees and gives back the rest: only what can still be challenged stays in escrow. */
  #checkHeld(): void {
    for (const { line, header, canonical, committed } of this.#blocks) {
      if (!canonical || !committed) continue;
      for (const txHash of header.transactions) {
        const heldGwei = this.#ledger.heldGwei(txHash);
        if (heldGwei === (this.#pendingGwei.get(txHash) ?? 0n)) continue;
        this.#findings.add(BLOCKS_FILE, line, `is committed, but ${heldGwei} gwei of ${txHash} are still held`);
      }
    }
  }

  #find(line: number, message: string): void {
    this.#findings.add(FILE, line, message);
  }
}

/** At its commit, or, where it can be challenged, with a block after the window. */
function isPaidInTime({ mode, height, challengeBlocks }: Receipt, paidHeight: number): boolean {
  return mode === "optimistic" ? paidHeight > height + challengeBlocks : paidHeight === height;
}
