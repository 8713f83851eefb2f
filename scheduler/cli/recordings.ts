import type { EngineConfig } from "../engine/config.ts";
import type { EngineEvent } from "../engine/events.ts";
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
  let observer: Observer | undefined;
  await eachBatch(directory, (config, atUs, events) => {
    observer ??= new Observer(config);
    observer.step(atUs, events);
  });
  if (observer === undefined) throw new RecordingError("The journal holds no events: let the run last longer.");
  return observer.recording();
}

/** Shows what a live run's journal holds, batch by batch, with the configuration it was begun with. Rejects as `readRecording`. */
export async function eachBatch(
  directory: string,
  see: (config: EngineConfig, atUs: number, events: readonly EngineEvent[]) => void,
): Promise<void> {
  if (await hasManifest(directory)) {
    const [problem] = await checkManifest(directory);
    if (problem !== undefined) {
      throw new RecordingError(`${directory} is not what its ${MANIFEST_FILE} says: ${problem.message}.`);
    }
  }
  try {
    await readBatches(await findJournal(directory), see);
  } catch (error) {
    if (!(error instanceof JournalError)) throw error;
    throw new RecordingError(error.message, { cause: error });
  }
}

async function readBatches(journal: string, see: Parameters<typeof eachBatch>[1]): Promise<void> {
  const reader = new JournalReader(journal, undefined);
  let config: EngineConfig | undefined;
  for await (const record of reader.records()) {
    if (record.kind === "header" && "config" in record.record) {
      if (config === undefined && record.record.segment !== 1) {
        throw new RecordingError(
          `${journal} begins with segment ${record.record.segment}: only a journal that has kept all its segments can be played.`,
        );
      }
      config ??= record.record.config as EngineConfig;
    } else if (record.kind === "batch" && config !== undefined) {
      const { atUs, events } = record.decode();
      see(config, atUs, events);
    }
  }
  if (config === undefined) throw new RecordingError(`There is no journal in ${journal}.`);
}
