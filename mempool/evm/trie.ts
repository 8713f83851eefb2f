import { RLP } from "@ethereumjs/rlp";
import { keccak256 } from "./keccak.ts";
import type { RlpItem } from "./rlp.ts";

/**
 * Ethereum's Merkle Patricia trie, in memory and immutable: a change gives another trie that shares all but the changed path, so
 * that going back is having kept the old one, and what nobody keeps is collected. Hashes are computed when a root is asked for,
 * and kept with their nodes. No key may be the beginning of another, which holds for hashes and for the numbers of a block's list.
 */
export class Trie<V> {
  readonly #root: Node<V> | undefined;
  /** The bytes of a value in its leaf. */
  readonly #encode: (value: V) => Uint8Array;
  #hash: Uint8Array | undefined;

  private constructor(root: Node<V> | undefined, encode: (value: V) => Uint8Array) {
    this.#root = root;
    this.#encode = encode;
  }

  static empty<V>(encode: (value: V) => Uint8Array): Trie<V> {
    return new Trie(undefined, encode);
  }

  get isEmpty(): boolean {
    return this.#root === undefined;
  }

  get(key: Uint8Array): V | undefined {
    let node = this.#root;
    let depth = 0;
    while (node !== undefined) {
      if (node.kind === "leaf") return sameFrom(node.key, key, depth) ? node.value : undefined;
      if (node.kind === "branch") node = node.children[nibble(key, depth++)];
      else {
        for (; depth < node.to; depth++) if (nibble(node.key, depth) !== nibble(key, depth)) return undefined;
        node = node.child;
      }
    }
    return undefined;
  }

