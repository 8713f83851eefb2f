import type { AuditedBlock } from "../live/records-audit-blocks.ts";
import { AnchorAudit, BlockAudit } from "../live/records-audit-blocks.ts";
import { LedgerAudit } from "../live/records-audit-ledger.ts";
import { ReceiptAudit } from "../live/records-audit-receipts.ts";
import { fileOf } from "../live/records-lines.ts";
import type { AuditReport, Findings } from "../live/records-reader.ts";
import { audit, readChain, readRecords } from "../live/records-reader.ts";
import { isHashHex } from "../proofs/digest.ts";

export { formatReport } from "../live/records-reader.ts";

export interface VerifyOptions {
  /**
   * The scheduler's public key as the verifier knows it from elsewhere: 64 lower-case hexadecimal digits. With `undefined` the
   * files are only held against each other: whoever wrote them could have written them all with a key of his own.
   */
  readonly key: string | undefined;
}

export type VerifyReport = AuditReport;

/**
 * `pipe receipts verify DIR [--key HEX] [--json]`: checks blocks, receipts, registry, ledger and evidence of a directory from
 * the files alone, with no model and no engine. Exit code 0: all is well, 1: findings, 2: the directory cannot be read, or
 * the key is none. Does not reject.
 */
export function verifyReceipts(directory: string, options: VerifyOptions): Promise<VerifyReport> {
  return audit("receipts verify", directory, async (findings, counts) => {
    if (options.key !== undefined && !isHashHex(options.key)) {
      throw new RangeError("the key is not 64 lower-case hexadecimal digits");
    }
    const registry = await readRegistry(directory, options.key, findings);
    const blocks = new BlockAudit(findings);
    for await (const entry of readChain(directory, "blocks", findings)) blocks.add(entry);
    checkScheduler(blocks.blocks, registry, findings);
    checkSealedOnce(blocks.canonical, findings);
    const { ledger, movements } = await readLedger(directory, blocks.blocks, findings);
    checkNothingHeld(blocks.canonical, ledger, findings);

    const { nodeKeys } = registry;
    const { payments } = ledger;
    counts["payments"] = payments.size;
    const receipts = new ReceiptAudit({ findings, blocks: blocks.blocks, nodeKeys, payments });
    for await (const { number, text, record } of readRecords(directory, "receipts", findings)) {
      receipts.add(number, text, record);
    }
    receipts.finish();

    let evidence = 0;
    for await (const _ of readChain(directory, "evidence", findings)) evidence++;
    counts["blocks"] = blocks.blocks.length;
    counts["blocks on the chain"] = blocks.canonical.length;
    counts["receipts"] = receipts.checked;
    counts["movements of money"] = movements;
    counts["nodes"] = nodeKeys.size;
    counts["pieces of evidence"] = evidence;
  });
}

interface Registry {
  readonly chainId: string;
  readonly key: string;
  readonly nodeKeys: ReadonlyMap<string, ReadonlySet<string>>;
}

async function readRegistry(directory: string, key: string | undefined, findings: Findings): Promise<Registry> {
  const file = fileOf("registry");
  const nodeKeys = new Map<string, Set<string>>();
  let scheduler: { chainId: string; key: string } | undefined;
  for await (const { line, n, body } of readChain(directory, "registry", findings)) {
    if ((n === 0) !== (body.entry === "scheduler"))
      findings.add(file, line, "the first line, and only it, names the scheduler");
    if (body.entry === "scheduler") {
      scheduler ??= body;
      continue;
    }
    const keys = nodeKeys.get(body.id);
    if (keys === undefined) nodeKeys.set(body.id, new Set([body.key]));
    else keys.add(body.key);
  }
  if (scheduler === undefined) findings.add(file, 0, "does not name the scheduler");
  else if (key !== undefined && scheduler.key !== key) {
    findings.add(file, 1, `the scheduler's key is ${scheduler.key}, not the one expected`);
  }
  return { chainId: scheduler?.chainId ?? "", key: key ?? scheduler?.key ?? "", nodeKeys };
}

function checkScheduler(blocks: readonly AuditedBlock[], { chainId, key }: Registry, findings: Findings): void {
  for (const { line, header } of blocks) {
    if (header.key !== key) findings.add(fileOf("blocks"), line, "is not signed with the scheduler's key");
    if (header.chainId !== chainId) findings.add(fileOf("blocks"), line, "belongs to another chain than the registry");
  }
}

function checkSealedOnce(canonical: readonly AuditedBlock[], findings: Findings): void {
  const sealedIn = new Map<string, number>();
  for (const { line, header } of canonical) {
    for (const txHash of header.transactions) {
      const earlier = sealedIn.get(txHash);
      if (earlier !== undefined && earlier !== line) {
        findings.add(fileOf("blocks"), line, `seals ${txHash}, which the block of line ${earlier} carries already`);
      }
      sealedIn.set(txHash, line);
    }
  }
}

async function readLedger(
  directory: string,
  blocks: readonly AuditedBlock[],
  findings: Findings,
): Promise<{ ledger: LedgerAudit; movements: number }> {
  const ledger = new LedgerAudit(findings);
  const anchors = new AnchorAudit("ledger", blocks, findings);
  let movements = 0;
  for await (const entry of readChain(directory, "ledger", findings)) {
    ledger.add(entry);
    anchors.reached(entry.n + 1, entry.hash);
    movements++;
  }
  anchors.finish();
  return { ledger, movements };
}

/** A commit pays the fees and gives back the rest: nothing of a committed transaction stays in escrow. */
function checkNothingHeld(canonical: readonly AuditedBlock[], ledger: LedgerAudit, findings: Findings): void {
  for (const { line, header, committed } of canonical) {
    if (!committed) continue;
    for (const txHash of header.transactions) {
      const heldGwei = ledger.heldGwei(txHash);
      if (heldGwei === 0n) continue;
      findings.add(fileOf("blocks"), line, `is committed, but ${heldGwei} gwei of ${txHash} are still held`);
    }
  }
}
