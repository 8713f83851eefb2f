/** One field of a canonical encoding. A plain string is UTF-8, a number an unsigned integer, a list its own encoding. */
export type Field = string | number | Uint8Array | readonly Field[];

/** No encoded message of this project is longer: the header of a block with 100,000 transactions takes 7 MB. */
export const MAX_ENCODED_BYTES = 16 * 1024 * 1024;

const LENGTH_BYTES = 4;
const UINT_BYTES = 8;

/**
 * Writes fields so that two different lists of fields of the same types never give the same bytes. Every field is
 * `length (u32, big endian) ‖ content`; the content of a string is its UTF-8, of an unsigned integer 8 bytes big endian, of
 * bytes the bytes themselves. The types are not written: the domain string that opens each message fixes them.
 */
export class CanonicalWriter {
  #bytes = new Uint8Array(512);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  /** Throws a RangeError when the content would make the message longer than `MAX_ENCODED_BYTES`. */
  bytes(content: Uint8Array): this {
    this.#open(content.length);
    this.#bytes.set(content, this.#length);
    this.#length += content.length;
    return this;
  }

  /** Throws a RangeError for lone surrogates: they have no UTF-8, and replacing them would make two strings alike. */
  string(content: string): this {
    if (!content.isWellFormed()) throw new RangeError("a string with a lone surrogate has no UTF-8 encoding");
    return this.bytes(Buffer.from(content, "utf8"));
  }

  /** Throws a RangeError for anything but an integer in 0..2^53−1. */
  uint(content: number): this {
    if (!Number.isSafeInteger(content) || content < 0)
      throw new RangeError(`${content} is not a safe unsigned integer`);
    this.#open(UINT_BYTES);
    this.#view.setUint32(this.#length, Math.floor(content / 0x1_0000_0000));
    this.#view.setUint32(this.#length + 4, content % 0x1_0000_0000);
    this.#length += UINT_BYTES;
    return this;
  }

  /** The message so far, copied. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #open(contentBytes: number): void {
    const needed = this.#length + LENGTH_BYTES + contentBytes;
    if (needed > MAX_ENCODED_BYTES) throw new RangeError(`message of more than ${MAX_ENCODED_BYTES} bytes`);
    if (needed > this.#bytes.length) this.#grow(needed);
    this.#view.setUint32(this.#length, contentBytes);
    this.#length += LENGTH_BYTES;
  }

  #grow(needed: number): void {
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes);
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}

/**
 * The canonical encoding of `domain` followed by `fields`. A list inside becomes one bytes field that holds its number of
 * elements and then the elements, each encoded. Throws a RangeError on what the writer refuses.
 */
export function encodeFields(domain: string, fields: readonly Field[]): Uint8Array {
  const writer = new CanonicalWriter().string(domain);
  for (const field of fields) writeField(writer, field);
  return writer.finish();
}

function writeField(writer: CanonicalWriter, field: Field): void {
  if (typeof field === "string") writer.string(field);
  else if (typeof field === "number") writer.uint(field);
  else if (field instanceof Uint8Array) writer.bytes(field);
  else {
    const list = new CanonicalWriter().uint(field.length);
    for (const element of field) writeField(list, element);
    writer.bytes(list.finish());
  }
}
