import type { Batch } from "../../live/journal-format.ts";
import { JournalError } from "../../live/journal-error.ts";
import { JournalReader, startingPointOf } from "../../live/journal-reader.ts";
import { hasJournal } from "../../live/journal-store.ts";

/** The batches of a journal's files from number `n` on, in order; none when there are none. @throws JournalError */
export async function* batchesFrom(directory: string, n: number): AsyncGenerator<Batch, void, undefined> {
  if (n < 1) return;
  for await (const record of new JournalReader(directory, await startingPointOf(directory, n)).records()) {
    if (record.kind === "batch" && record.n >= n) yield record.decode();
  }
}

/**
 * Rejects with `history-missing` when the stream ends before batch `n` and these files begin after it, since they were pruned:
 * who led with them would leave a gap that nobody could ever fill.
 */
export async function requireKept(directory: string, n: number): Promise<void> {
  if (!(await hasJournal(directory)) || (await startingPointOf(directory, n)) !== undefined) return;
  const lost = n === 1 ? "was lost" : `was lost from batch ${n} on`;
  throw new JournalError(
    "history-missing",
    `the shard's stream ${lost}, and the local journal was pruned beyond that`,
    {
      remedy:
        "Start a scheduler first whose journal is whole (without --prune-journal): it writes the stream again. If there is none, " +
        "keep this directory for its records, and begin another shard with a new one, from what the chain says. Nothing was changed.",
    },
  );
}
