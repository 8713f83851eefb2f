import type { CallResult, Movement } from "../../scheduler/engine/commands.ts";
import type { EngineEvent } from "../../scheduler/engine/events.ts";
import type { Books, TransactionRecord } from "./books.ts";
import type { Agreement, Checker, Report } from "./checker.ts";

/** What became of one transaction's money. */
interface Held {
  amountGwei: number;
  /** What ought to be held, or be paid out of it: the escrow, after a commit the fees that it then knew, less fees given back. */
  dueGwei: number;
  /** Net payments by call index, then by node. */
  readonly payments: Map<number, Map<string, number>>;
  /** Calls whose fee was given back since the result was decided, and which copy had won them. */
  readonly givenBack: Map<number, number>;
}

/**
 * P5: money adds up. Double-entry books of deposits and of what is held for each transaction: neither is ever negative, a
 * pending transaction's escrow is held whole, an ended one's is given back whole. A commit pays each job once on balance, to
 * the winner and those who helped it, what was decided; in mode `optimistic` the fee is held until nobody can challenge the
 * result any more, and then paid, or given back when a challenge says so. What was given back stays so after a reorg.
 */
export function money(books: Books, agreement: Agreement, report: Report): Checker {
  const deposits = new Map<string, number>();
  const helds = new Map<string, Held>();
  let current: EngineEvent | undefined;
  let touched = new Set<string>();

  function held(hash: string): Held {
    let entry = helds.get(hash);
    if (entry === undefined) {
      entry = { amountGwei: 0, dueGwei: 0, payments: new Map(), givenBack: new Map() };
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
        if (callIndex >= 0) gaveBack(txHash, callIndex, amountGwei);
        hold(txHash, -amountGwei);
        return deposit(account, amountGwei);
      case "compensated":
        return deposit(account, amountGwei);
      case "paid":
        return paid(movement);
      case "unpaid":
        return unpaid(movement);
      default:
        return;
    }
  }

  /** Of the block that is being built, or will be next. */
  function height(): number {
    return books.openSealed ? books.openHeight + 1 : books.openHeight;
  }

  function paid({ account, amountGwei, txHash, callIndex, height: block }: Movement): void {
    const entry = held(txHash);
    const job = `${txHash}/${callIndex}`;
    const payments = entry.payments.get(callIndex) ?? new Map<string, number>();
    entry.payments.set(callIndex, payments);
    if (payments.has(account)) report(`${job} paid twice`);
    payments.set(account, amountGwei);
    hold(txHash, -amountGwei);
    const record = books.transactions.get(txHash);
    const result = record?.results.get(callIndex);
    if (record === undefined || result === undefined) return report(`${job} paid without a decision`);
    const due = [result, ...result.supporters].find(({ node }) => node === account);
    if (due?.feeGwei !== amountGwei) report(`${job} paid otherwise than decided`);
    if (feesOf(result) > result.maxFeeGwei) report(`${job} paid more than its maximum fee`);
    if (entry.givenBack.get(callIndex) === result.copy) report(`${job} paid although its fee was given back`);
    if (result.mode === "optimistic") {
      const open = record.sealedHeight + agreement.challengeBlocks;
      if (height() <= open) report(`${job} paid at ${height()}, while it can be challenged up to ${open}`);
    } else if (current?.kind !== "block-committed" || current.height !== block || record.sealedHeight !== block) {
      report(`${job} paid for block ${block} on ${current?.kind ?? "nothing"}`);
    }
  }

  function unpaid({ account, amountGwei, txHash, callIndex }: Movement): void {
    const payments = held(txHash).payments.get(callIndex);
    if (payments?.get(account) !== amountGwei) report(`${txHash}/${callIndex} unpaid without payment`);
    payments?.delete(account);
    if (current?.kind !== "block-reverted") report(`${txHash}/${callIndex} unpaid on ${current?.kind ?? "nothing"}`);
    hold(txHash, amountGwei);
  }

  /** A challenge left the fee with its sender. That there was one is the outcome's to show. */
  function gaveBack(txHash: string, callIndex: number, amountGwei: number): void {
    const result = books.transactions.get(txHash)?.results.get(callIndex);
    if (result?.mode !== "optimistic" || feesOf(result) !== amountGwei)
      report(`${amountGwei} of ${txHash}/${callIndex} given back`);
    const entry = held(txHash);
    entry.dueGwei -= amountGwei;
    if (result !== undefined) entry.givenBack.set(callIndex, result.copy);
  }

  function paidFor(entry: Held): number {
    let sumGwei = 0;
    for (const payments of entry.payments.values()) for (const amountGwei of payments.values()) sumGwei += amountGwei;
    return sumGwei;
  }

  function settled(record: TransactionRecord): void {
    const entry = held(record.hash);
    const { amountGwei, dueGwei } = entry;
    const { stage } = record;
    if (record.acceptedStep === books.step && dueGwei !== record.terms.escrowGwei && stage === "pending") {
      report(`${record.hash} accepted with ${dueGwei} of ${record.terms.escrowGwei} gwei in escrow`);
    }
    const wantedGwei = stage === "ended" ? 0 : stage === "committed" ? dueGwei - paidFor(entry) : dueGwei;
    if (amountGwei !== wantedGwei) report(`${record.hash} is ${stage} with ${amountGwei} of ${wantedGwei} held`);
    if (stage !== "committed") {
      if (paidFor(entry) > 0) report(`${record.hash} is ${stage} and has paid`);
      return;
    }
    // Windows are closed by the opening of a block, or by a commit that comes later still.
    const closed = books.openHeight > record.sealedHeight + 2 * agreement.challengeBlocks;
    for (const index of record.calls.keys()) {
      const result = record.results.get(index);
      if (result === undefined || entry.givenBack.get(index) === result.copy) continue;
      const due = closed || result.mode !== "optimistic";
      const payees = entry.payments.get(index)?.size ?? 0;
      if (payees !== (due ? 1 + result.supporters.length : payees === 0 ? 0 : 1 + result.supporters.length))
        report(`${record.hash}/${index} committed with ${payees} payments`);
    }
  }

  /** From the moment of a commit on, only the fees are due. */
  function committed(height: number): void {
    for (const record of books.transactions.values()) {
      if (record.stage !== "committed" || record.sealedHeight !== height) continue;
      const entry = held(record.hash);
      entry.dueGwei = 0;
      for (const index of record.calls.keys()) {
        const result = record.results.get(index);
        if (result !== undefined && entry.givenBack.get(index) !== result.copy) entry.dueGwei += feesOf(result);
      }
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
      else if (command.kind === "committed") committed(command.height);
      else if (command.kind === "accepted" || command.kind === "notify") {
        touched.add(command.transaction.hash);
      } else if (command.kind === "sealed") for (const { hash } of command.block.transactions) touched.add(hash);
    },
    stepped(event) {
      if (event.kind === "block-committed" || event.kind === "block-reverted") {
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

function feesOf(result: CallResult): number {
  return result.supporters.reduce((sum, { feeGwei }) => sum + feeGwei, result.feeGwei);
}
