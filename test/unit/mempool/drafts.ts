import type { TransactionTerms } from "../../../scheduler/shared/vocabulary.ts";
import { DEFAULT_MEMPOOL_LIMITS, type MempoolLimits } from "../../../mempool/limits.ts";
import type { PendingTransaction } from "../../../mempool/pending.ts";
import { Pool } from "../../../mempool/pool.ts";
import type { Rejection } from "../../../mempool/rejection.ts";

/** An ordinary transaction of alice's, changed as said; its hash tells sender and nonce. */
export function terms(changes: Partial<TransactionTerms> = {}): TransactionTerms {
  const { sender = "alice", nonce = 0 } = changes;
  const base = { gasPriceGwei: 100, ttlBlocks: 10, escrowGwei: 0, calls: [] };
  return { hash: `${sender}/${nonce}`, sender, nonce, ...base, ...changes };
}

/** A mempool as the engine uses it: asked first, then told. */
export class Drive {
  readonly pool: Pool;
  height = 1;

  constructor(limits: Partial<MempoolLimits> = {}) {
    this.pool = new Pool({ ...DEFAULT_MEMPOOL_LIMITS, ...limits });
  }

  refusal(changes: Partial<TransactionTerms>): Rejection | undefined {
    const asked = terms(changes);
    return this.pool.refusal(asked, this.pool.account(asked.sender));
  }

  /** Admits what the mempool has nothing against; throws otherwise. */
  admit(changes: Partial<TransactionTerms> = {}): PendingTransaction {
    const asked = terms(changes);
    const refusal = this.refusal(asked);
    const account = refusal === undefined ? this.pool.openAccount(asked.sender) : undefined;
    if (account === undefined) throw new Error(`refused: ${JSON.stringify(refusal)}`);
    return this.pool.admit(asked, account, 0, this.height);
  }

  admitReady(changes: Partial<TransactionTerms> = {}): PendingTransaction {
    const tx = this.admit(changes);
    this.ready(tx);
    return tx;
  }

  ready(tx: PendingTransaction): void {
    this.pool.move(tx, "complete");
    this.pool.offerToSeal(tx);
  }

  /** Seals all that may be sealed; gives their hashes in order. */
  sealAll(): string[] {
    return this.seal().map(({ hash }) => hash);
  }

  seal(): PendingTransaction[] {
    const sealed: PendingTransaction[] = [];
    for (let tx = this.pool.sealable.pop(); tx !== undefined; tx = this.pool.sealable.pop()) {
      tx.inSealable = false;
      if (!this.pool.isSealable(tx)) continue;
      sealed.push(tx);
      const next = this.pool.markSealed(tx, this.height);
      if (next !== undefined) this.pool.offerToSeal(next);
    }
    return sealed;
  }

  /** Hashes of those whose time is over at this height, which leave. */
  expire(height: number): string[] {
    const expired: string[] = [];
    this.pool.expire(height, (tx) => {
      expired.push(tx.hash);
      this.pool.remove(tx);
    });
    return expired;
  }
}
