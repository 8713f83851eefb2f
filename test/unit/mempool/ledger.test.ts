import { describe, expect, it } from "vitest";
import { Ledger } from "../../../mempool/ledger.ts";
import { type Account, PendingTransaction } from "../../../mempool/pending.ts";
import { Recorder } from "../../../scheduler/engine/recorder.ts";
import { Random } from "../../../scheduler/shared/random.ts";
import { Drive } from "./drafts.ts";

/** A ledger, one account, and what was said of its movements. */
class Bank {
  readonly ledger = new Ledger();
  readonly out = new Recorder();
  readonly #drive = new Drive();
  readonly alice: Account;
  #nonce = 0;

  constructor(depositGwei: number) {
    const account = this.#drive.pool.openAccount("alice");
    if (account === undefined) throw new Error("no account");
    this.alice = account;
    this.ledger.deposit(account, depositGwei, this.out);
  }

  /** A transaction whose escrow is not taken yet. */
  draft(escrowGwei: number): PendingTransaction {
    const tx = this.#drive.admit({ nonce: this.#nonce++ });
    return new PendingTransaction({ ...tx, ttlBlocks: 10, hash: `t${tx.nonce}`, escrowGwei }, this.alice, tx);
  }

  escrow(escrowGwei: number): PendingTransaction {
    const tx = this.draft(escrowGwei);
    this.ledger.escrow(tx, this.out);
    return tx;
  }

  movements() {
    return this.out.take().flatMap((command) => (command.kind === "moved" ? [command.movement] : []));
  }
}

describe("ledger (P5)", () => {
  it("moves money from deposit to escrow to node and back, and says each movement", () => {
    const bank = new Bank(100);
    const { ledger, alice, out } = bank;
    const tx = bank.escrow(60);
    ledger.pay(tx, 1, "node", 25, 7, out);
    ledger.refundRest(tx, 7, out);
    expect(bank.movements()).toEqual([
      { kind: "deposited", account: "alice", amountGwei: 100, txHash: "", callIndex: -1, height: -1 },
      { kind: "escrowed", account: "alice", amountGwei: 60, txHash: "t0", callIndex: -1, height: -1 },
      { kind: "paid", account: "node", amountGwei: 25, txHash: "t0", callIndex: 1, height: 7 },
      { kind: "refunded", account: "alice", amountGwei: 35, txHash: "t0", callIndex: -1, height: 7 },
    ]);
    expect([alice.depositGwei, tx.heldGwei]).toEqual([75, 0]);
    expect(ledger.snapshot()).toMatchObject({
      depositedGwei: 100,
      escrowedGwei: 60,
      heldGwei: 0,
      paidGwei: 25,
      refundedGwei: 35,
    });
  });

  it("takes a payment back into escrow, from which it is paid again or refunded", () => {
    const bank = new Bank(100);
    const { ledger, alice, out } = bank;
    const tx = bank.escrow(60);
    ledger.pay(tx, 0, "node", 25, 7, out);
    ledger.refundRest(tx, 7, out);
    ledger.unpay(tx, 0, "node", 25, 7, out);
    expect([alice.depositGwei, tx.heldGwei, ledger.paidGwei]).toEqual([75, 25, 0]);
    expect(bank.movements().at(-1)).toEqual({
      kind: "unpaid",
      account: "node",
      amountGwei: 25,
      txHash: "t0",
      callIndex: 0,
      height: 7,
    });
    ledger.refundRest(tx, -1, out);
    expect(alice.depositGwei).toBe(100);
  });

  it("refunds nothing twice", () => {
    const bank = new Bank(100);
    const tx = bank.escrow(60);
    bank.ledger.refundRest(tx, 1, bank.out);
    bank.movements();
    bank.ledger.refundRest(tx, 1, bank.out);
    expect(bank.movements()).toEqual([]);
    expect(bank.alice.depositGwei).toBe(100);
  });

  it("stops on an escrow beyond the deposit and on a payment beyond the escrow", () => {
    const bank = new Bank(100);
    const { ledger, out } = bank;
    expect(() => ledger.escrow(bank.draft(101), out)).toThrow("beyond the deposit");
    const [one] = [bank.escrow(60), bank.escrow(40)];
    expect(() => ledger.pay(one as PendingTransaction, 0, "node", 61, 1, out)).toThrow("beyond the escrow");
    expect([bank.alice.depositGwei, ledger.heldGwei]).toEqual([0, 100]);
  });

  it("adds up after any movements, account by account", () => {
    const bank = new Bank(1_000);
    const { ledger, alice, out } = bank;
    const random = new Random(4);
    const txs: PendingTransaction[] = [];
    const paid = new Map<PendingTransaction, number>();
    for (let step = 0; step < 150; step++) {
      const tx = txs[random.below(Math.max(1, txs.length))];
      const action = random.below(4);
      const amountGwei = random.below(50);
      if (action === 0 && amountGwei <= alice.depositGwei) txs.push(bank.escrow(amountGwei));
      else if (tx === undefined) continue;
      else if (action === 1 && amountGwei <= tx.heldGwei) {
        ledger.pay(tx, 0, "node", amountGwei, step, out);
        paid.set(tx, (paid.get(tx) ?? 0) + amountGwei);
      } else if (action === 2) {
        ledger.unpay(tx, 0, "node", paid.get(tx) ?? 0, step, out);
        paid.set(tx, 0);
      } else ledger.refundRest(tx, step, out);
      const held = txs.reduce((sum, { heldGwei }) => sum + heldGwei, 0);
      const nodes = [...paid.values()].reduce((sum, amount) => sum + amount, 0);
      expect([ledger.heldGwei, ledger.paidGwei]).toEqual([held, nodes]);
      expect(alice.depositGwei + held + nodes).toBe(1_000);
    }
    expect(new Set(bank.movements().map(({ kind }) => kind)).size).toBe(5);
  });

  it("goes on from a snapshot", () => {
    const bank = new Bank(100);
    const tx = bank.escrow(60);
    const restored = new Ledger();
    restored.restore(JSON.parse(JSON.stringify(bank.ledger.snapshot())));
    restored.pay(tx, 0, "node", 60, 1, bank.out);
    expect(restored.snapshot()).toMatchObject({ escrowedGwei: 60, heldGwei: 0, paidGwei: 60 });
  });
});