  with(key: Uint8Array, value: V): Trie<V> {
    return new Trie(insert(this.#root, { key, value }, 0), this.#encode);
  }

  without(key: Uint8Array): Trie<V> {
    const root = this.#root && remove(this.#root, key, 0);
    return root === this.#root ? this : new Trie(root, this.#encode);
  }

  /** 32 bytes. */
  get rootHash(): Uint8Array {
    this.#hash ??= keccak256(RLP.encode(this.#root === undefined ? NOTHING : partsOf(this.#root, this.#encode)));
    return this.#hash;
  }

  /** Keys and values, in the order of the keys. */
  *entries(): Generator<readonly [Uint8Array, V]> {
    if (this.#root !== undefined) yield* leavesOf(this.#root);
  }
}

/** A key's nibbles from `from` on are the leaf's path. `ref` is how its parent names it: its hash, or all of it where that is shorter. */
interface Leaf<V> {
  readonly kind: "leaf";
  readonly key: Uint8Array;
  readonly from: number;
  readonly value: V;
  ref: RlpItem | undefined;
}

/** The nibbles from `from` to `to` of any key below are its path. */
interface Extension<V> {
  readonly kind: "extension";
  readonly key: Uint8Array;
  readonly from: number;
  readonly to: number;
  readonly child: Node<V>;
  ref: RlpItem | undefined;
}

interface Branch<V> {
  readonly kind: "branch";
  readonly children: readonly (Node<V> | undefined)[];
  ref: RlpItem | undefined;
}

type Node<V> = Leaf<V> | Extension<V> | Branch<V>;

function leaf<V>(key: Uint8Array, from: number, value: V): Leaf<V> {
  return { kind: "leaf", key, from, value, ref: undefined };
}

/** The child with the path before it, which it takes into its own where it has one. */
function extended<V>(key: Uint8Array, from: number, to: number, child: Node<V>): Node<V> {
  if (child.kind === "leaf") return child.from === from ? child : leaf(child.key, from, child.value);
  if (child.kind === "extension") return extended(child.key, from, child.to, child.child);
  return from === to ? child : { kind: "extension", key, from, to, child, ref: undefined };
}

function branch<V>(children: readonly (Node<V> | undefined)[]): Branch<V> {
  return { kind: "branch", children, ref: undefined };
}

function nibble(key: Uint8Array, index: number): number {
  const byte = key[index >> 1] ?? 0;
  return (index & 1) === 0 ? byte >> 4 : byte & 15;
}

function sameFrom(one: Uint8Array, other: Uint8Array, from: number): boolean {
  if (one.length !== other.length) return false;
  // Bytes before are known to be equal, and comparing half of one again does no harm.
  for (let i = from >> 1; i < one.length; i++) if (one[i] !== other[i]) return false;
  return true;
}

interface Entry<V> {
  readonly key: Uint8Array;
  readonly value: V;
}

function insert<V>(node: Node<V> | undefined, entry: Entry<V>, depth: number): Node<V> {
  const { key, value } = entry;
  if (node === undefined) return leaf(key, depth, value);
  if (node.kind === "branch") {
    const children = [...node.children];
    const slot = nibble(key, depth);
    children[slot] = insert(children[slot], entry, depth + 1);
    return branch(children);
  }
  if (node.kind === "leaf" && sameFrom(node.key, key, depth)) return leaf(key, depth, value);
  const end = node.kind === "leaf" ? key.length * 2 : node.to;
  let fork = depth;
  while (fork < end && nibble(node.key, fork) === nibble(key, fork)) fork++;
  if (node.kind === "extension" && fork === end) {
    return { ...node, child: insert(node.child, entry, end), ref: undefined };
  }
  const children = new Array<Node<V> | undefined>(16).fill(undefined);
  const rest = node.kind === "leaf" ? node : node.child;
  children[nibble(node.key, fork)] = extended(node.key, fork + 1, end, rest);
  children[nibble(key, fork)] = leaf(key, fork + 1, value);
  return extended(key, depth, fork, branch(children));
}

function remove<V>(node: Node<V>, key: Uint8Array, depth: number): Node<V> | undefined {
  if (node.kind === "leaf") return sameFrom(node.key, key, depth) ? undefined : node;
  if (node.kind === "extension") {
    for (let i = depth; i < node.to; i++) if (nibble(node.key, i) !== nibble(key, i)) return node;
    const child = remove(node.child, key, node.to);
    if (child === node.child || child === undefined) return child && node;
    return extended(node.key, node.from, node.to, child);
  }
  const slot = nibble(key, depth);
  const old = node.children[slot];
  const child = old && remove(old, key, depth + 1);
  if (child === old) return node;
  const children = [...node.children];
  children[slot] = child;
  const left = children.filter((other) => other !== undefined);
  const [only] = left;
  return left.length === 1 && only !== undefined ? extended(keyBelow(only), depth, depth + 1, only) : branch(children);
}

function keyBelow<V>(node: Node<V>): Uint8Array {
  let below: Node<V> | undefined = node;
  while (below !== undefined && below.kind === "branch") below = below.children.find((child) => child !== undefined);
  return below === undefined ? new Uint8Array(0) : below.key;
}

function* leavesOf<V>(node: Node<V>): Generator<readonly [Uint8Array, V]> {
  if (node.kind === "leaf") yield [node.key, node.value];
  else if (node.kind === "extension") yield* leavesOf(node.child);
  else for (const child of node.children) if (child !== undefined) yield* leavesOf(child);
}

// ── hashes ───────────────────────────────────────────────────────────────────────────────────────────────────────────

const NOTHING = new Uint8Array(0);

/** What a node consists of, before it is encoded. */
function partsOf<V>(node: Node<V>, encode: (value: V) => Uint8Array): RlpItem[] {
  if (node.kind === "leaf") return [packed(node.key, node.from, node.key.length * 2, 0x20), encode(node.value)];
  if (node.kind === "extension") return [packed(node.key, node.from, node.to, 0), refOf(node.child, encode)];
  const parts = node.children.map((child) => (child === undefined ? NOTHING : refOf(child, encode)));
  parts.push(NOTHING);
  return parts;
}

function refOf<V>(node: Node<V>, encode: (value: V) => Uint8Array): RlpItem {
  if (node.ref === undefined) {
    const parts = partsOf(node, encode);
    const encoded = RLP.encode(parts);
    node.ref = encoded.length < 32 ? parts : keccak256(encoded);
  }
  return node.ref;
}

/** Nibbles as bytes, with a flag for leaves and for an odd number in front. */
function packed(key: Uint8Array, from: number, to: number, flag: number): Uint8Array {
  const odd = (to - from) & 1;
  const bytes = new Uint8Array(1 + ((to - from) >> 1));
  bytes[0] = flag | (odd === 1 ? 0x10 | nibble(key, from) : 0);
  for (let at = from + odd, place = 1; at < to; at += 2, place++)
    bytes[place] = (nibble(key, at) << 4) | nibble(key, at + 1);
  return bytes;
}
