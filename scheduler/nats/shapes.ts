/**
 * What may stand in a message, as values that both write it and read it. Reading never throws: what is not of the shape is
 * `INVALID`. Hashes, keys and signatures are byte strings on the wire and hexadecimal in memory.
 */
export const INVALID = Symbol("not of the shape");
export type Invalid = typeof INVALID;

export interface Shape<A> {
  /** What CBOR encodes. */
  write(value: A): unknown;
  /** From what CBOR decoded, with maps as `Map`. */
  read(value: unknown): A | Invalid;
}

/** An integer in 0..2^53−1. */
export const uint: Shape<number> = {
  write: (value) => value,
  read: (value) => (Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : INVALID),
};

export function text(pattern: RegExp): Shape<string> {
  return {
    write: (value) => value,
    read: (value) => (typeof value === "string" && pattern.test(value) ? value : INVALID),
  };
}

export function oneOf<A extends string>(words: readonly A[]): Shape<A> {
  return { write: (value) => value, read: (value) => words.find((word) => word === value) ?? INVALID };
}

/** Bytes, at most so many. */
export function bytes(most: number): Shape<Uint8Array> {
  return {
    write: (value) => value,
    read: (value) => (value instanceof Uint8Array && value.length <= most ? value : INVALID),
  };
}

/** Between so many bytes; hexadecimal in memory, lower case. */
export function hex(least: number, most = least): Shape<string> {
  return {
    write: (value) => new Uint8Array(Buffer.from(value, "hex")),
    read(value) {
      if (!(value instanceof Uint8Array) || value.length < least || value.length > most) return INVALID;
      return Buffer.from(value.buffer, value.byteOffset, value.length).toString("hex");
    },
  };
}

export function list<A>(element: Shape<A>, most: number): Shape<readonly A[]> {
  return {
    write: (values) => values.map((value) => element.write(value)),
    read(value) {
      if (!Array.isArray(value) || value.length > most) return INVALID;
      const read: A[] = [];
      for (const inside of value) {
        const found = element.read(inside);
        if (found === INVALID) return INVALID;
        read.push(found);
      }
      return read;
    },
  };
}

type Members<A> = { readonly [K in keyof A]-?: Shape<Exclude<A[K], undefined>> };

/** A map with exactly these keys, of which only the optional ones may be missing. */
export function record<A extends object>(members: Members<A>, optional: readonly (keyof A & string)[] = []): Shape<A> {
  const entries = Object.entries(members) as [keyof A & string, Shape<unknown>][];
  return {
    write(value) {
      const written: Record<string, unknown> = {};
      for (const [key, shape] of entries) if (value[key] !== undefined) written[key] = shape.write(value[key]);
      return written;
    },
    read(value) {
      if (!(value instanceof Map)) return INVALID;
      const read: Record<string, unknown> = {};
      let known = 0;
      for (const [key, shape] of entries) {
        if (!value.has(key)) {
          if (optional.includes(key)) continue;
          return INVALID;
        }
        const found = shape.read(value.get(key));
        if (found === INVALID) return INVALID;
        read[key] = found;
        known += 1;
      }
      return known === value.size ? (read as A) : INVALID;
    },
  };
}
