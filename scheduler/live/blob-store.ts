import { assert } from "../shared/assert.ts";
import type { Blob } from "./inbox.ts";

/** Hash, base64 bytes, holders. */
export type BlobsText = readonly (readonly [hash: string, base64: string, holders: number])[];

interface Stored {
  readonly bytes: Uint8Array;
  holders: number;
}

/** Bytes by their SHA-256; equal ones are kept once, and given up when the last holder releases them. */
export class BlobStore {
  readonly #stored = new Map<string, Stored>();
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  get(hash: string): Uint8Array | undefined {
    return this.#stored.get(hash)?.bytes;
  }

  hold({ hash, bytes }: Blob): void {
    const known = this.#stored.get(hash);
    if (known !== undefined) known.holders += 1;
    else {
      this.#stored.set(hash, { bytes, holders: 1 });
      this.#bytes += bytes.length;
    }
  }

  release(hash: string): void {
    const known = this.#stored.get(hash);
    assert(known !== undefined, "a blob is released by one who holds it");
    known.holders -= 1;
    if (known.holders > 0) return;
    this.#stored.delete(hash);
    this.#bytes -= known.bytes.length;
  }

  toText(): BlobsText {
    return [...this.#stored].map(([hash, { bytes, holders }]) => [
      hash,
      Buffer.from(bytes).toString("base64"),
      holders,
    ]);
  }

  restore(blobs: BlobsText): void {
    for (const [hash, base64, holders] of blobs) {
      const bytes = new Uint8Array(Buffer.from(base64, "base64"));
      this.#stored.set(hash, { bytes, holders });
      this.#bytes += bytes.length;
    }
  }
}
