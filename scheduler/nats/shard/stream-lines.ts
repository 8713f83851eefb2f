/**
 * What a shard's stream holds: lines as the journal's files have them (journal-format.ts), each with its chain value, the first
 * of them a header. What becomes durable together is one group, sent in as many messages as its size takes; a message says in
 * its headers which batch was next when its group began, and which part of the group it is.
 */
import { CHAIN_DIGITS, checkLine, findNewline, MAX_RECORD_BYTES } from "../../live/journal-format.ts";
import { JournalError } from "../../live/journal-error.ts";

/** Header names of a message. */
export const HEADERS = { batch: "Pipe-Batch", part: "Pipe-Part", id: "Nats-Msg-Id" } as const;

/** One message of the stream. */
export interface StreamMessage {
  readonly sequence: number;
  /** Number of the batch that was next when the message's group began. */
  readonly batch: number;
  /** Which part of its group it is, counted from 1. */
  readonly part: number;
  readonly id: string;
  readonly data: Uint8Array;
}

/** Puts messages back into lines, and checks that each is what follows the one before. */
export class LineReader {
  #chain: string | undefined;
  #rest = Buffer.alloc(0);

  /** `chain`: the value of the last line before; `undefined` takes the first line's on trust. */
  constructor(chain: string | undefined) {
    this.#chain = chain;
  }

  /** Chain value of the last whole line. */
  get chain(): string | undefined {
    return this.#chain;
  }

  /**
   * The lines that end in this message, without their newlines. What a leader left unfinished when it died is dropped when the
   * next group begins: it was never acknowledged.
   * @throws JournalError `damaged`.
   */
  read({ sequence, part, data }: StreamMessage): readonly Buffer[] {
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    const text = part === 1 ? bytes : Buffer.concat([this.#rest, bytes]);
    if (text.length > 2 * MAX_RECORD_BYTES) throw damaged(sequence, "a line has no end");
    const lines: Buffer[] = [];
    let from = 0;
    for (let end = findNewline(text, from); end >= 0; end = findNewline(text, from)) {
      lines.push(this.#checked(text.subarray(from, end), sequence));
      from = end + 1;
    }
    this.#rest = Buffer.from(text.subarray(from));
    return lines;
  }

  #checked(line: Buffer, sequence: number): Buffer {
    const trailer = line.toString("latin1", line.length - CHAIN_DIGITS - 2, line.length - 2);
    const chain = this.#chain === undefined ? trailer : checkLine(line, this.#chain);
    if (chain === undefined) throw damaged(sequence, "a line does not follow the one before it");
    this.#chain = chain;
    return line;
  }
}

function damaged(sequence: number, what: string): JournalError {
  const remedy = "Let the scheduler with the longest journal lead a new stream; nothing was changed.";
  return new JournalError("damaged", `message ${sequence} of the shard's stream is damaged: ${what}`, { remedy });
}

/** A group's bytes as messages' payloads. */
export function partsOf(group: Buffer, maxPartBytes: number): readonly Buffer[] {
  const parts: Buffer[] = [];
  for (let from = 0; from < group.length; from += maxPartBytes) parts.push(group.subarray(from, from + maxPartBytes));
  return parts;
}
