import {
  NEVER,
  type CallTerms,
  type Lane,
  type RefundReason,
  type SlowReason,
  type TransactionState,
  type TransactionTerms,
} from "../scheduler/shared/vocabulary.ts";
import type { CallResult, CallView, TransactionView } from "../scheduler/engine/commands.ts";

/** No race. */
export const NONE = -1;

/** A call of a pending transaction: raced, or with its result. */
export class CallSlot implements CallView {
  readonly terms: CallTerms;
  /** What the call may cost at most; less than the terms say after a reorg of its commit. */
  capGwei: number;
  result: CallResult | undefined = undefined;
  race = NONE;
  /** Operator and equivalence label of the winner: whoever is asked to check it must have another one, and the same. */
  operator = "";
  label = "";
  /** What of the winner's bond its result holds. */
  bondGwei = 0;
  /** The race that challenges its result, and whether there was one since it was sealed. */
  challenge = NONE;
  challenged = false;
  /** Since its block was committed: nothing more will happen to its fee, which was `paid`, or else given back. */
  settled = false;
  paid = false;

  constructor(terms: CallTerms) {
    this.terms = terms;
    this.capGwei = terms.maxFeeGwei;
  }
}

/** A sender's deposit, next nonce, and the transactions that wait behind it. */
export class Account {
  readonly id: string;
  depositGwei = 0;
  nextNonce = 0;
  /** By nonce − nextNonce; `undefined` where a transaction left a hole. */
  readonly queue: (PendingTransaction | undefined)[] = [];
  /** Transactions in the queue that are not holes. */
  pending = 0;
  /** The chain keeps the nonces: a hole is a transaction of somebody else's pool, and does not hold up those behind it. */
  byChain = false;
  /** No nonce below this is free, as far as the blocks tell that a reorg may take back. */
  floor = 0;

  constructor(id: string) {
    this.id = id;
  }
}

/** An admitted transaction until it is final or gone. */
export class PendingTransaction implements TransactionView {
  readonly id: number;
  readonly hash: string;
  readonly account: Account;
  readonly nonce: number;
  readonly gasPriceGwei: number;
  readonly seq: number;
  readonly admittedUs: number;
  readonly admittedHeight: number;
  readonly expiryHeight: number;
  readonly escrowGwei: number;
  /** What of the escrow is neither paid nor refunded. */
  heldGwei = 0;
  state: TransactionState = "discovering";
  lane: Lane = "fast";
  slowReason: SlowReason | undefined = undefined;
  refundReason: RefundReason | undefined = undefined;
  round = 0;
  /** Pre-executions since it was last ready: bounds a fixpoint that is never reached. */
  turns = 0;
  calls: CallSlot[] = NO_CALLS;
  /** Calls without a result. */
  missing = 0;
  /** Number of the state's latest change when the pre-execution under way was asked for. */
  changeAtRun = 0;
  readSet: readonly string[] = NO_KEYS;
  /** Whether it stands in the heap of sealable transactions. */
  inSealable = false;
  sealedHeight = NEVER;
  finalHeight = NEVER;

  constructor(
    terms: Omit<TransactionTerms, "sender" | "calls">,
    account: Account,
    origin: { readonly id: number; readonly seq: number; readonly admittedUs: number; readonly admittedHeight: number },
  ) {
    this.id = origin.id;
    this.hash = terms.hash;
    this.account = account;
    this.nonce = terms.nonce;
    this.gasPriceGwei = terms.gasPriceGwei;
    this.seq = origin.seq;
    this.admittedUs = origin.admittedUs;
    this.admittedHeight = origin.admittedHeight;
    this.expiryHeight = origin.admittedHeight + terms.ttlBlocks - 1;
    this.escrowGwei = terms.escrowGwei;
  }

  get sender(): string {
    return this.account.id;
  }

  /** As an entry of the ordering log is about it: the whole transaction, in no queue. */
  get tx(): this {
    return this;
  }
  get callIndex(): number {
    return -1;
  }
  get queue(): string {
    return "";
  }
}

/** Replaced, never written to. */
const NO_CALLS: CallSlot[] = [];
const NO_KEYS: readonly string[] = [];
