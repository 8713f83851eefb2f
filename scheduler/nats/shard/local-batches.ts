import type { Batch } from "../../live/journal-format.ts";
import { JournalReader, startingPointOf } from "../../live/journal-reader.ts";

/** The batches of a journal's files from number `n` on, in order; none when there are none. @throws JournalError */
export async function* batchesFrom(directory: string, n: number): AsyncGenerator<Batch, void, undefined> {
  if (n < 1) return;
  for await (const record of new JournalReader(directory, await startingPointOf(directory, n)).records()) {
    if (record.kind === "batch" && record.n >= n) yield record.decode();
  }
}
