import { readFile } from "node:fs/promises";
import { parse } from "csv-parse/sync";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import type { Mode, Pipe, SubmitOutcome } from "../index.ts";
import { encodeTensor } from "../node/backends/onnx.ts";
import { elementCount, readManifest } from "../node/models/catalogue.ts";
import { readZkManifest } from "../node/zkml/catalogue.ts";
import { deriveSeed, type SigningKey, signingKeyFromSeed } from "../proofs/keys.ts";
import { type SignedCall, signTransaction } from "../proofs/transaction.ts";
import { type ConflictRule, quorum } from "../shared/vocabulary.ts";

/** A transaction of the workload before it is signed: when it comes, and what it asks. */
export interface Arrival {
  readonly atMs: number;
  readonly ttlBlocks: number;
  readonly calls: readonly Question[];
}

export interface Question {
  /** One of the package's. */
  readonly model: string;
  readonly mode: Mode;
  readonly conflict: ConflictRule;
  readonly tokensIn: number;
  readonly tokensOut: number;
}

/** The trace cannot be used; the message says what to do. */
export class TraceError extends Error {
  override readonly name = "TraceError";
}

const FIRST_VALID: ConflictRule = { kind: "first-valid" };
/** Scores of honest nodes are the same; who asks three does not trust any of them. */
const MEDIAN: ConflictRule = { kind: "median", k: 3, tolerance: 0.01 };
const AGREE: ConflictRule = { kind: "agree", k: 2 };

function risk(mode: Mode, conflict = FIRST_VALID): Question {
  return { model: "risk-small", mode, conflict, tokensIn: 16, tokensOut: 8 };
}

/** The money decision: its answer is proved. */
const PROVED_RISK: Question = {
  model: "risk-tiny",
  mode: "zkml",
  conflict: FIRST_VALID,
  tokensIn: 8,
  tokensOut: 1,
};

/** Kinds of transactions and how many of a hundred are of each; `chat` asks a chat question of a length that is drawn. */
const MIX: readonly { readonly percent: number; calls(chat: (mode: Mode) => Question): readonly Question[] }[] = [
  { percent: 30, calls: () => [risk("vanilla")] },
  { percent: 12, calls: () => [risk("optimistic")] },
  { percent: 10, calls: () => [risk("tee")] },
  // The quick look by an enclave, the decision with a proof.
  { percent: 6, calls: () => [risk("tee"), PROVED_RISK] },
  { percent: 4, calls: () => [risk("optimistic", AGREE)] },
  { percent: 4, calls: () => [risk("vanilla", MEDIAN)] },
  { percent: 10, calls: (chat) => [chat("vanilla")] },
  { percent: 6, calls: (chat) => [chat("optimistic")] },
  { percent: 4, calls: (chat) => [chat("tee")] },
  { percent: 6, calls: (chat) => [risk("tee"), chat("vanilla")] },
  { percent: 8, calls: () => [] },
];

/**
 * The made-up workload: Poisson arrivals of transactions that ask the risk and the chat model in all modes, some of them in
 * two, some by several operators, and some nothing at all. Chat answers are 20 to 120 tokens long. Times to live are 8 to 24 blocks.
 */
export function madeUpArrivals(options: { seed: number; ratePerS: number; durationMs: number }): Arrival[] {
  const random = uniformOf(options.seed);
  const arrivals: Arrival[] = [];
  let atMs = 0;
  for (;;) {
    atMs += (-Math.log(1 - random()) / options.ratePerS) * 1_000;
    if (atMs >= options.durationMs) return arrivals;
    const calls = callsAt(100 * random(), 20 + Math.floor(100 * random()));
    arrivals.push({ atMs, ttlBlocks: 8 + Math.floor(17 * random()), calls });
  }
}

function callsAt(percentile: number, tokensOut: number): readonly Question[] {
  let passed = 0;
  const chat = (mode: Mode): Question => ({
    model: "chat-mini",
    mode,
    conflict: FIRST_VALID,
    tokensIn: 64,
    tokensOut,
  });
  for (const { percent, calls } of MIX) {
    passed += percent;
    if (percentile < passed) return calls(chat);
  }
  return [];
}

/** Arrivals and token counts of a recorded trace: one chat call each, times to live of 24 blocks. Rejects with TraceError. */
export async function traceArrivals(path: string, durationMs: number): Promise<Arrival[]> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    throw new TraceError(
      `The trace ${path} cannot be read (${error.code ?? error.message}). Give --trace the path of a CSV file.`,
    );
  });
  const rows = parseRows(path, text);
  const firstMs = rows[0]?.atMs ?? 0;
  const arrivals: Arrival[] = [];
  for (const { atMs, tokensIn, tokensOut } of rows) {
    if (atMs - firstMs >= durationMs) break;
    const chat = { model: "chat-mini", mode: "vanilla", conflict: FIRST_VALID, tokensIn, tokensOut } as const;
    arrivals.push({ atMs: atMs - firstMs, ttlBlocks: 24, calls: [chat] });
  }
  return arrivals;
}

interface TraceRow {
  readonly atMs: number;
  readonly tokensIn: number;
  readonly tokensOut: number;
}

