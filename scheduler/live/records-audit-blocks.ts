import { ZERO_HASH } from "../proofs/digest.ts";
import type { BlockHeader } from "../proofs/header.ts";
import { isSignedHeader } from "../proofs/header.ts";
import type { AnchoredLog, BlockEntry } from "./records-lines.ts";
import { ANCHORED_LOGS, fileOf } from "./records-lines.ts";
import type { ChainEntry, Findings } from "./records-reader.ts";

const FILE = fileOf("blocks");

/** A sealed block as `blocks.jsonl` tells it. */
export interface AuditedBlock {
  readonly line: number;
  /** The header's hash. */
  readonly block: string;
  readonly header: BlockHeader;
  /** On the chain at the end of the file: sealed, and never taken back. */
  canonical: boolean;
  committed: boolean;
}

/**
 * Follows the chain through seals, commits and reorgs. What it keeps:
 *
 * 1. every header is signed by the key that it names, and is hashed right
 * 2. every block's parent is the tip of the chain at that moment, and is lower
 * 3. only the tip is taken back; only a block on the chain is committed, once
 */
export class BlockAudit {
  readonly blocks: AuditedBlock[] = [];
  readonly #tips: AuditedBlock[] = [];
  readonly #findings: Findings;
  #last: BlockHeader | undefined;

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  add({ line, body }: ChainEntry<"blocks">): void {
    if (body.entry === "sealed") this.#sealed(line, body);
    else if (body.entry === "reverted") this.#reverted(line, body.block, body.height);
    else this.#committed(line, body.block, body.height);
  }

  /** The blocks on the chain at the end, lowest first. */
  get canonical(): readonly AuditedBlock[] {
    return this.#tips;
  }

  #sealed(line: number, entry: Extract<BlockEntry, { entry: "sealed" }>): void {
    const { header, block } = entry;
    const tip = this.#tips.at(-1);
    if (!isSignedHeader(entry)) this.#find(line, "the header's hash or signature is wrong");
    if (header.parent !== (tip?.block ?? ZERO_HASH))
      this.#find(line, "its parent is not the block before it on the chain");
    if (tip !== undefined && header.height <= tip.header.height) this.#find(line, "it is not higher than its parent");
    if (new Set(header.transactions).size !== header.transactions.length)
      this.#find(line, "a transaction is in it twice");
    this.#compareWithLast(line, header);
    const audited: AuditedBlock = { line, block, header, canonical: true, committed: false };
    this.blocks.push(audited);
    this.#tips.push(audited);
    this.#last = header;
  }

  #compareWithLast(line: number, header: BlockHeader): void {
    const last = this.#last;
    if (last === undefined) return;
    if (header.sealedUs < last.sealedUs) this.#find(line, "it was sealed before the block of the line above");
    if (header.chainId !== last.chainId) this.#find(line, "it belongs to another chain");
    if (header.key !== last.key) this.#find(line, "it is signed with another key");
    if (ANCHORED_LOGS.some((log) => header[`${log}Count`] < last[`${log}Count`])) {
      this.#find(line, "it covers fewer lines of a log than the block above");
    }
  }

  #reverted(line: number, block: string, height: number): void {
    const tip = this.#tips.at(-1);
    if (tip === undefined || tip.block !== block || tip.header.height !== height) {
      this.#find(line, "takes back a block that is not the tip of the chain");
      return;
    }
    tip.canonical = false;
    tip.committed = false;
    this.#tips.pop();
  }

  #committed(line: number, block: string, height: number): void {
    const found = this.#tips.findLast((tip) => tip.block === block);
    if (found === undefined || found.header.height !== height)
      this.#find(line, "commits a block that is not on the chain");
    else if (found.committed) this.#find(line, "commits a block for a second time");
    else found.committed = true;
  }

  #find(line: number, message: string): void {
    this.#findings.add(FILE, line, message);
  }
}

/** Holds another log against what headers say of it: how many lines it had, and the hash of the last one. */
export class AnchorAudit {
  readonly #log: AnchoredLog;
  readonly #findings: Findings;
  /** Blocks by the number of lines that they cover. */
  readonly #due = new Map<number, AuditedBlock[]>();

  constructor(log: AnchoredLog, blocks: readonly AuditedBlock[], findings: Findings) {
    this.#log = log;
    this.#findings = findings;
    for (const block of blocks) {
      const count = block.header[`${log}Count`];
      const due = this.#due.get(count);
      if (due === undefined) this.#due.set(count, [block]);
      else due.push(block);
    }
    this.reached(0, ZERO_HASH);
  }

  /** The log has that many lines now, the last one with this hash. */
  reached(count: number, hash: string): void {
    for (const block of this.#due.get(count) ?? []) {
      if (block.header[`${this.#log}Head`] === hash) continue;
      this.#findings.add(
        FILE,
        block.line,
        `the header covers other lines of ${fileOf(this.#log)} than the ${count} that are there`,
      );
    }
    this.#due.delete(count);
  }

  /** The log is at its end: what is still due covers lines that are gone. */
  finish(): void {
    for (const [count, blocks] of this.#due) {
      for (const { line } of blocks) {
        this.#findings.add(FILE, line, `the header covers ${count} lines of ${fileOf(this.#log)}, which has fewer`);
      }
    }
  }
}
