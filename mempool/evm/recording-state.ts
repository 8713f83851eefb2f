import type { AccountFields, StateManagerInterface } from "@ethereumjs/common";
import { Account, type Address, equalsBytes } from "@ethereumjs/util";
import { assert } from "../../scheduler/shared/assert.ts";
import {
  type AccountChange,
  type Code,
  codeOf,
  NO_CODE,
  NO_STORAGE,
  slotValue,
  type StateDiff,
  type World,
} from "./world.ts";

/** An account as a run has it; its storage is kept apart. */
interface Held {
  readonly nonce: bigint;
  readonly balance: bigint;
  readonly code: Code;
}

/** Where a run was: see `rewind`. */
export interface Mark {
  readonly undone: number;
  readonly open: number;
}

/**
 * What transactions do to a world that stays as it is: the changes on top of it, each with the way back, and the keys of what was
 * read. It is the state that the machine runs on. A checkpoint is a place in the list of ways back, so that a run that ended in
 * its middle is undone by walking back to where it began, however many checkpoints it left open.
 *
 * Read keys: "a:<address>" for balance, nonce and code of an account, "s:<address>:<slot>" for a slot, without prefix "0x" before
 * the slot's 64 digits. Over-inclusive, never less than what a contract can have seen.
 */
export class RecordingState implements StateManagerInterface {
  #world: World;
  /** `undefined`: there is none. */
  readonly #accounts = new Map<string, Held | undefined>();
  readonly #slots = new Map<string, Map<string, Uint8Array>>();
  /** Accounts whose slots in the world are gone. */
  readonly #cleared = new Set<string>();
  readonly #undo: (() => void)[] = [];
  readonly #open: number[] = [];
  /** Values that slots had before the transaction, of those that it wrote. */
  #originals = new Map<string, Uint8Array>();
  #reads: Set<string> | undefined;
  /** The sender, at whose account the machine itself looks once before the first instruction. */
  #payer: string | undefined;
  #looked = false;
  #disguised: string | undefined;

  /** Called with each frame that begins; may throw to end the run. */
  onCheckpoint: () => void = () => undefined;

