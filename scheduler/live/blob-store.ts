import { assert } from "../shared/assert.ts";
import type { Blob } from "./inbox.ts";

/** Hash, bytes, holders. The bytes are base64 once they were written as JSON. */
export type BlobsSnapshot = readonly (readonly [hash: string, bytes: string | LazyBase64, holders: number])[];

/** Bytes that become base64 when they are written as JSON, and not before: that takes long, and they never change. */
class LazyBase64 {
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  toJSON(): string {
    return Buffer.from(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength).toString("base64");
  }
}

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

  snapshot(): BlobsSnapshot {
    return [...this.#stored].map(([hash, { bytes, holders }]) => [hash, new LazyBase64(bytes), holders]);
  }

  restore(blobs: BlobsSnapshot): void {
    for (const [hash, kept, holders] of blobs) {
      const bytes = typeof kept === "string" ? new Uint8Array(Buffer.from(kept, "base64")) : kept.bytes;
      this.#stored.set(hash, { bytes, holders });
      this.#bytes += bytes.length;
    }
  }
}
