import { createReadStream } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Command } from "../engine/recorder.ts";
import type { SignedHeader } from "../proofs/header.ts";
import type { BlockRecord } from "./records.ts";
import type { ReceiptRecord } from "./records-lines.ts";

/**
 * Sealed blocks by height, as they stand on the chain now. The latest are kept; older ones are looked up in the record
 * files, which is slow and meant for questions that are asked rarely.
 */
export class BlockArchive {
  readonly #directory: string | undefined;
  readonly #maxKept: number;
  readonly #kept = new Map<number, BlockRecord>();

  /** `maxKept` blocks stay at hand: as many as a reorg can reach, so that what it takes back is never looked up. */
  constructor(directory: string | undefined, maxKept: number) {
    this.#directory = directory;
    this.#maxKept = maxKept;
  }

  /** What a command that was carried out says about blocks. `block` is what the records made of a `sealed`. */
  note(command: Command, block: BlockRecord | undefined): void {
    if (block !== undefined) this.#keep(block);
    if (command.kind !== "reverted") return;
    for (const height of this.#kept.keys()) if (height >= command.height) this.#kept.delete(height);
  }

  /** A block that is at hand. */
  recent(height: number): BlockRecord | undefined {
    return this.#kept.get(height);
  }

  /** `undefined` when no block of this height is on the chain, or it is no longer known. */
  async find(height: number): Promise<BlockRecord | undefined> {
    return (
      this.#kept.get(height) ?? (this.#directory === undefined ? undefined : await readBlock(this.#directory, height))
    );
  }

  #keep(block: BlockRecord): void {
    this.#kept.set(block.header.height, block);
    if (this.#kept.size <= this.#maxKept) return;
    for (const oldest of this.#kept.keys()) {
      this.#kept.delete(oldest);
      return;
    }
  }
}

interface BlockLine extends SignedHeader {
  readonly entry: "sealed" | "committed" | "reverted";
  readonly height: number;
}

async function readBlock(directory: string, height: number): Promise<BlockRecord | undefined> {
  let found: SignedHeader | undefined;
  for await (const line of linesOf(join(directory, "blocks.jsonl"))) {
    const said = parse<BlockLine>(line);
    if (said === undefined) continue;
    if (said.entry === "sealed" && said.header.height === height) {
      found = { header: said.header, block: said.block, signature: said.signature };
    } else if (said.entry === "reverted" && said.block === found?.block) found = undefined;
  }
  if (found === undefined) return undefined;
  const receipts: ReceiptRecord[] = [];
  for await (const line of linesOf(join(directory, "receipts.jsonl"))) {
    if (!line.includes(found.block)) continue;
    const record = parse<ReceiptRecord>(line);
    if (record?.block === found.block) receipts.push(record);
  }
  return { ...found, receipts };
}

/** `undefined` for a line that is being written at this moment. */
function parse<A>(line: string): A | undefined {
  try {
    return JSON.parse(line) as A;
  } catch {
    return undefined;
  }
}

function linesOf(path: string): AsyncIterable<string> {
  return createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY });
}