  readonly originalStorageCache = {
    get: async (address: Address, key: Uint8Array): Promise<Uint8Array> => {
      const [account, slot] = [hexOf(address.bytes), hexOf(key)];
      return this.#originals.get(account + slot) ?? this.#value(account, slot);
    },
    clear: (): void => {
      if (this.#originals.size > 0) this.#originals = new Map();
    },
  };

  constructor(world: World) {
    this.#world = world;
  }

  /** Forgets all changes, and stands on this world. */
  reset(world: World): void {
    this.#world = world;
    this.#accounts.clear();
    this.#slots.clear();
    this.#cleared.clear();
    this.#undo.length = 0;
    this.#open.length = 0;
    this.#originals = new Map();
    this.#reads = undefined;
    this.#disguised = undefined;
  }

  mark(): Mark {
    return { undone: this.#undo.length, open: this.#open.length };
  }

  /** Undoes everything since, with the checkpoints that are still open. */
  rewind({ undone, open }: Mark): void {
    this.#undoTo(undone);
    this.#open.length = open;
    this.#originals = new Map();
  }

  /** Forgets the ways back, which nobody will take once a transaction is in its block. */
  settle(): void {
    assert(this.#open.length === 0, "a transaction left checkpoints open");
    this.#undo.length = 0;
  }

  /** From now on notes what is read within a message; `payer` is the sender's address, 40 digits. */
  record(payer: string): void {
    this.#reads = new Set();
    this.#payer = payer;
    this.#looked = false;
  }

  /** Lets a contract be the sender of a call that is tried: outside of messages its code is not seen. */
  disguise(sender: string): void {
    this.#disguised = sender;
  }

  /** Notes a key, such as a field of the block, if a message is under way. */
  note(key: string): void {
    if (this.#inMessage) this.#reads?.add(key);
  }

  takeReads(): string[] {
    const reads = [...(this.#reads ?? [])];
    this.#reads = undefined;
    return reads;
  }

  /** What fees, nonce and the end of a transaction need is read at lower depths than what contracts see. */
  get #inMessage(): boolean {
    return this.#open.length >= MESSAGE_DEPTH;
  }

  /** An account as it stands, without noting that somebody looked; of "0x" and 40 digits. */
  held(address: string): Held | undefined {
    return this.#account(address.slice(2));
  }

  /** Gives an account another nonce. */
  setNonce(address: string, nonce: bigint): void {
    const { balance, code } = this.held(address) ?? NOBODY;
    this.#put(address.slice(2), { nonce, balance, code });
  }

  // ── accounts ─────────────────────────────────────────────────────────────────────────────────────────────────────

  async getAccount(address: Address): Promise<Account | undefined> {
    const key = hexOf(address.bytes);
    if (this.#reads !== undefined) this.#noteAccount(key);
    const held = this.#account(key);
    if (held === undefined) return undefined;
    const { hash } = key === this.#disguised && !this.#inMessage ? NO_CODE : held.code;
    return new Account(held.nonce, held.balance, this.#storageRoot(key), hash);
  }

  async putAccount(address: Address, account: Account | undefined): Promise<void> {
    const key = hexOf(address.bytes);
    if (account === undefined) return this.deleteAccount(address);
    const held = this.#account(key);
    let code = held?.code ?? NO_CODE;
    if (!equalsBytes(code.hash, account.codeHash) && key !== this.#disguised) {
      // Codes are put by putCode, which names them; without it an account can only lose its own.
      assert(equalsBytes(NO_CODE.hash, account.codeHash), "the code of an account's hash is not known");
      code = NO_CODE;
    }
    this.#put(key, { nonce: account.nonce, balance: account.balance, code });
  }

  async deleteAccount(address: Address): Promise<void> {
    const key = hexOf(address.bytes);
    this.#put(key, undefined);
    this.#clear(key);
  }

  async modifyAccountFields(address: Address, fields: AccountFields): Promise<void> {
    const account = (await this.getAccount(address)) ?? new Account();
    account.nonce = fields.nonce ?? account.nonce;
    account.balance = fields.balance ?? account.balance;
    account.codeHash = fields.codeHash ?? account.codeHash;
    await this.putAccount(address, account);
  }

  async putCode(address: Address, value: Uint8Array): Promise<void> {
    const key = hexOf(address.bytes);
    const { nonce, balance } = this.#account(key) ?? NOBODY;
    this.#put(key, { nonce, balance, code: codeOf(value) });
  }

  async getCode(address: Address): Promise<Uint8Array> {
    const key = hexOf(address.bytes);
    if (this.#reads !== undefined) this.#noteAccount(key);
    return this.#account(key)?.code.bytes ?? NO_CODE.bytes;
  }

  async getCodeSize(address: Address): Promise<number> {
    return (await this.getCode(address)).length;
  }

  // ── slots ────────────────────────────────────────────────────────────────────────────────────────────────────────

  async getStorage(address: Address, slot: Uint8Array): Promise<Uint8Array> {
    const [account, place] = [hexOf(address.bytes), hexOf(slot)];
    this.note(`s:0x${account}:${place}`);
    return this.#value(account, place);
  }

  async putStorage(address: Address, slot: Uint8Array, value: Uint8Array): Promise<void> {
    const [account, place] = [hexOf(address.bytes), hexOf(slot)];
    const old = this.#value(account, place);
    const original = account + place;
    if (!this.#originals.has(original)) this.#originals.set(original, old);
    let slots = this.#slots.get(account);
    if (slots === undefined) {
      slots = new Map();
      this.#slots.set(account, slots);
    }
    const put = slots;
    const held = put.get(place);
    this.#undo.push(() => (held === undefined ? put.delete(place) : put.set(place, held)));
    put.set(place, withoutZeros(value));
  }

  async clearStorage(address: Address): Promise<void> {
    this.#clear(hexOf(address.bytes));
  }

  // ── checkpoints ──────────────────────────────────────────────────────────────────────────────────────────────────

  async checkpoint(): Promise<void> {
    this.onCheckpoint();
    this.#open.push(this.#undo.length);
  }

  async commit(): Promise<void> {
    assert(this.#open.pop() !== undefined, "a checkpoint is committed that is not open");
  }

  async revert(): Promise<void> {
    const from = this.#open.pop();
    assert(from !== undefined, "a checkpoint is reverted that is not open");
    this.#undoTo(from);
  }

  async getStateRoot(): Promise<Uint8Array> {
    return this.#world.with(this.diff()).root;
  }

  async setStateRoot(): Promise<void> {
    assert(false, "a run does not choose its state");
  }

  async hasStateRoot(root: Uint8Array): Promise<boolean> {
    return equalsBytes(root, this.#world.root);
  }

  clearCaches(): void {
    // Nothing is cached: what is held are changes.
  }

  shallowCopy(): RecordingState {
    return new RecordingState(this.#world.with(this.diff()));
  }

  // ── the way out ──────────────────────────────────────────────────────────────────────────────────────────────────

  /** What is other than in the world, accounts and slots in the order in which they were first written. */
  diff(): StateDiff {
    const touched = new Set([...this.#accounts.keys(), ...this.#slots.keys(), ...this.#cleared]);
    return [...touched].flatMap((key) => this.#change(key) ?? []);
  }

  #change(key: string): AccountChange | undefined {
    const old = this.#world.account(key);
    const now = this.#account(key);
    const address = `0x${key}`;
    if (now === undefined) {
      const gone = { address, gone: true, nonce: 0n, balance: 0n, cleared: true, storage: [] };
      return old === undefined ? undefined : gone;
    }
    const { nonce, balance, code } = now;
    const cleared = this.#cleared.has(key) && old !== undefined && !old.storage.isEmpty;
    const before = cleared ? NO_STORAGE : (old?.storage ?? NO_STORAGE);
    const storage: [string, string][] = [];
    for (const [slot, value] of this.#slots.get(key) ?? [])
      if (!equalsBytes(value, slotValue(before, slot))) storage.push([slot, hexOf(value)]);
    const newCode = equalsBytes(code.hash, (old?.code ?? NO_CODE).hash) ? undefined : code.bytes;
    const unchanged = old !== undefined && old.nonce === nonce && old.balance === balance && newCode === undefined;
    if (unchanged && storage.length === 0 && !cleared) return undefined;
    const change = { address, gone: false, nonce, balance, cleared, storage };
    return newCode === undefined ? change : { ...change, code: newCode };
  }

  // ── within ───────────────────────────────────────────────────────────────────────────────────────────────────────

  #noteAccount(key: string): void {
    const depth = this.#open.length;
    if (depth < MESSAGE_DEPTH - 1) return;
    if (key === this.#payer) {
      const own = !this.#looked;
      this.#looked ||= depth === MESSAGE_DEPTH;
      // The message's own look at who sends it, before the first instruction; and those of delegations, which a sender signs.
      if (own) return;
      // What the sender has left, now that its gas is paid for, follows from the price too.
      this.#reads?.add("b:baseFeePerGas");
    }
    this.#reads?.add(`a:0x${key}`);
  }

  #account(key: string): Held | undefined {
    return this.#accounts.has(key) ? this.#accounts.get(key) : this.#world.account(key);
  }

  #put(key: string, held: Held | undefined): void {
    const had = this.#accounts.has(key);
    const old = this.#accounts.get(key);
    this.#undo.push(() => (had ? this.#accounts.set(key, old) : this.#accounts.delete(key)));
    this.#accounts.set(key, held);
  }

  #value(account: string, slot: string): Uint8Array {
    const held = this.#slots.get(account)?.get(slot);
    if (held !== undefined) return held;
    if (this.#cleared.has(account)) return NO_CODE.bytes;
    const storage = this.#world.account(account)?.storage;
    return storage === undefined ? NO_CODE.bytes : slotValue(storage, slot);
  }

  #clear(key: string): void {
    const slots = this.#slots.get(key);
    const had = this.#cleared.has(key);
    this.#undo.push(() => {
      if (slots !== undefined) this.#slots.set(key, slots);
      else this.#slots.delete(key);
      if (!had) this.#cleared.delete(key);
    });
    this.#slots.delete(key);
    this.#cleared.add(key);
  }

  /** Of the world: what a run writes beside it makes no contract, as the machine asks it, any emptier. */
  #storageRoot(key: string): Uint8Array {
    const storage = this.#cleared.has(key) ? NO_STORAGE : this.#world.account(key)?.storage;
    return (storage ?? NO_STORAGE).rootHash;
  }

  #undoTo(length: number): void {
    while (this.#undo.length > length) this.#undo.pop()?.();
  }
}

/** A transaction opens a checkpoint, one for its delegations, and one for its message. */
const MESSAGE_DEPTH = 3;

const NOBODY: Held = { nonce: 0n, balance: 0n, code: NO_CODE };

export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
}

function withoutZeros(value: Uint8Array): Uint8Array {
  let start = 0;
  while (start < value.length && value[start] === 0) start++;
  return start === 0 ? value : value.slice(start);
}
