import type { BlockHeader, SignedHeader } from "./header.ts";
import { isSignedHeader } from "./header.ts";
import { receiptTree } from "./merkle.ts";
import type { Receipt } from "./receipt.ts";
import { receiptFeesGwei, receiptLeaf } from "./receipt.ts";
import type { RegistryView } from "./registry-view.ts";
import type { ReceiptFault } from "./verify-receipt.ts";
import { receiptFindings } from "./verify-receipt.ts";

export interface BlockCheck {
  readonly block: SignedHeader;
  /** All of the block, in its order; what `Pipe.receipts` gives. */
  readonly receipts: readonly { readonly receipt: Receipt }[];
  readonly registry: RegistryView;
  /** The scheduler's public key as the validator knows it: 64 hexadecimal digits. */
  readonly schedulerKey: string;
}

/** What is wrong with a sealed block; `message` is a sentence without its subject. */
export interface BlockFinding {
  readonly fault: ReceiptFault | "header" | "receipts" | "place" | "validity";
  /** Place of the receipt that is meant, −1 for the block itself. */
  readonly receipt: number;
  readonly message: string;
}

/**
 * Checks a sealed block as a validator does, without any model: the scheduler's signature, the tree over the receipts, and of
 * each receipt every proof by its mode, as of the time at which it arrived. No I/O. Empty when all is well.
 */
export function verifyBlock({ block, receipts, registry, schedulerKey }: BlockCheck): BlockFinding[] {
  const { header } = block;
  const findings: BlockFinding[] = headerFindings(block, registry, schedulerKey).map((message) => {
    return { fault: "header", receipt: -1, message };
  });
  const tree = new BlockReceipts(header);
  for (const [index, { receipt }] of receipts.entries()) {
    const found = [...tree.add(receipt), ...receiptFindings(receipt, registry)];
    for (const finding of found) findings.push({ ...finding, receipt: index });
  }
  for (const message of tree.finish()) findings.push({ fault: "receipts", receipt: -1, message });
  return findings;
}

function headerFindings(block: SignedHeader, registry: RegistryView, schedulerKey: string): string[] {
  const { header } = block;
  const findings: string[] = [];
  if (!isSignedHeader(block)) findings.push("the header's hash or signature is wrong");
  if (header.key !== schedulerKey) findings.push("is not signed with the scheduler's key");
  if (header.chainId !== registry.scheduler?.chainId) findings.push("belongs to another chain than the registry");
  return findings;
}

type PlaceFinding = { readonly fault: "place" | "validity"; readonly message: string };

/** Follows the receipts of one block, whatever they say, against its header. Keeps their hashes only. */
export class BlockReceipts {
  readonly #header: BlockHeader;
  readonly #leaves: string[] = [];
  #feesGwei = 0;
  #last: Pick<Receipt, "position" | "callIndex"> | undefined;

  constructor(header: BlockHeader) {
    this.#header = header;
  }

  /** Hash of the last receipt. */
  get lastLeaf(): string {
    return this.#leaves.at(-1) ?? "";
  }

  get count(): number {
    return this.#leaves.length;
  }

  /** The next receipt: whether it is in its place. */
  add(receipt: Receipt): PlaceFinding[] {
    const header = this.#header;
    this.#leaves.push(receiptLeaf(receipt));
    this.#feesGwei += receiptFeesGwei(receipt);
    const findings: PlaceFinding[] = [];
    const find = (message: string): number => findings.push({ fault: "place", message });
    if (receipt.chainId !== header.chainId) find("belongs to another chain than its block");
    if (receipt.height !== header.height || receipt.sealedUs !== header.sealedUs)
      find("tells another height or time than its block");
    if (header.transactions[receipt.position] !== receipt.txHash) find("its transaction is not in its block there");
    const last = this.#last;
    const after =
      last === undefined ||
      receipt.position > last.position ||
      (receipt.position === last.position && receipt.callIndex > last.callIndex);
    if (!after) find("stands in the wrong order within its block");
    this.#last = receipt;
    if (receipt.validUntilHeight < header.height)
      findings.push({ fault: "validity", message: "P10: the result was past its validity in this block" });
    return findings;
  }

  /** After the last one: whether these are the receipts that the header covers. */
  finish(): string[] {
    const { receiptCount, receiptsRoot, feesGwei } = this.#header;
    const findings: string[] = [];
    const { count } = this;
    if (count !== receiptCount) findings.push(`has ${receiptCount} receipts, of which ${count} are there`);
    else if (new Set(this.#leaves).size === count && receiptTree(this.#leaves).root !== receiptsRoot)
      findings.push("its root is not that of its receipts");
    if (this.#feesGwei !== feesGwei)
      findings.push(`says ${feesGwei} gwei of fees, its receipts sum up to ${this.#feesGwei}`);
    return findings;
  }
}
