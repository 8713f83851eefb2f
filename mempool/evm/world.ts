import { RLP } from "@ethereumjs/rlp";
import { assert } from "../../scheduler/shared/assert.ts";
import { HashMemory, keccak256 } from "./keccak.ts";
import { Trie } from "./trie.ts";

/** A contract's code and its hash; the same object for as long as the code is the same. */
export interface Code {
  readonly bytes: Uint8Array;
  /** Keccak-256, 32 bytes. */
  readonly hash: Uint8Array;
}

/** Slots of one contract: by the slot's hash its value, without leading zeros, never empty. */
export type Storage = Trie<Uint8Array>;

export interface WorldAccount {
  readonly nonce: bigint;
  readonly balance: bigint;
  readonly code: Code;
  readonly storage: Storage;
}

/** What one account is after a block. `storage` are pairs of slot and value, both hexadecimal without prefix, 64 digits the slot. */
export interface AccountChange {
  /** "0x" and 40 hexadecimal digits. */
  readonly address: string;
  /** The account is gone; the rest says nothing. */
  readonly gone: boolean;
  readonly nonce: bigint;
  readonly balance: bigint;
  /** New code; missing when it is that of before. */
  readonly code?: Uint8Array;
  /** Whether all slots of before are gone. */
  readonly cleared: boolean;
  /** An empty value deletes the slot. */
  readonly storage: readonly (readonly [slot: string, value: string])[];
}

/** How one state follows from another: plain data that another thread can be sent. */
export type StateDiff = readonly AccountChange[];

export const NO_CODE: Code = { bytes: new Uint8Array(0), hash: keccak256(new Uint8Array(0)) };
export const NO_STORAGE: Storage = Trie.empty((value) => RLP.encode(value));

const hashes = new HashMemory();

/** The state after some block: immutable, with Ethereum's root. */
export class World {
  static readonly EMPTY = new World(Trie.empty(encodeAccount));
  readonly #accounts: Trie<WorldAccount>;

  private constructor(accounts: Trie<WorldAccount>) {
    this.#accounts = accounts;
  }

  /** 32 bytes. Costs a hash for every part of the state that is new since a root was last asked for. */
  get root(): Uint8Array {
    return this.#accounts.rootHash;
  }

  /** Of 40 hexadecimal digits without prefix. */
  account(address: string): WorldAccount | undefined {
    return this.#accounts.get(hashes.of(address));
  }

  with(diff: StateDiff): World {
    let accounts = this.#accounts;
    for (const change of diff) {
      const key = hashes.of(change.address.slice(2));
      accounts = change.gone ? accounts.without(key) : accounts.with(key, changed(accounts.get(key), change));
    }
    return new World(accounts);
  }
}

/** The value of a slot of 64 hexadecimal digits, without leading zeros; empty for none. */
export function slotValue(storage: Storage, slot: string): Uint8Array {
  return storage.get(hashes.of(slot)) ?? NO_CODE.bytes;
}

export function codeOf(bytes: Uint8Array): Code {
  return bytes.length === 0 ? NO_CODE : { bytes, hash: keccak256(bytes) };
}

function changed(old: WorldAccount | undefined, change: AccountChange): WorldAccount {
  const { nonce, balance, code } = change;
  let storage = change.cleared ? NO_STORAGE : (old?.storage ?? NO_STORAGE);
  for (const [slot, value] of change.storage) {
    const key = hashes.of(slot);
    storage = value === "" ? storage.without(key) : storage.with(key, new Uint8Array(Buffer.from(value, "hex")));
  }
  return { nonce, balance, storage, code: code === undefined ? (old?.code ?? NO_CODE) : codeOf(code) };
}

function encodeAccount({ nonce, balance, storage, code }: WorldAccount): Uint8Array {
  assert(nonce >= 0n && balance >= 0n, "an account's numbers are not negative");
  return RLP.encode([nonce, balance, storage.rootHash, code.hash]);
}
