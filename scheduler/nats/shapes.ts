import { decodeCbor, encodeCbor } from "./cbor.ts";

/**
 * What may stand in a message, as values that both make CBOR's data of it and read it. Reading never throws: what is not of the
 * shape is `INVALID`. Hashes, keys and signatures are byte strings on the wire and hexadecimal in memory.
 */
export const INVALID = Symbol("not of the shape");
export type Invalid = typeof INVALID;

export interface Shape<A> {
  /** Throws a RangeError for whatever `read` would refuse. */
  plain(value: A): unknown;
  read(plain: unknown): A | Invalid;
}

/** The value as CBOR. Throws a RangeError for whatever `read` would refuse. */
export function write<A>(shape: Shape<A>, value: A): Uint8Array {
  return encodeCbor(shape.plain(value));
}

/** What the bytes say, all of them, or `INVALID`. Never throws. */
export function read<A>(shape: Shape<A>, encoded: Uint8Array): A | Invalid {
  return shape.read(decodeCbor(encoded));
}

function demand<A>(value: A, holds: boolean): A {
  if (holds) return value;
  throw new RangeError("not of the shape that it should be written in");
}

/** A shape whose values are what stands on the wire, where `holds`. */
function checked<A>(holds: (value: unknown) => boolean): Shape<A> {
  return {
    plain: (value) => demand(value, holds(value)),
    read: (plain) => (holds(plain) ? (plain as A) : INVALID),
  };
}

/** An integer in 0..2^53−1. */
export const uint: Shape<number> = checked((value) => Number.isSafeInteger(value) && (value as number) >= 0);

/** The pattern allows ASCII only. */
export function text(pattern: RegExp): Shape<string> {
  return checked((value) => typeof value === "string" && pattern.test(value));
}

export function oneOf<A extends string>(words: readonly A[]): Shape<A> {
  return checked((value) => words.includes(value as A));
}

/** Bytes, at most so many. */
export function bytes(most: number): Shape<Uint8Array> {
  return checked((value) => value instanceof Uint8Array && value.length <= most);
}

/** Between so many bytes; hexadecimal in memory, lower case. */
export function hex(least: number, most = least): Shape<string> {
  const holds = (length: number) => length >= least && length <= most;
  return {
    plain(value) {
      const decoded = Buffer.from(value, "hex");
      return demand(decoded, 2 * decoded.length === value.length && holds(decoded.length));
    },
    read(plain) {
      if (!(plain instanceof Uint8Array) || !holds(plain.length)) return INVALID;
      return Buffer.from(plain.buffer, plain.byteOffset, plain.length).toString("hex");
    },
  };
}

export function list<A>(element: Shape<A>, most: number): Shape<readonly A[]> {
  return {
    plain: (values) => demand(values, values.length <= most).map((value) => element.plain(value)),
    read(plain) {
      if (!Array.isArray(plain) || plain.length > most) return INVALID;
      const values: A[] = [];
      for (const item of plain) {
        const value = element.read(item);
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
  readonly shape: Shape<unknown>;
  readonly isOptional: boolean;
}

/** A map with exactly these keys, of which only the optional ones may be missing. */
export function record<A extends object>(members: Members<A>, optional: readonly (keyof A & string)[] = []): Shape<A> {
  const entries = Object.entries(members).map(
    ([key, shape]): Member => ({ key, shape: shape as Shape<unknown>, isOptional: optional.includes(key as never) }),
  );
  // The order of deterministic CBOR: of the encoded keys, byte by byte.
  entries.sort((a, b) => Buffer.compare(encodeCbor(a.key), encodeCbor(b.key)));
  return {
    plain(value) {
      const plain: Record<string, unknown> = {};
      for (const { key, shape } of entries) {
        const member = value[key as keyof A];
        if (member !== undefined) plain[key] = shape.plain(member);
      }
      return plain;
    },
    read: (plain) => (plain instanceof Map ? (readMembers(entries, plain) as A | Invalid) : INVALID),
  };
}

/** The keys in their order, and no others. */
function readMembers(members: readonly Member[], plain: Map<unknown, unknown>): Record<string, unknown> | Invalid {
  const there = plain.entries();
  let next = there.next();
  const found: Record<string, unknown> = {};
  for (const { key, shape, isOptional } of members) {
    if (next.done === true || next.value[0] !== key) {
      if (isOptional) continue;
      return INVALID;
    }
    const value = shape.read(next.value[1]);
    if (value === INVALID) return INVALID;
    found[key] = value;
    next = there.next();
  }
  return next.done === true ? found : INVALID;
}
