import * as Hash from "ox/Hash";

/** Keccak-256 of the bytes: 32 bytes. */
export function keccak256(bytes: Uint8Array): Uint8Array {
  return Hash.keccak256(bytes, { as: "Bytes" });
}

/** Hashes of addresses and slots that are asked for again and again. Forgets all when it is full: 65,536 take about 12 MB. */
export class HashMemory {
  readonly #known = new Map<string, Uint8Array>();

  /** Of the bytes that these hexadecimal digits, without prefix, stand for. */
  of(hex: string): Uint8Array {
    let known = this.#known.get(hex);
    if (known === undefined) {
      known = keccak256(Buffer.from(hex, "hex"));
      if (this.#known.size >= MAX_REMEMBERED) this.#known.clear();
      this.#known.set(hex, known);
    }
    return known;
  }
}

const MAX_REMEMBERED = 65_536;
