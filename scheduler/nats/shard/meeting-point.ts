import { JournalError } from "../../live/journal-error.ts";
import { type Batch, decodeLine, type JournalRecord } from "../../live/journal-format.ts";
import { batchesFrom } from "./local-batches.ts";
import type { ShardStream } from "./shard-stream.ts";
import { LineReader } from "./stream-lines.ts";

/** What tells two batches of one number apart. */
export type BatchIdentity = Pick<Batch, "n" | "atUs" | "digest">;

/** Where a stream begins to be read, and the last batch that it and the local files both have. */
export interface MeetingPoint {
  /** The message before the first to be read. */
  readonly sequence: number;
  readonly anchor: Batch | undefined;
}

/** The group that holds the last common batch. What comes before it is in the local files. */
export async function meetingPoint(stream: ShardStream, last: number): Promise<MeetingPoint> {
  for (let wanted = last; wanted > 0; ) {
    const start = await startOfGroup(stream, wanted);
    const { batch, records } = await readGroup(stream, start);
    const anchor = records.findLast((record) => record.kind === "batch" && record.n <= last);
    if (anchor?.kind === "batch") return { sequence: start - 1, anchor };
    // A mark alone: the batch before it stands further back.
    wanted = Math.min(wanted, batch) - 1;
  }
  const { first } = await stream.range();
  if (first > 1) throw historyMissing(last);
  return { sequence: 0, anchor: undefined };
}

/** The first message of the last group that began with batch `n` or an earlier one: what messages say of it does not fall. */
async function startOfGroup(stream: ShardStream, n: number): Promise<number> {
  const { first, last } = await stream.range();
  let [low, high] = [first, last];
  const oldest = await stream.message(first);
  if (oldest !== undefined && oldest.batch > n) throw historyMissing(n);
  let part = oldest?.part ?? 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    const message = await stream.message(middle);
    if (message === undefined) throw historyMissing(n);
    if (message.batch > n) high = middle - 1;
    else [low, part] = [middle, message.part];
  }
  const start = low - (part - 1);
  if (start < first) throw historyMissing(n);
  return start;
}

async function readGroup(stream: ShardStream, start: number) {
  const reader = new LineReader(undefined);
  const records: JournalRecord[] = [];
  let message = await stream.message(start);
  const batch = message?.batch ?? 0;
  for (let part = 1; message !== undefined && message.part === part; part++) {
    for (const line of reader.read(message)) {
      const record = decodeLine(line);
      if (typeof record === "string") throw damagedStream(record);
      records.push(record);
    }
    message = await stream.message(start + part);
  }
  return { batch, records };
}

/** Rejects with `foreign` when the local files hold another batch of that number. */
export async function requireSameBatch(directory: string, { n, atUs, digest }: BatchIdentity): Promise<void> {
  for await (const ours of batchesFrom(directory, n)) {
    if (ours.n === n && ours.atUs === atUs && ours.digest === digest) return;
    break;
  }
  throw forked(n);
}

export function historyMissing(last: number): JournalError {
  return new JournalError("history-missing", `what follows batch ${last} is not in the shard's stream any more`, {
    remedy: "Stop this scheduler and start it with a copy of the leader's directory; nothing was changed.",
  });
}

export function damagedStream(what: string): JournalError {
  const remedy = "Let the scheduler with the longest journal begin a new stream; nothing was changed.";
  return new JournalError("damaged", `the shard's stream is damaged: ${what}`, { remedy });
}

function forked(n: number): JournalError {
  return new JournalError("foreign", `batch ${n} of the local journal is another one than in the shard's stream`, {
    remedy: "Keep this directory for its records and start with a new one, which the stream will fill.",
  });
}
