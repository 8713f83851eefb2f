import { sha256Hex } from "../proofs/digest.ts";
import { verifySignature } from "../proofs/keys.ts";
import { provesInclusion, receiptTree } from "../proofs/merkle.ts";
import type { Receipt } from "../proofs/receipt.ts";
import { receiptLeaf, receiptStatement } from "../proofs/receipt.ts";
import { encodeStatement } from "../proofs/statement.ts";
import { jobDigest } from "../proofs/transaction.ts";
import { answerHash } from "./answer.ts";
import type { AuditedBlock } from "./records-audit-blocks.ts";
import { LedgerAudit, type Payment } from "./records-audit-ledger.ts";
import type { ReceiptRecord } from "./records-lines.ts";
import { fileOf, receiptLine } from "./records-lines.ts";
import type { Findings } from "./records-reader.ts";

const FILE = fileOf("receipts");
const BLOCKS_FILE = fileOf("blocks");

/**
 * Holds receipts against blocks, registry and ledger, with no help of what wrote them:
 *
 * 1. receipts stand in the order of their blocks, complete, with the headers' roots, counts, fees and transactions
 * 2. each proof is the registered node's own signature over the statement of this job and this assignment (P2, P3)
 * 3. on the chain no job has two receipts (P1), and each fee is what the ledger paid to the winner, once (P5)
 * 4. no result is older than its validity (P10), and no fee is above what the sender offered
 */
export class ReceiptAudit {
  readonly #findings: Findings;
  readonly #blocks: readonly AuditedBlock[];
  readonly #nodeKeys: ReadonlyMap<string, ReadonlySet<string>>;
  readonly #payments: Map<string, Payment>;
  readonly #paidJobs = new Map<string, number>();
  readonly #indexOf: ReadonlyMap<string, number>;
  #blockIndex = 0;
  /** Of the block under way. */
  #leaves: string[] = [];
  #feesGwei = 0;
  #lastPlace: Pick<Receipt, "position" | "callIndex"> | undefined;
  checked = 0;

  constructor(options: {
    readonly findings: Findings;
    readonly blocks: readonly AuditedBlock[];
    /** Keys under which each node joined. */
    readonly nodeKeys: ReadonlyMap<string, ReadonlySet<string>>;
    /** Consumed: what no receipt accounts for remains. */
    readonly payments: Map<string, Payment>;
  }) {
    this.#findings = options.findings;
    this.#blocks = options.blocks;
    this.#indexOf = new Map(options.blocks.map(({ block }, index) => [block, index]));
    this.#nodeKeys = options.nodeKeys;
    this.#payments = options.payments;
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
    this.#checkPlace(line, receipt, block);
    this.#checkInclusion(line, record, block);
    for (const problem of contentProblems(receipt)) this.#find(line, problem);
    if (this.#nodeKeys.get(receipt.node)?.has(receipt.nodeKey) !== true) {
      this.#find(line, `the key is none under which the node ${receipt.node} is in the registry`);
    }
    if (block.canonical) this.#checkPayment(line, receipt, block);
  }

  /** After the last receipt. */
  finish(): void {
    while (this.#blockIndex < this.#blocks.length) this.#closeBlock();
    for (const [key, { line }] of this.#payments) {
      this.#findings.add(fileOf("ledger"), line, `pays for ${key}, which has no receipt in a block of the chain`);
    }
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
    const { header, line } = block;
    const count = this.#leaves.length;
    if (count !== header.receiptCount) {
      this.#findings.add(BLOCKS_FILE, line, `has ${header.receiptCount} receipts, of which ${count} are in ${FILE}`);
    } else if (new Set(this.#leaves).size === count && receiptTree(this.#leaves).root !== header.receiptsRoot) {
      this.#findings.add(BLOCKS_FILE, line, "its root is not that of its receipts");
    }
    if (this.#feesGwei !== header.feesGwei) {
      this.#findings.add(
        BLOCKS_FILE,
        line,
        `says ${header.feesGwei} gwei of fees, its receipts sum up to ${this.#feesGwei}`,
      );
    }
    this.#leaves = [];
    this.#feesGwei = 0;
    this.#lastPlace = undefined;
  }

  #checkPlace(line: number, receipt: Receipt, { header }: AuditedBlock): void {
    if (receipt.chainId !== header.chainId) this.#find(line, "belongs to another chain than its block");
    if (receipt.height !== header.height || receipt.sealedUs !== header.sealedUs) {
      this.#find(line, "tells another height or time than its block");
    }
    if (header.transactions[receipt.position] !== receipt.txHash)
      this.#find(line, "its transaction is not in its block there");
    const last = this.#lastPlace;
    const after =
      last === undefined ||
      receipt.position > last.position ||
      (receipt.position === last.position && receipt.callIndex > last.callIndex);
    if (!after) this.#find(line, "stands in the wrong order within its block");
    this.#lastPlace = receipt;
    if (receipt.validUntilHeight < header.height)
      this.#find(line, "P10: the result was past its validity in this block");
  }

