import type { Movement } from "../../scheduler/engine/commands.ts";
import type { EngineEvent } from "../../scheduler/engine/events.ts";
import type { Books, TransactionRecord } from "./books.ts";
import type { Checker, Report } from "./checker.ts";

/** What became of one transaction's money. */
interface Held {
  amountGwei: number;
  /** What ought to be held while the transaction is pending or in a block: its escrow, less what a commit gave back for good. */
  dueGwei: number;
  /** Net payment by call index: who got how much. */
  readonly payments: Map<number, { readonly node: string; readonly amountGwei: number }>;
}

/**
 * P5: money adds up. Double-entry books of deposits and of what is held for each transaction: neither is ever negative, a
 * pending transaction's escrow is held whole, an ended one's is given back whole, a committed one's is paid and given back
 * whole, and each job is paid once on balance, to the winner and what was decided. What a commit gave back stays given back
 * after a reorg: then just the fees that were paid are held again.
 */
export function money(books: Books, report: Report): Checker {
  const deposits = new Map<string, number>();
  const helds = new Map<string, Held>();
  let current: EngineEvent | undefined;
  let touched = new Set<string>();

  function held(hash: string): Held {
    let entry = helds.get(hash);
    if (entry === undefined) {
      entry = { amountGwei: 0, dueGwei: 0, payments: new Map() };
      helds.set(hash, entry);
    }
    return entry;
  }

  function deposit(account: string, amountGwei: number): void {
    const balance = (deposits.get(account) ?? 0) + amountGwei;
    deposits.set(account, balance);
    if (balance < 0) report(`the deposit of ${account} fell to ${balance}`);
  }

  function hold(hash: string, amountGwei: number): void {
    const entry = held(hash);
    entry.amountGwei += amountGwei;
    touched.add(hash);
    if (entry.amountGwei < 0) report(`${entry.amountGwei} held for ${hash}`);
  }

  function moved(movement: Movement): void {
    const { kind, account, amountGwei, txHash, callIndex } = movement;
    if (!Number.isSafeInteger(amountGwei) || amountGwei < 0) report(`${kind} of ${amountGwei} gwei`);
    switch (kind) {
      case "deposited":
        if (current?.kind !== "deposited" || current.account !== account || current.amountGwei !== amountGwei) {
          report(`a deposit of ${amountGwei} that nobody made`);
        }
        return deposit(account, amountGwei);
      case "escrowed":
        held(txHash).dueGwei = amountGwei;
        deposit(account, -amountGwei);
        return hold(txHash, amountGwei);
      case "refunded":
        hold(txHash, -amountGwei);
        return deposit(account, amountGwei);
      case "paid":
        return paid(movement);
      case "unpaid": {
        const payment = held(txHash).payments.get(callIndex);
        if (payment?.node !== account || payment.amountGwei !== amountGwei)
          report(`${txHash}/${callIndex} unpaid without payment`);
        held(txHash).payments.delete(callIndex);
        if (current?.kind !== "block-reverted")
          report(`${txHash}/${callIndex} unpaid on ${current?.kind ?? "nothing"}`);
        return hold(txHash, amountGwei);
      }
    }
  }

  function paid({ account, amountGwei, txHash, callIndex, height }: Movement): void {
    const entry = held(txHash);
    if (entry.payments.has(callIndex)) report(`${txHash}/${callIndex} paid twice`);
    entry.payments.set(callIndex, { node: account, amountGwei });
    hold(txHash, -amountGwei);
    const record = books.transactions.get(txHash);
    const result = record?.results.get(callIndex);
    if (result === undefined) return report(`${txHash}/${callIndex} paid without a decision`);
    if (result.node !== account || result.feeGwei !== amountGwei)
      report(`${txHash}/${callIndex} paid otherwise than decided`);
    if (amountGwei > result.maxFeeGwei) report(`${txHash}/${callIndex} paid more than its maximum fee`);
    if (current?.kind !== "block-committed" || current.height !== height || record?.sealedHeight !== height) {
      report(`${txHash}/${callIndex} paid for block ${height} on ${current?.kind ?? "nothing"}`);
    }
  }

  function settled(record: TransactionRecord): void {
    const { amountGwei, dueGwei, payments } = held(record.hash);
    if (record.acceptedStep === books.step && dueGwei !== record.terms.escrowGwei && record.stage === "pending") {
      report(`${record.hash} accepted with ${dueGwei} of ${record.terms.escrowGwei} gwei in escrow`);
    }
    if (record.stage === "pending" || record.stage === "sealed") {
      if (amountGwei !== dueGwei) report(`${record.hash} is ${record.stage} with ${amountGwei} of ${dueGwei} held`);
    } else if (amountGwei !== 0) report(`${record.hash} is ${record.stage} with ${amountGwei} still held`);
    if (record.stage === "committed") {
      for (const index of record.calls.keys())
        if (!payments.has(index)) report(`${record.hash}/${index} committed without payment`);
    } else if (payments.size > 0) report(`${record.hash} is ${record.stage} and has paid`);
  }

  /** From the moment of a commit on, a reorg brings back the fees and nothing else. */
  function closed(height: number): void {
    for (const record of books.transactions.values()) {
      if (record.stage !== "committed" || record.sealedHeight !== height) continue;
      const entry = held(record.hash);
      entry.dueGwei = [...entry.payments.values()].reduce((sum, payment) => sum + payment.amountGwei, 0);
    }
  }

  return {
    promise: "P5",
    event(event) {
      current = event;
      touched = new Set();
    },
    command(command) {
      if (command.kind === "moved") moved(command.movement);
      else if (command.kind === "accepted" || command.kind === "notify") {
        touched.add(command.transaction.hash);
      } else if (command.kind === "sealed") for (const { hash } of command.block.transactions) touched.add(hash);
    },
    stepped(event) {
      if (event.kind === "block-committed" || event.kind === "block-reverted") {
        if (event.kind === "block-committed") closed(event.height);
        for (const record of books.transactions.values()) settled(record);
        return;
      }
      for (const hash of touched) {
        const record = books.transactions.get(hash);
        if (record !== undefined) settled(record);
        else if (held(hash).amountGwei !== 0)
          report(`${held(hash).amountGwei} held for ${hash}, which was never accepted`);
      }
    },
    ended() {
      for (const record of books.transactions.values()) settled(record);
      for (const [hash, { amountGwei }] of helds)
        if (amountGwei !== 0) report(`${amountGwei} held for ${hash} at the end`);
    },
  };
}
