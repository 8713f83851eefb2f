/**
 * A process to be killed: takes up the journal of a directory and appends without end, up to eight batches at a time, with a
 * snapshot now and then. Writes the number of each acknowledged batch to its standard output, before it goes on.
 *
 * node child.ts DIRECTORY MAX_SEGMENT_BYTES (kill | fail)
 */
import { writeSync } from "node:fs";
import { JournalError, systemCode } from "../../../scheduler/live/journal-error.ts";
import type { Batch } from "../../../scheduler/live/journal-format.ts";
import { openJournal } from "../../../scheduler/live/journal.ts";

const [directory = "", maxSegmentBytes = "", mode = ""] = process.argv.slice(2);

function batchOf(n: number): Batch {
  const size = (n * 7919) % 40;
  const events = Array.from({ length: size }, (_, i) => ({
    kind: "copy-progressed" as const,
    copy: i,
    node: "node-1",
    tokens: n,
  }));
  return { n, atUs: n * 1_000, events, commands: 0, digest: "" };
}

try {
  const limits = { maxSegmentBytes: Number(maxSegmentBytes), maxBacklogBytes: 1_000_000 };
  const options = { directory, program: "0.0.0-test", chainId: "1337", config: { seed: 7 }, nowUs: 0, limits };
  const { journal } = await openJournal({ ...options, retainAll: mode === "fail" });
  const appendAll = async () => {
    for (;;) {
      const n = journal.nextBatch;
      await journal.append(batchOf(n));
      writeSync(1, `${n}\n`);
      if (mode === "kill" && n % 50 === 0) await journal.writeSnapshot({ n, atUs: n * 1_000, state: { n } });
    }
  };
  await Promise.all(Array.from({ length: 8 }, appendAll));
} catch (error) {
  if (!(error instanceof JournalError)) throw error;
  writeSync(1, `${error.code} ${systemCode(error.cause)}\n`);
}
