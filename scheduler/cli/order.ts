import type { AuditedBlock } from "../live/records-audit-blocks.ts";
import { AnchorAudit, BlockAudit } from "../live/records-audit-blocks.ts";
import type { Admission } from "../live/records-audit-order.ts";
import { OrderAudit } from "../live/records-audit-order.ts";
import { fileOf } from "../live/records-lines.ts";
import type { AuditReport, Findings } from "../live/records-reader.ts";
import { audit, readChain } from "../live/records-reader.ts";

/**
 * `pipe order audit DIR [--json]`: checks from the files alone that the inference mempool kept its published order (P12), that
 * nothing was sealed which was not admitted, and that each sender's transactions were sealed in the order of their nonces.
 * Exit code 0: all is well, 1: findings, 2: the directory cannot be read. Does not reject.
 */
export function auditOrder(directory: string): Promise<AuditReport> {
  return audit("order audit", directory, async (findings, counts) => {
    const blocks = new BlockAudit(findings);
    for await (const entry of readChain(directory, "blocks", findings)) blocks.add(entry);

    const order = new OrderAudit(findings);
    const anchors = new AnchorAudit("order", blocks.blocks, findings);
    let entries = 0;
    for await (const entry of readChain(directory, "order", findings)) {
      order.add(entry);
      anchors.reached(entry.n + 1, entry.hash);
      entries++;
    }
    anchors.finish();
    checkAdmitted(blocks.blocks, order.admissions, findings);
    checkNonces(blocks.canonical, order.admissions, findings);

    counts["entries"] = entries;
    counts["transactions admitted"] = order.admissions.size;
    counts["jobs launched"] = order.launched;
    counts["jobs waiting"] = order.waiting;
    counts["blocks"] = blocks.blocks.length;
  });
}

type Admissions = ReadonlyMap<string, Admission>;

/** Every sealed transaction was admitted before its block, in the lines that the block's header covers. */
function checkAdmitted(blocks: readonly AuditedBlock[], admissions: Admissions, findings: Findings): void {
  for (const { line, header } of blocks) {
    for (const txHash of header.transactions) {
      const admission = admissions.get(txHash);
      if (admission === undefined) findings.add(fileOf("blocks"), line, `seals ${txHash}, which was never admitted`);
      else if (admission.n >= header.orderCount || admission.atUs > header.sealedUs) {
        findings.add(fileOf("blocks"), line, `seals ${txHash}, which was admitted only later`);
      }
    }
  }
}

/** On the chain the nonces of each sender follow each other. */
function checkNonces(canonical: readonly AuditedBlock[], admissions: Admissions, findings: Findings): void {
  const lastNonces = new Map<string, number>();
  for (const { line, header } of canonical) {
    for (const txHash of header.transactions) {
      const admission = admissions.get(txHash);
      if (admission === undefined) continue;
      const { sender, nonce } = admission;
      const last = lastNonces.get(sender);
      if (last !== undefined && nonce !== last + 1) {
        findings.add(fileOf("blocks"), line, `seals nonce ${nonce} of ${sender} after nonce ${last}`);
      }
      lastNonces.set(sender, nonce);
    }
  }
}
