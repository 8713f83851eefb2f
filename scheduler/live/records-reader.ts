import { isUtf8 } from "node:buffer";
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { Result, Schema, SchemaIssue } from "effect";
import type { ChainedLog, ChainHead, LogBodies, RecordLog } from "./records-lines.ts";
import { chainLine, EMPTY_CHAIN, fileOf, LINE_SCHEMAS } from "./records-lines.ts";
import { checkManifest, hasManifest, MANIFEST_FILE } from "./records-manifest.ts";

/** Reading record files without trusting them: what is wrong is found and told by file and line. */

/** Something that is not as it should be. `line` counts from 1 and is 0 where the whole file or directory is meant. */
export interface Finding {
  readonly file: string;
  readonly line: number;
  readonly message: string;
}

/** Findings that are kept; a file that is wrong throughout would give one per line. */
const MAX_FINDINGS = 100;

export class Findings {
  readonly kept: Finding[] = [];
  total = 0;

  add(file: string, line: number, message: string): void {
    this.total++;
    if (this.kept.length < MAX_FINDINGS) this.kept.push({ file, line, message });
  }
}

/** What an audit found. Exit codes: 0 all is well, 1 findings, 2 the directory cannot be read. */
export interface AuditReport {
  readonly audit: string;
  readonly directory: string;
  readonly exitCode: 0 | 1 | 2;
  /** Whether the directory has a manifest, which then was checked. */
  readonly manifest: boolean;
  /** How much was checked, by name. */
  readonly counts: { readonly [name: string]: number };
  /** The first hundred. */
  readonly findings: readonly Finding[];
  readonly findingsTotal: number;
  /** Why the directory cannot be read, empty when it can. */
  readonly unreadable: string;
}

/** The report as text for people, with a line feed at its end. */
export function formatReport(report: AuditReport): string {
  if (report.exitCode === 2) return `${report.audit}: cannot read ${report.directory}: ${report.unreadable}\n`;
  const counts = Object.entries(report.counts).map(([name, count]) => `  ${count} ${name}\n`);
  const manifest = report.manifest
    ? "  manifest checked\n"
    : "  no manifest: the directory was not closed, or is in use\n";
  const findings = report.findings.map(
    ({ file, line, message }) => `  ${file}${line > 0 ? `:${line}` : ""}: ${message}\n`,
  );
  const hidden = report.findingsTotal - report.findings.length;
  const more = hidden > 0 ? `  and ${hidden} more\n` : "";
  const verdict =
    report.exitCode === 0
      ? "all is well"
      : report.findingsTotal === 1
        ? "1 finding"
        : `${report.findingsTotal} findings`;
  return `${report.audit}: ${verdict} in ${report.directory}\n${counts.join("")}${manifest}${findings.join("")}${more}`;
}

/** Longest line that is read: the header of a block with 100,000 transactions takes 7 MB. */
const MAX_LINE_BYTES = 16 * 1024 * 1024;

interface Line {
  readonly number: number;
  readonly text: string;
}

/** The file's lines without their line feeds. A line that cannot be text and a torn end become findings. Rejects with the system's error. */
async function* readLines(path: string, file: string, findings: Findings): AsyncGenerator<Line> {
  let number = 0;
  let rest: Buffer[] = [];
  let restBytes = 0;
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    let from = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
      const bytes = Buffer.concat([...rest, chunk.subarray(from, end)]);
      rest = [];
      restBytes = 0;
      from = end + 1;
      number++;
      if (isUtf8(bytes)) yield { number, text: bytes.toString("utf8") };
      else findings.add(file, number, "is not UTF-8");
    }
    rest.push(chunk.subarray(from));
    restBytes += chunk.length - from;
    if (restBytes > MAX_LINE_BYTES) {
      findings.add(file, number + 1, `is longer than ${MAX_LINE_BYTES} bytes`);
      return;
    }
  }
  if (restBytes > 0) findings.add(file, number + 1, "the last line is torn, as by a crash: it has no end");
}

const DECODERS = Object.fromEntries(
  Object.entries(LINE_SCHEMAS).map(([log, schema]) => [
    log,
    Schema.decodeUnknownResult(schema as Schema.Codec<unknown>, { onExcessProperty: "error", errors: "first" }),
  ]),
);
const formatIssue = SchemaIssue.makeFormatterStandardSchemaV1();

type Decoded<L extends RecordLog> = (typeof LINE_SCHEMAS)[L]["Type"];

