import { ID_PATTERN } from "../proofs/wire-limits.ts";

/**
 * The subjects of the public protocol, version 1 (docs/PROTOCOL.md). A node's part of them is two wildcards, so that a broker
 * can be told in two lines what a node may say and hear.
 */

/** What a node publishes: how it joins, and frames of what it says in its session. */
const UP_KINDS = ["join", "sealed"] as const;
export type UpKind = (typeof UP_KINDS)[number];
/** What is published for one node. */
const DOWN_KINDS = ["sealed"] as const;
export type DownKind = (typeof DOWN_KINDS)[number];

/** A shard's name: one token of a subject. */
export const SHARD_PATTERN = /^[A-Za-z0-9_-]{1,32}$/;

/** Throws a RangeError for what cannot be a token of a subject. */
export function requireShard(shard: string): string {
  if (SHARD_PATTERN.test(shard)) return shard;
  throw new RangeError(`${JSON.stringify(shard)} is no shard: 1 to 32 letters, digits, "_" or "-"`);
}

/** Throws a RangeError for what is no node id. */
export function requireNode(node: string): string {
  if (ID_PATTERN.test(node)) return node;
  throw new RangeError(`${JSON.stringify(node)} is no node id: 1 to 64 letters, digits, ".", "_" or "-"`);
}

/** The key-value bucket of the leases. */
export const LEADERS = "PIPE_LEADERS";

/** Where schedulers are answered. Others' answers go to `_INBOX`, which who looks after nodes may hear, too. */
export const SCHEDULER_INBOX = "_INBOX_SCHEDULER";

/** The stream that holds a shard's journal. */
export function streamOf(shard: string): string {
  return `PIPE_JOURNAL_${requireShard(shard)}`;
}

/** A node's id as one token of a subject. Ids may hold dots, which separate tokens; no id holds a colon. */
export function nodeToken(node: string): string {
  return node.replaceAll(".", ":");
}

/** The subjects of one shard. */
export class Subjects {
  readonly announce: string;
  readonly hello: string;
  /** Everything that any node says. */
  readonly allUp: string;
  readonly #up: string;
  readonly #down: string;

  /** Throws a RangeError for a shard that cannot be a token. */
  constructor(shard: string) {
    const root = `pipe.v1.${requireShard(shard)}`;
    this.announce = `${root}.announce`;
    this.hello = `${root}.hello`;
    this.allUp = `${root}.up.*.*`;
    this.#up = `${root}.up.`;
    this.#down = `${root}.down.`;
  }

  up(node: string, kind: UpKind): string {
    return `${this.#up}${nodeToken(node)}.${kind}`;
  }

  down(node: string, kind: DownKind): string {
    return `${this.#down}${nodeToken(node)}.${kind}`;
  }

  /** Everything that is said to one node. */
  allDown(node: string): string {
    return `${this.#down}${nodeToken(node)}.*`;
  }

  /** Who says what by this subject, or `undefined` when it is none of this shard's. */
  readUp(subject: string): { readonly node: string; readonly kind: UpKind } | undefined {
    return read(subject, this.#up, UP_KINDS);
  }

  /** To whom what is said by this subject, or `undefined`. */
  readDown(subject: string): { readonly node: string; readonly kind: DownKind } | undefined {
    return read(subject, this.#down, DOWN_KINDS);
  }
}

function read<K extends string>(subject: string, prefix: string, kinds: readonly K[]) {
  if (!subject.startsWith(prefix)) return undefined;
  const [token, last, ...more] = subject.slice(prefix.length).split(".");
  const kind = kinds.find((known) => known === last);
  if (token === undefined || kind === undefined || more.length > 0) return undefined;
  const node = token.replaceAll(":", ".");
  return ID_PATTERN.test(node) ? { node, kind } : undefined;
}
