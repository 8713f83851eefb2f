/**
 * The part of CBOR (RFC 8949) that the protocol uses, in its deterministic form (section 4.2.1): unsigned integers below 2^53,
 * byte strings, ASCII text, arrays and maps with text keys in their order. A shape reads exactly what it writes, so that no value
 * has two encodings, nothing is built that no shape asks for, and a length costs nothing before it is known to be there.
 */

const [UINT, BYTES, TEXT, ARRAY, MAP] = [0, 2, 3, 4, 5] as const;
const MAX_HIGH = 0x1f_ffff;
const TWO_32 = 0x1_0000_0000;

/** Where messages are written; each is copied out of it. Grows to what the largest one takes. */
let scratch = Buffer.allocUnsafe(4_096);

/** A writer at the beginning of the scratch: one at a time. */
export class CborWriter {
  #length = 0;

  uint(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${value} is not a safe unsigned integer`);
    this.#head(UINT, value);
  }

  bytes(value: Uint8Array): void {
    this.#head(BYTES, value.length);
    this.raw(value);
  }

  hex(value: string): void {
    const length = value.length / 2;
    this.#head(BYTES, length);
    this.#need(length);
    if (scratch.write(value, this.#length, length, "hex") !== length) throw new RangeError("not hexadecimal");
    this.#length += length;
  }

  text(value: string): void {
    this.#head(TEXT, value.length);
    this.#need(3 * value.length);
    if (scratch.write(value, this.#length, "utf8") !== value.length) throw new RangeError("text that is not ASCII");
    this.#length += value.length;
  }

  array(length: number): void {
    this.#head(ARRAY, length);
  }

  map(size: number): void {
    this.#head(MAP, size);
  }

  /** What is CBOR already, such as a key or a whole item. */
  raw(encoded: Uint8Array): void {
    this.#need(encoded.length);
    scratch.set(encoded, this.#length);
    this.#length += encoded.length;
  }

  finish(): Uint8Array {
    return new Uint8Array(scratch.subarray(0, this.#length));
  }

  #head(major: number, value: number): void {
    this.#need(9);
    const type = major << 5;
    if (value < 24) scratch[this.#length++] = type | value;
    else if (value < 0x100) {
      scratch[this.#length++] = type | 24;
      scratch[this.#length++] = value;
    } else if (value < 0x1_0000) {
      scratch[this.#length++] = type | 25;
      this.#length = scratch.writeUInt16BE(value, this.#length);
    } else if (value < TWO_32) {
      scratch[this.#length++] = type | 26;
      this.#length = scratch.writeUInt32BE(value, this.#length);
    } else {
      scratch[this.#length++] = type | 27;
      this.#length = scratch.writeUInt32BE(Math.floor(value / TWO_32), this.#length);
      this.#length = scratch.writeUInt32BE(value % TWO_32, this.#length);
    }
  }

  #need(bytes: number): void {
    if (this.#length + bytes <= scratch.length) return;
    const grown = Buffer.allocUnsafe(Math.max(2 * scratch.length, this.#length + bytes));
    scratch.copy(grown, 0, 0, this.#length);
    scratch = grown;
  }
}

/** Reads one item after the other; `undefined` for whatever stands there in place of what is asked for. Never throws. */
export class CborReader {
  readonly #bytes: Buffer;
  readonly #plain: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#plain = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  uint(): number | undefined {
    return this.#head(UINT);
  }

  /** At most so many; a copy. */
  bytes(most: number): Uint8Array | undefined {
    const start = this.#content(BYTES, 0, most);
    return start === undefined ? undefined : this.#plain.slice(start, this.#at);
  }

  /** Between so many bytes, as hexadecimal. */
  hex(least: number, most: number): string | undefined {
    const start = this.#content(BYTES, least, most);
    return start === undefined ? undefined : this.#bytes.toString("hex", start, this.#at);
  }

  /** At most so many bytes. What is not ASCII comes out as something that no pattern knows. */
  text(most: number): string | undefined {
    const start = this.#content(TEXT, 0, most);
    return start === undefined ? undefined : this.#bytes.toString("latin1", start, this.#at);
  }

  array(): number | undefined {
    return this.#head(ARRAY);
  }

  map(): number | undefined {
    return this.#head(MAP);
  }

  /** Passes over exactly these bytes, if they are next. */
  skip(encoded: Uint8Array): boolean {
    if (this.#at + encoded.length > this.#bytes.length) return false;
    for (let i = 0; i < encoded.length; i++) if (this.#bytes[this.#at + i] !== encoded[i]) return false;
    this.#at += encoded.length;
    return true;
  }

  /** Where a string begins that ends where the reader then is. */
  #content(major: number, least: number, most: number): number | undefined {
    const length = this.#head(major);
    if (length === undefined || length < least || length > most) return undefined;
    const start = this.#at;
    if (start + length > this.#bytes.length) return undefined;
    this.#at += length;
    return start;
  }

  /** The number behind an initial byte of this type, in the shortest form that there is for it. */
  #head(major: number): number | undefined {
    const first = this.#bytes[this.#at];
    if (first === undefined || first >> 5 !== major) return undefined;
    const short = first & 0x1f;
    if (short < 24) {
      this.#at += 1;
      return short;
    }
    if (short > 27) return undefined;
    const size = 1 << (short - 24);
    const at = this.#at + 1;
    if (at + size > this.#bytes.length) return undefined;
    this.#at = at + size;
    return this.#number(at, size);
  }

  #number(at: number, size: number): number | undefined {
    if (size < 8) {
      const value = this.#bytes.readUIntBE(at, size);
      return value >= (size === 1 ? 24 : 2 ** (4 * size)) ? value : undefined;
    }
    const high = this.#bytes.readUInt32BE(at);
    return high > 0 && high <= MAX_HIGH ? high * TWO_32 + this.#bytes.readUInt32BE(at + 4) : undefined;
  }
}