/** Reads a log's lines as what its schema says. What is no such line becomes a finding and is passed over. */
export async function* readRecords<L extends RecordLog>(
  directory: string,
  log: L,
  findings: Findings,
): AsyncGenerator<Line & { readonly record: Decoded<L> }> {
  const file = fileOf(log);
  for await (const line of readLines(join(directory, file), file, findings)) {
    const record = parse(log, line.text);
    if (typeof record === "string") findings.add(file, line.number, record);
    else yield { ...line, record: record.value as Decoded<L> };
  }
}

function parse(log: RecordLog, text: string): { readonly value: unknown } | string {
  let input: unknown;
  try {
    input = JSON.parse(text);
  } catch {
    return "is not JSON";
  }
  const decoded = DECODERS[log]?.(input);
  if (decoded === undefined) return "belongs to no known log";
  if (Result.isSuccess(decoded)) return { value: decoded.success };
  const [first] = formatIssue(decoded.failure.issue).issues;
  const path = (first?.path ?? []).map((step) => String(typeof step === "object" ? step.key : step)).join(".");
  return `is not a line of this log: ${path === "" ? "the line" : path}: ${first?.message ?? ""}`;
}

/** What a chained line says, and where it stands. */
export interface ChainEntry<L extends ChainedLog> {
  readonly line: number;
  readonly n: number;
  readonly hash: string;
  readonly body: LogBodies[L];
}

/**
 * Reads a chained log: numbers without a gap, each line after the one before, hashes and canonical text right. A line that
 * breaks the chain becomes a finding, and the chain is followed on from what that line says, so that one lie is told once.
 */
export async function* readChain<L extends ChainedLog>(
  directory: string,
  log: L,
  findings: Findings,
): AsyncGenerator<ChainEntry<L>> {
  let head: ChainHead = EMPTY_CHAIN;
  for await (const { number, text, record } of readRecords(directory, log, findings)) {
    const { n, prev, hash, ...rest } = record;
    // The schema of each log is that of its bodies with the chain's members added.
    const body = rest as unknown as LogBodies[L];
    const problem = chainProblem(log, head, { n, prev, hash, body, text });
    if (problem !== undefined) findings.add(fileOf(log), number, problem);
    head = { count: n + 1, hash };
    yield { line: number, n, hash, body };
  }
}

interface ClaimedLine<L extends ChainedLog> {
  readonly n: number;
  readonly prev: string;
  readonly hash: string;
  readonly body: LogBodies[L];
  readonly text: string;
}

function chainProblem<L extends ChainedLog>(log: L, head: ChainHead, line: ClaimedLine<L>): string | undefined {
  if (line.n !== head.count)
    return `has the number ${line.n} where ${head.count} was due: lines are missing or repeated`;
  if (line.prev !== head.hash) return "does not follow the line before: its `prev` is not that line's hash";
  const expected = chainLine(log, head, line.body);
  if (expected.head.hash !== line.hash) return "its hash is not that of its content";
  if (expected.text !== `${line.text}\n`) return "is not canonical: the same content is written in another way";
  return undefined;
}

/**
 * Runs an audit over a directory, the manifest first where there is one. What the checks add to `findings` and `counts` makes
 * the report; what they reject with makes the directory unreadable. Does not reject.
 */
export async function audit(
  name: string,
  directory: string,
  checks: (findings: Findings, counts: Record<string, number>) => Promise<void>,
): Promise<AuditReport> {
  const findings = new Findings();
  const counts: Record<string, number> = {};
  let manifest = false;
  let unreadable = "";
  try {
    manifest = await hasManifest(directory);
    if (manifest) await compareManifest(directory, findings);
    await checks(findings, counts);
  } catch (error) {
    unreadable = error instanceof Error ? error.message : String(error);
  }
  // A file that the manifest lists and that is gone is a finding first, and only then unreadable.
  const exitCode = findings.total > 0 ? 1 : unreadable === "" ? 0 : 2;
  if (exitCode === 1 && unreadable !== "") findings.add("", 0, `the audit ended early: ${unreadable}`);
  const { kept, total } = findings;
  return { audit: name, directory, exitCode, manifest, counts, findings: kept, findingsTotal: total, unreadable };
}

async function compareManifest(directory: string, findings: Findings): Promise<void> {
  for (const { line, message } of await checkManifest(directory)) findings.add(MANIFEST_FILE, line, message);
}
