/** `pipe replay DIR [--json]`: does stepping the journal's events again give the same commands (P13)? */
import type { EngineConfig } from "../engine/config.ts";
import { Engine } from "../engine/engine.ts";
import type { ReplayCounts, ReplayDifference, ReplayOutcome, ReplayStepper } from "../live/journal-replay.ts";
import { engineStepper, findJournal, replayJournal } from "../live/journal-replay.ts";
import { checkManifest, hasManifest, MANIFEST_FILE } from "../live/records-manifest.ts";

/** 0: the same commands. 1: other commands. 2: the journal cannot be read, or is not the one that was closed. */
export type ReplayExitCode = 0 | 1 | 2;

export interface ReplayCommand {
  /** A record directory with its folder `journal`, or that folder itself. */
  readonly directory: string;
  readonly json: boolean;
  readonly stepper: ReplayStepper;
  /** Version of this program, to tell the reader when another one wrote the journal. */
  readonly program: string;
  /** Takes the report: whole lines, each with its newline. */
  readonly write: (text: string) => void;
}

/** Steps the engine of this program. */
export const replayStepper: ReplayStepper = engineStepper((config) => new Engine(config as EngineConfig));

export async function runReplay(command: ReplayCommand): Promise<ReplayExitCode> {
  const { directory, stepper, json, program, write } = command;
  const manifest = await hasManifest(directory);
  const problems = manifest ? await checkManifest(directory) : [];
  if (problems.length > 0) {
    const messages = problems.map(({ line, message }) => (line === 0 ? message : `line ${line}: ${message}`));
    write(json ? jsonLine({ status: "unreadable", manifest: messages }) : manifestReport(directory, messages));
    return 2;
  }
  const outcome = await replayJournal({ directory: await findJournal(directory), stepper, mustBeClosed: manifest });
  write(json ? jsonLine(asData(outcome, manifest)) : report(outcome, { manifest, program }));
  return outcome.status === "same" ? 0 : outcome.status === "differs" ? 1 : 2;
}

function jsonLine(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}

function asData(outcome: ReplayOutcome, manifest: boolean): unknown {
  if (outcome.status !== "unreadable") return { ...outcome, manifest: manifest ? "ok" : "none" };
  const { code, message, file, line, remedy } = outcome.error;
  return { status: "unreadable", error: { code, message, file, line, remedy }, counts: outcome.counts };
}

function manifestReport(directory: string, messages: readonly string[]): string {
  const lines = messages.map((message) => `  ${message}`);
  return `UNREADABLE: ${directory} is not what its ${MANIFEST_FILE} says\n${lines.join("\n")}\n`;
}

function report(outcome: ReplayOutcome, context: { readonly manifest: boolean; readonly program: string }): string {
  const { counts } = outcome;
  if (outcome.status === "unreadable") {
    return `UNREADABLE after batch ${counts.batches}: ${outcome.error.message}\n`;
  }
  const { header, programs, chain, closedCleanly, tornTail, difference } = outcome;
  const verdict = difference === undefined ? "SAME: identical commands" : `DIFFERS at batch ${difference.batch}`;
  const end = closedCleanly ? "closed cleanly" : "not closed: in use, or ended by a crash";
  const torn = tornTail && `${tornTail.file}, line ${tornTail.line}, never acknowledged, not replayed`;
  const rows: (readonly [string, string | undefined])[] = [
    ["chain", header.chainId],
    ["written by", programs.join(", ")],
    ["replayed by", programs.includes(context.program) ? undefined : `${context.program}, which did not write it`],
    ["manifest", context.manifest ? "ok" : "none"],
    ["end", difference === undefined ? end : undefined],
    ["unfinished", torn],
    ["stepped", countsText(counts)],
    ["chain head", chain],
  ];
  const lines = rows.flatMap(([label, value]) => (value === undefined ? [] : [`  ${label.padEnd(12)}${value}`]));
  return `${[verdict, ...lines, ...(difference ? differenceLines(difference) : [])].join("\n")}\n`;
}

function countsText({ segments, batches, events, commands, elapsedMs, eventsPerSecond }: ReplayCounts): string {
  const number = new Intl.NumberFormat("en-US");
  const amounts = `${number.format(events)} events in ${number.format(batches)} batches (${segments} segments)`;
  const pace = `${(elapsedMs / 1_000).toFixed(2)} s, ${number.format(eventsPerSecond)} events/s`;
  return `${amounts} → ${number.format(commands)} commands, ${pace}`;
}

function differenceLines(difference: ReplayDifference): string[] {
  const { file, line, atUs, journalled, replayed } = difference;
  const kinds = (counts: Readonly<Record<string, number>>) =>
    Object.entries(counts)
      .map(([kind, count]) => `${count} ${kind}`)
      .join(", ") || "none";
  return [
    `  at          ${file}, line ${line}, time ${atUs} µs`,
    `  - journal   ${journalled.commands} commands, digest ${journalled.digest}`,
    `  + replay    ${replayed.commands} commands, digest ${replayed.digest}`,
    ...(replayed.error === undefined ? [] : [`  + stopped   ${replayed.error}`]),
    `  events      ${kinds(difference.eventKinds)}`,
    ...difference.firstEvents.map((text) => `              ${text}`),
    `  commands    ${kinds(difference.commandKinds)} (of the replay; the journal keeps only their digest)`,
    ...difference.firstCommands.map((text) => `              ${text}`),
  ];
}
