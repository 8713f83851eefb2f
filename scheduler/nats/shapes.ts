import { CborReader, CborWriter } from "./cbor.ts";

/**
 * What may stand in a message, as values that both write it and read it. Reading never throws: what is not of the shape is
 * `INVALID`. Hashes, keys and signatures are byte strings on the wire and hexadecimal in memory.
 */
export const INVALID = Symbol("not of the shape");
export type Invalid = typeof INVALID;

export interface Shape<A> {
  write(to: CborWriter, value: A): void;
  read(from: CborReader): A | Invalid;
}

/** The value as CBOR. Throws a RangeError for whatever `read` would refuse. */
export function write<A>(shape: Shape<A>, value: A): Uint8Array {
  const writer = new CborWriter();
  shape.write(writer, value);
  return writer.finish();
}

/** What the bytes say, all of them, or `INVALID`. Never throws. */
export function read<A>(shape: Shape<A>, encoded: Uint8Array): A | Invalid {
  const reader = new CborReader(encoded);
  const value = shape.read(reader);
  return reader.isAtEnd ? value : INVALID;
}

function demand<A>(value: A, holds: boolean): A {
  if (holds) return value;
  throw new RangeError("not of the shape that it should be written in");
}

/** An integer in 0..2^53−1. */
export const uint: Shape<number> = {
  write: (to, value) => to.uint(value),
  read: (from) => from.uint() ?? INVALID,
};

/** No text of the protocol is longer. */
const MAX_TEXT = 64;

/** The pattern allows ASCII only. */
export function text(pattern: RegExp): Shape<string> {
  return {
    write: (to, value) => to.text(demand(value, pattern.test(value))),
    read(from) {
      const value = from.text(MAX_TEXT);
      return value !== undefined && pattern.test(value) ? value : INVALID;
    },
  };
}

export function oneOf<A extends string>(words: readonly A[]): Shape<A> {
  return {
    write: (to, value) => to.text(demand(value, words.includes(value))),
    read(from) {
      const value = from.text(MAX_TEXT);
      return words.find((word) => word === value) ?? INVALID;
    },
  };
}

/** Bytes, at most so many. */
export function bytes(most: number): Shape<Uint8Array> {
  return {
    write: (to, value) => to.bytes(demand(value, value.length <= most)),
    read: (from) => from.bytes(most) ?? INVALID,
  };
}

/** Between so many bytes; hexadecimal in memory, lower case. */
export function hex(least: number, most = least): Shape<string> {
  return {
    write: (to, value) => to.hex(demand(value, value.length >= 2 * least && value.length <= 2 * most)),
    read: (from) => from.hex(least, most) ?? INVALID,
  };
}

export function list<A>(element: Shape<A>, most: number): Shape<readonly A[]> {
  return {
    write(to, values) {
      to.array(demand(values.length, values.length <= most));
      for (const value of values) element.write(to, value);
    },
    read(from) {
      const length = from.array();
      if (length === undefined || length > most) return INVALID;
      const values: A[] = [];
      for (let i = 0; i < length; i++) {
        const value = element.read(from);
        if (value === INVALID) return INVALID;
        values.push(value);
      }
      return values;
    },
  };
}

type Members<A> = { readonly [K in keyof A]-?: Shape<Exclude<A[K], undefined>> };

interface Member {
  readonly key: string;
  readonly encodedKey: Uint8Array;
  readonly shape: Shape<unknown>;
  readonly isOptional: boolean;
}

/** A map with exactly these keys, of which only the optional ones may be missing. */
export function record<A extends object>(members: Members<A>, optional: readonly (keyof A & string)[] = []): Shape<A> {
  const entries = Object.entries(members).map(([key, shape]) => memberOf(key, shape, optional.includes(key as never)));
  // The order of deterministic CBOR: of the encoded keys, byte by byte.
  entries.sort((a, b) => Buffer.compare(a.encodedKey, b.encodedKey));
  const isThere = (value: A, { key }: Member) => value[key as keyof A] !== undefined;
  const write: Shape<A>["write"] = (to, value) => {
    let size = 0;
    for (const member of entries) if (isThere(value, member)) size += 1;
    to.map(size);
    for (const member of entries) {
      if (!isThere(value, member)) continue;
      to.raw(member.encodedKey);
      member.shape.write(to, value[member.key as keyof A]);
    }
  };
  return { write, read: (from) => readMembers(entries, from) as A | Invalid };
}

function memberOf(key: string, shape: unknown, isOptional: boolean): Member {
  const writer = new CborWriter();
  writer.text(key);
  return { key, encodedKey: writer.finish(), shape: shape as Shape<unknown>, isOptional };
}

function readMembers(members: readonly Member[], from: CborReader): Record<string, unknown> | Invalid {
  let missing = from.map();
  if (missing === undefined) return INVALID;
  const found: Record<string, unknown> = {};
  for (const { key, encodedKey, shape, isOptional } of members) {
    if (missing === 0 || !from.skip(encodedKey)) {
      if (isOptional) continue;
      return INVALID;
    }
    const value = shape.read(from);
    if (value === INVALID) return INVALID;
    found[key] = value;
    missing -= 1;
  }
  return missing === 0 ? found : INVALID;
}
