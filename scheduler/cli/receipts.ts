import { challengeEpoch, isRevealed } from "../proofs/challenge-sample.ts";
import { isHashHex } from "../proofs/digest.ts";
import { RegistryView } from "../proofs/registry-view.ts";
import type { AuditedBlock } from "../live/records-audit-blocks.ts";
import { AnchorAudit, BlockAudit } from "../live/records-audit-blocks.ts";
import { EvidenceAudit } from "../live/records-audit-evidence.ts";
import { LedgerAudit } from "../live/records-audit-ledger.ts";
import { ReceiptAudit } from "../live/records-audit-receipts.ts";
import type { AnchoredLog } from "../live/records-lines.ts";
import { fileOf } from "../live/records-lines.ts";
import type { AuditReport, ChainEntry, Findings } from "../live/records-reader.ts";
import { audit, readChain, readRecords } from "../live/records-reader.ts";

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
    const blocks = new BlockAudit(findings);
    for await (const entry of readChain(directory, "blocks", findings)) blocks.add(entry);
    const log = { directory, blocks: blocks.blocks, findings };

    const registry = new RegistryView();
    await readAnchored("registry", log, ({ line, body }) => {
      const problem = registry.add(body);
      if (problem !== undefined) findings.add(fileOf("registry"), line, problem);
    });
    checkScheduler(blocks.blocks, registry, options.key, findings);
    checkSealedOnce(blocks.canonical, findings);
    checkCommitments(blocks.blocks, registry, findings);

    const ledger = new LedgerAudit(findings);
    const movements = await readAnchored("ledger", log, (entry) => ledger.add(entry));
    ledger.finish();
    const evidence = new EvidenceAudit(findings, registry);
    const pieces = await readAnchored("evidence", log, (entry) => evidence.add(entry));
    evidence.checkForfeits(evidence.outcomes, ledger.forfeits);
    counts["payments"] = [...ledger.payments.values()].reduce((sum, payments) => sum + payments.size, 0);

    const receipts = new ReceiptAudit({ findings, blocks: blocks.blocks, registry, ledger, evidence });
    for await (const { number, text, record } of readRecords(directory, "receipts", findings)) {
      receipts.add(number, text, record);
    }
    receipts.finish();
    evidence.finish();

    counts["blocks"] = blocks.blocks.length;
    counts["blocks on the chain"] = blocks.canonical.length;
    counts["receipts"] = receipts.checked;
    counts["movements of money"] = movements;
    counts["nodes"] = registry.nodeCount;
    counts["attestation documents"] = registry.documentCount;
    if (registry.emulated > 0) counts["proofs of enclave emulators, which protect nothing"] = registry.emulated;
    for (const [setup, proofs] of registry.setups) {
      counts[`zero-knowledge proofs under keys of this setup: ${printable(setup)}`] = proofs;
    }
    counts["pieces of evidence"] = pieces;
    counts["challenges"] = evidence.challenges;
  });
}

/** As the file has it, but for what a terminal would take for an order. */
function printable(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

/** Reads a log whose length and last line the headers tell; gives its number of lines. */
async function readAnchored<L extends AnchoredLog>(
  log: L,
  { directory, blocks, findings }: { directory: string; blocks: readonly AuditedBlock[]; findings: Findings },
  take: (entry: ChainEntry<L>) => void,
): Promise<number> {
  const anchors = new AnchorAudit(log, blocks, findings);
  let lines = 0;
  for await (const entry of readChain(directory, log, findings)) {
    take(entry);
    anchors.reached(entry.n + 1, entry.hash);
    lines++;
  }
  anchors.finish();
  return lines;
}

function checkScheduler(
  blocks: readonly AuditedBlock[],
  { scheduler }: RegistryView,
  expectedKey: string | undefined,
  findings: Findings,
): void {
  if (scheduler === undefined) findings.add(fileOf("registry"), 0, "does not name the scheduler");
  else if (expectedKey !== undefined && scheduler.key !== expectedKey) {
    findings.add(fileOf("registry"), 1, `the scheduler's key is ${scheduler.key}, not the one expected`);
  }
  const key = expectedKey ?? scheduler?.key;
  for (const { line, header } of blocks) {
    if (header.key !== key) findings.add(fileOf("blocks"), line, "is not signed with the scheduler's key");
    if (header.chainId !== scheduler?.chainId)
      findings.add(fileOf("blocks"), line, "belongs to another chain than the registry");
  }
}

/**
 * The seed by which a block's results are sampled was fixed before: its hash is covered by the header of the block before, or,
 * where that is of no such epoch, by the block's own.
 */
function checkCommitments(blocks: readonly AuditedBlock[], registry: RegistryView, findings: Findings): void {
  const terms = registry.scheduler?.challenges;
  if (terms === undefined) return;
  let before: AuditedBlock | undefined;
  for (const block of blocks) {
    const epoch = challengeEpoch(terms, block.header.height);
    const commitment = registry.commitments.get(epoch);
    const epochBefore = before === undefined ? -1 : challengeEpoch(terms, before.header.height);
    const witness = before !== undefined && epochBefore >= epoch - 1 ? before : block;
    if (commitment === undefined || commitment.n >= witness.header.registryCount)
      findings.add(fileOf("blocks"), block.line, `the seed of challenge epoch ${epoch} was not fixed before it`);
    before = block;
  }
  const tip = blocks.findLast(({ canonical }) => canonical);
  for (const epoch of registry.commitments.keys()) {
    if (tip === undefined || registry.revealed.has(epoch) || !isRevealed(terms, epoch, tip.header.height)) continue;
    findings.add(fileOf("registry"), 0, `does not tell the seed of challenge epoch ${epoch}, which is over`);
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
