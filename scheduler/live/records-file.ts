import { writeSync } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { open } from "node:fs/promises";

/** Text that waits in memory; beyond it `append` writes by itself, so that memory is bounded whoever forgets to flush. */
const MAX_WAITING_BYTES = 8 * 1024 * 1024;

/** The file is shorter than the position that it should go on from: what was written there is lost. */
export class RecordsTooShort extends Error {
  override readonly name = "RecordsTooShort";
  constructor(path: string, bytes: number, expectedBytes: number) {
    super(
      `${path} has ${bytes} bytes where ${expectedBytes} were recorded; go on from an older snapshot, or from none`,
    );
  }
}

/**
 * One record file: text is appended in memory and written by `flush`, at its own place in the file, so that a flush under
 * way and an append that overflows do not disturb each other. Without a path nothing is written and only counted.
 */
export class RecordFile {
  readonly #handle: FileHandle | undefined;
  #bytes: number;
  #waiting: string[] = [];
  #waitingBytes = 0;
  #writes: Promise<void> = Promise.resolve();

  private constructor(handle: FileHandle | undefined, bytes: number) {
    this.#handle = handle;
    this.#bytes = bytes;
  }

  /** Opens the file and cuts it back to `bytes`. Rejects with `RecordsTooShort`, or with the system's error. */
  static async open(path: string | undefined, bytes: number): Promise<RecordFile> {
    if (path === undefined) return new RecordFile(undefined, bytes);
    const handle = await open(path, bytes === 0 ? "w+" : "r+", 0o644);
    const { size } = await handle.stat();
    if (size < bytes) {
      await handle.close();
      throw new RecordsTooShort(path, size, bytes);
    }
    await handle.truncate(bytes);
    return new RecordFile(handle, bytes);
  }

  /** Length with all that was appended. */
  get bytes(): number {
    return this.#bytes;
  }

  append(text: string): void {
    const bytes = Buffer.byteLength(text);
    this.#bytes += bytes;
    if (this.#handle === undefined) return;
    this.#waiting.push(text);
    this.#waitingBytes += bytes;
    if (this.#waitingBytes > MAX_WAITING_BYTES) this.#overflow(this.#handle);
  }

  /** Resolves when all that was appended before is written, rejects with the system's error. Not yet durable: see `sync`. */
  flush(): Promise<void> {
    const handle = this.#handle;
    if (handle === undefined || this.#waitingBytes === 0) return this.#writes;
    const { content, at } = this.#takeWaiting();
    this.#writes = this.#writes.then(() => writeFully(handle, content, at));
    return this.#writes;
  }

  /** Like `flush`, and the bytes survive a crash of the machine. */
  async sync(): Promise<void> {
    await this.flush();
    await this.#handle?.datasync();
  }

  async close(): Promise<void> {
    try {
      await this.flush();
    } finally {
      await this.#handle?.close();
    }
  }

  #overflow(handle: FileHandle): void {
    const { content, at } = this.#takeWaiting();
    for (let done = 0; done < content.length; ) {
      done += writeSync(handle.fd, content, done, content.length - done, at + done);
    }
  }

  #takeWaiting(): { content: Buffer; at: number } {
    const at = this.#bytes - this.#waitingBytes;
    const content = Buffer.from(this.#waiting.join(""), "utf8");
    this.#waiting = [];
    this.#waitingBytes = 0;
    return { content, at };
  }
}

async function writeFully(handle: FileHandle, content: Buffer, at: number): Promise<void> {
  for (let done = 0; done < content.length; ) {
    done += (await handle.write(content, done, content.length - done, at + done)).bytesWritten;
  }
}
