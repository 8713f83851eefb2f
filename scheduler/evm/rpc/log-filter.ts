import type { LogMatch } from "./chain-index.ts";
import { HEADER_NOT_FOUND, locate, type Located, type RpcFace } from "./face.ts";
import { failed, type Decoder, invalid, type MethodResult, result } from "./method.ts";
import {
  aBlockNumber,
  aHash,
  anAddress,
  type BlockReference,
  isRecord,
  LATEST,
  unexpected,
  valid,
} from "./parameters.ts";
import { CODES } from "./problems.ts";
import { logView } from "./views.ts";

/** Which logs, of which blocks. */
export interface LogFilter {
  readonly match: LogMatch;
  readonly blocks:
    | { readonly kind: "hash"; readonly hash: string }
    | { readonly kind: "range"; readonly from: BlockReference; readonly to: BlockReference };
}

const MAX_TOPICS = 4;

export function aLogFilter(maxAlternatives: number): Decoder<LogFilter> {
  return (value) => {
    if (!isRecord(value))
      return unexpected("a filter: an object with address, topics, and fromBlock and toBlock, or blockHash");
    const addresses = alternatives(value["address"], anAddress, maxAlternatives);
    if (addresses === undefined) return unexpected(`address to be an address, or at most ${maxAlternatives} of them`);
    const topics: ReadonlySet<string>[] = [];
    const asked = value["topics"] ?? [];
    const expected = `topics to be at most ${MAX_TOPICS} of: null, a topic (32 bytes), or an array of at most ${maxAlternatives} topics`;
    if (!Array.isArray(asked) || asked.length > MAX_TOPICS) return unexpected(expected);
    for (const each of asked) {
      const found = alternatives(each, aHash, maxAlternatives);
      if (found === undefined) return unexpected(expected);
      topics.push(found);
    }
    const blocks = blocksOf(value);
    return typeof blocks === "string" ? unexpected(blocks) : valid({ match: { addresses, topics }, blocks });
  };
}

/** An empty set takes everything. A `null` among the alternatives does so, too. */
function alternatives(value: unknown, decode: Decoder<string>, limit: number): ReadonlySet<string> | undefined {
  if (value === undefined || value === null) return new Set();
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (values.length > limit) return undefined;
  if (values.includes(null)) return new Set();
  const found = new Set<string>();
  for (const each of values) {
    const decoded = decode(each);
    if (!decoded.ok) return undefined;
    found.add(decoded.value);
  }
  return found;
}

function blocksOf(value: Readonly<Record<string, unknown>>): LogFilter["blocks"] | string {
  const { blockHash, fromBlock, toBlock } = value;
  if (blockHash !== undefined && blockHash !== null) {
    if ((fromBlock ?? toBlock ?? null) !== null) return "either blockHash, or fromBlock and toBlock";
    const hash = aHash(blockHash);
    return hash.ok ? { kind: "hash", hash: hash.value } : `blockHash to be ${hash.expected}`;
  }
  const from = aBlockNumber(fromBlock ?? "latest");
  if (!from.ok) return `fromBlock to be ${from.expected}`;
  const to = aBlockNumber(toBlock ?? "latest");
  if (!to.ok) return `toBlock to be ${to.expected}`;
  return { kind: "range", from: from.value, to: to.value };
}

/** Everything that matches, or why there is no answer. */
export function searchLogs(face: RpcFace, filter: LogFilter): MethodResult {
  const { index, limits } = face;
  const range = rangeOf(face, filter);
  if (!range.ok) return range.failure;
  const { from, to } = range.value;
  if (to - from + 1 > limits.maxLogRange) {
    return failed({
      code: CODES.invalidParams,
      message: `exceed maximum block range: ${limits.maxLogRange}`,
      data: { kind: "range-too-wide", advice: `Ask for ${limits.maxLogRange} blocks at a time.` },
    });
  }
  const found = index.search(range.value, filter.match, {
    maxLogs: limits.maxLogs,
    maxLookedAt: limits.maxLogsLookedAt,
    maxDataBytes: limits.maxResponseCharacters >> 2,
  });
  if (found.ok) return result(found.logs.map((log) => logView(log, false)));
  return failed({
    code: CODES.invalidParams,
    message:
      found.reason === "results"
        ? `query returned more than ${limits.maxLogs} results`
        : "query exceeds the limit of logs that are looked at, or of their bytes",
    data: { kind: "too-many-logs", advice: "Ask for fewer blocks, or name an address or a topic." },
  });
}

function rangeOf(face: RpcFace, { blocks }: LogFilter): Located<{ readonly from: number; readonly to: number }> {
  if (blocks.kind === "hash") {
    const block = face.index.blockOf(blocks.hash);
    if (block === undefined) return { ok: false, failure: failed({ ...HEADER_NOT_FOUND, message: "unknown block" }) };
    return { ok: true, value: { from: block.number, to: block.number } };
  }
  const from = numberOf(face, blocks.from);
  if (!from.ok) return from;
  const to = numberOf(face, blocks.to);
  if (!to.ok) return to;
  if (from.value > to.value) {
    return { ok: false, failure: invalid("invalid block range params: fromBlock is after toBlock") };
  }
  // What is not there yet holds nothing.
  return { ok: true, value: { from: from.value, to: Math.min(to.value, face.index.head.number) } };
}

function numberOf(face: RpcFace, reference: BlockReference): Located<number> {
  const located = locate(face, reference.by === "tag" && reference.tag === "pending" ? LATEST : reference);
  if (!located.ok) return located;
  if (located.value !== undefined && located.value !== "pending") return { ok: true, value: located.value.number };
  return { ok: true, value: reference.by === "number" ? reference.number : face.index.head.number };
}
