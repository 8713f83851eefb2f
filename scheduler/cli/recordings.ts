import type { EngineConfig } from "../engine/config.ts";
import { JournalError } from "../live/journal-error.ts";
import { JournalReader } from "../live/journal-reader.ts";
import { findJournal } from "../live/journal-replay.ts";
import { checkManifest, hasManifest, MANIFEST_FILE } from "../live/records-manifest.ts";
import { Observer } from "../../sim/recorded/observer.ts";
import { type Recording, RecordingError } from "../../sim/recorded/recording.ts";

/**
 * What a live run left in this directory (or in the journal's own), as it can be played. Rejects with RecordingError when it
 * cannot: changed since it was closed, without its beginning, damaged, or too long.
 */
export async function readRecording(directory: string): Promise<Recording> {
  if (await hasManifest(directory)) {
    const [problem] = await checkManifest(directory);
    if (problem !== undefined) {
      throw new RecordingError(`${directory} is not what its ${MANIFEST_FILE} says: ${problem.message}.`);
    }
  }
  try {
    return await observed(await findJournal(directory));
  } catch (error) {
    if (!(error instanceof JournalError)) throw error;
    throw new RecordingError(error.message, { cause: error });
  }
}

async function observed(journal: string): Promise<Recording> {
  const reader = new JournalReader(journal, undefined);
  let observer: Observer | undefined;
  for await (const record of reader.records()) {
    if (record.kind === "header" && "config" in record.record) {
      if (observer === undefined && record.record.segment !== 1) {
        throw new RecordingError(
          `${journal} begins with segment ${record.record.segment}: only a journal that has kept all its segments can be played.`,
        );
      }
      observer ??= new Observer(record.record.config as EngineConfig);
    } else if (record.kind === "batch") {
      const { atUs, events } = record.decode();
      observer?.step(atUs, events);
    }
  }
  if (observer === undefined) throw new RecordingError(`There is no journal in ${journal}.`);
  return observer.recording();
}