function parseRows(path: string, text: string): TraceRow[] {
  let records: Record<string, string>[];
  try {
    records = parse(text, { columns: true, skip_empty_lines: true, bom: true, trim: true });
  } catch (error) {
    throw new TraceError(`The trace ${path} is no CSV: ${(error as Error).message}.`, { cause: error });
  }
  if (records.length === 0) throw new TraceError(`The trace ${path} has no rows.`);
  const rows = records.map((record, index) => rowOf(record, `${path}, row ${index + 1}`));
  return rows.sort((a, b) => a.atMs - b.atMs);
}

function rowOf(record: Record<string, string>, place: string): TraceRow {
  const cell = (column: string): string => {
    const value = record[column];
    if (value === undefined)
      throw new TraceError(
        `${place}: the column ${column} is missing. A trace has TIMESTAMP, ContextTokens, GeneratedTokens.`,
      );
    return value;
  };
  const count = (column: string): number => {
    const text = cell(column);
    const value = Number(text);
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(value))
      throw new TraceError(`${place}: ${column} is ${text || "empty"}, not a count of tokens.`);
    return value;
  };
  // The timestamps carry seven decimals and no zone; only differences matter.
  const atMs = Date.parse(`${cell("TIMESTAMP").replace(" ", "T").slice(0, 23)}Z`);
  if (Number.isNaN(atMs))
    throw new TraceError(`${place}: TIMESTAMP is ${cell("TIMESTAMP")}, not a time such as 2023-11-16 18:15:46.680.`);
  return { atMs, tokensIn: count("ContextTokens"), tokensOut: Math.max(1, count("GeneratedTokens")) };
}

/** What the dearest node of the default fleet asks by signature alone, with some room. */
const MAX_FEES_GWEI: Readonly<Record<string, number>> = { "chat-mini": 60_000 };
const USUAL_MAX_FEE_GWEI = 2_000;
/** What a stronger guarantee may cost, as a multiple of that. */
const MARKUP: Readonly<Record<Mode, number>> = { vanilla: 1, optimistic: 1.2, tee: 1.5, zkml: 6 };
const SENDERS = 24;

interface User {
  readonly key: SigningKey;
  /** The outcome of the submission before. */
  last: Promise<unknown>;
}

/** Users who sign what arrives: each transaction comes from the next of them, nonces in order. */
export class Users {
  readonly #chainId: string;
  readonly #random: () => number;
  readonly #users: User[];
  #turn = 0;

  constructor(options: { chainId: string; seed: number }) {
    this.#chainId = options.chainId;
    this.#random = uniformOf(options.seed + 1);
    const secret = new Uint8Array(new Int32Array([options.seed, 0, 0, 0, 0, 0, 0, 0]).buffer);
    this.#users = Array.from({ length: SENDERS }, (_, index) => ({
      key: signingKeyFromSeed(deriveSeed(secret, `user/${index}`)),
      last: Promise.resolve(),
    }));
  }

  get accounts(): readonly string[] {
    return this.#users.map(({ key }) => key.publicKeyHex);
  }

  /** The next user signs and submits, after the outcome of that user's last one is known. */
  submit(arrival: Arrival, ttlBlocks: number, pipe: Pick<Pipe, "account" | "submit">): Promise<SubmitOutcome> {
    const user = this.#users[this.#turn++ % SENDERS] as User;
    const gasPriceGwei = 1 + Math.floor(100 * this.#random());
    const calls = arrival.calls.map((question) => this.#callOf(question));
    const outcome = user.last.then(async () => {
      const sender = user.key.publicKeyHex;
      // Asked anew each time: a refunded transaction leaves its nonce to the next one.
      const nonce = (await pipe.account(sender))?.nextNonce ?? 0;
      const unsigned = { chainId: this.#chainId, sender, nonce, gasPriceGwei, ttlBlocks, calls };
      return pipe.submit(signTransaction(unsigned, user.key));
    });
    user.last = outcome.catch(() => undefined);
    return outcome;
  }

  #callOf({ model, mode, conflict, tokensIn, tokensOut }: Question): SignedCall {
    return {
      model,
      mode,
      input: Buffer.from(inputFor(model, this.#random)).toString("base64"),
      tokensIn,
      tokensOut,
      // All whose answers count are paid.
      maxFeeGwei: quorum(conflict) * MARKUP[mode] * (MAX_FEES_GWEI[model] ?? USUAL_MAX_FEE_GWEI),
      conflict,
      validityBlocks: 16,
    };
  }
}

/** An input that a model of the package takes; `uniform` draws its features. */
function inputFor(model: string, uniform: () => number): Uint8Array {
  const provable = readZkManifest().models.find((entry) => entry.model === model)?.circuit.input;
  if (provable !== undefined) {
    return Uint8Array.from({ length: provable.count * provable.bytes }, () => Math.floor(256 * uniform()));
  }
  const tensor = readManifest().models.find((entry) => entry.model === model)?.input;
  return encodeTensor(Array.from({ length: tensor === undefined ? 0 : elementCount(tensor) }, () => 2 * uniform() - 1));
}

/** The first numbers after a small seed are all but 1: the demonstration would begin with seconds in which nobody comes. */
const SKIPPED_NUMBERS = 32;

function uniformOf(seed: number): () => number {
  const generator = xoroshiro128plus(seed);
  for (let skipped = 0; skipped < SKIPPED_NUMBERS; skipped++) generator.next();
  return () => (generator.next() >>> 0) / 2 ** 32;
}