  #checkInclusion(line: number, { receipt, leaf, path }: ReceiptRecord, { header }: AuditedBlock): void {
    const ownLeaf = receiptLeaf(receipt);
    this.#leaves.push(ownLeaf);
    this.#feesGwei += receipt.feeGwei;
    if (ownLeaf !== leaf) this.#find(line, "its leaf is not its hash");
    const claim = { root: header.receiptsRoot, leaf: ownLeaf, index: this.#leaves.length - 1, proof: path };
    if (!provesInclusion(claim)) this.#find(line, "is not in the tree of its block");
  }

  #checkPayment(line: number, receipt: Receipt, block: AuditedBlock): void {
    const key = LedgerAudit.jobKey(receipt.txHash, receipt.callIndex);
    const earlier = this.#paidJobs.get(key);
    if (earlier !== undefined) this.#find(line, `P1: the job has another receipt on the chain, in line ${earlier}`);
    this.#paidJobs.set(key, line);
    const payment = this.#payments.get(key);
    if (payment === undefined) {
      const due = block.committed && receipt.feeGwei > 0 && earlier === undefined;
      if (due) this.#find(line, "its block is committed, but the ledger has not paid its fee");
      return;
    }
    this.#payments.delete(key);
    if (payment.account !== receipt.node)
      this.#find(line, `the ledger paid ${payment.account}, not the winner (line ${payment.line})`);
    if (payment.amountGwei !== BigInt(receipt.feeGwei)) {
      this.#find(
        line,
        `the ledger paid ${payment.amountGwei} gwei, not the fee of ${receipt.feeGwei} (line ${payment.line})`,
      );
    }
    if (payment.height !== block.header.height)
      this.#find(line, `the ledger paid it at another height (line ${payment.line})`);
  }

  #find(line: number, message: string): void {
    this.#findings.add(FILE, line, message);
  }
}

/** What is wrong with a receipt by itself. */
function contentProblems(receipt: Receipt): string[] {
  const problems: string[] = [];
  const output = new Uint8Array(Buffer.from(receipt.output, "base64"));
  const { openedUs, launchedUs, answeredUs, decidedUs, sealedUs } = receipt;
  if (sha256Hex(output) !== receipt.outputHash) problems.push("the output is not the one whose hash won");
  if (answerHash({ output, proof: receipt.proof }) !== receipt.answerHash)
    problems.push("the answer is not the one that won");
  if (!verifySignature(receipt.nodeKey, encodeStatement(receiptStatement(receipt)), receipt.proof.signature)) {
    problems.push("P3: the proof is not the node's signature over this statement");
  }
  if (jobDigest(receipt) !== receipt.digest) problems.push("the digest is not that of this job");
  if (receipt.feeGwei > receipt.maxFeeGwei) problems.push("the fee is above what the sender offered");
  if (receipt.rivals.some(({ end }) => end === "won")) problems.push("P1: another copy is said to have won too");
  if (!(openedUs <= launchedUs && launchedUs <= answeredUs && answeredUs <= decidedUs && decidedUs <= sealedUs)) {
    problems.push("its times are out of order");
  }
  return problems;
}
