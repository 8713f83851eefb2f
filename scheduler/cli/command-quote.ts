import { Effect, Option } from "effect";
import { Argument, Command, Flag } from "effect/cli";
import { PipeFailed } from "../index.ts";
import type { ConflictRule } from "../shared/vocabulary.ts";
import type { QuoteQuestion } from "../live/quote.ts";
import { type Quoted, QuoteRefused, quoteDirectory, quoteFleet } from "./quote.ts";
import { formatQuote } from "./quote-text.ts";

/** What a quote looks at: as much as the mempool lets a transaction wait. */
const MAX_TTL_BLOCKS = 1_024;
const MAX_TOKENS = 2 ** 24;
const MAX_QUORUM = 5;

const model = Argument.String("MODEL").pipe(Argument.withDescription("a model of the registry, such as risk-small"));

const flags = {
  model,
  directory: Flag.String("directory").pipe(
    Flag.optional,
    Flag.withMetavar("DIR"),
    Flag.withDescription("a scheduler's directory; without it the default fleet is started and asked a few times"),
  ),
  tokensIn: Flag.Int("tokens-in").pipe(
    Flag.withDefault(16),
    Flag.withMetavar("N"),
    Flag.withDescription("tokens of the question"),
  ),
  tokensOut: Flag.Int("tokens-out").pipe(
    Flag.withDefault(16),
    Flag.withMetavar("N"),
    Flag.withDescription("tokens of the answer"),
  ),
  conflict: Flag.String("conflict").pipe(
    Flag.withDefault("first-valid"),
    Flag.withMetavar("RULE"),
    Flag.withDescription("first-valid, agree:OPERATORS or median:OPERATORS:TOLERANCE"),
  ),
  ttl: Flag.Int("ttl").pipe(
    Flag.withDefault(24),
    Flag.withMetavar("BLOCKS"),
    Flag.withDescription(`blocks that it may wait, 1 to ${MAX_TTL_BLOCKS}`),
  ),
  json: Flag.Boolean("json").pipe(Flag.withDefault(false), Flag.withDescription("print the quote as one JSON object")),
};

/** Exit code of a program that was interrupted by Ctrl-C. */
const INTERRUPTED = 130;

/** `pipe quote`: exit code 0, 2 for a question that makes no sense, 130 after Ctrl-C. */
export const quote = Command.make(
  "quote",
  flags,
  Effect.fn(function* (given) {
    const question = questionOf(given);
    if (typeof question === "string") return refuse(question);
    const directory = Option.getOrUndefined(given.directory);
    // Interruption is its own affair: threads are to be ended.
    yield* Effect.uninterruptible(Effect.promise(() => run(question, { directory, json: given.json })));
  }),
).pipe(Command.withDescription("What a call costs, takes and guarantees in each mode: how much proof to buy"));

interface Given {
  readonly model: string;
  readonly tokensIn: number;
  readonly tokensOut: number;
  readonly conflict: string;
  readonly ttl: number;
}

/** The question, or what is wrong with it. */
export function questionOf({ model, tokensIn, tokensOut, conflict, ttl }: Given): QuoteQuestion | string {
  for (const [name, value] of [
    ["--tokens-in", tokensIn],
    ["--tokens-out", tokensOut],
  ] as const) {
    if (value < 0 || value > MAX_TOKENS) return `${name} ${value} is out of range: give 0 to ${MAX_TOKENS}.`;
  }
  if (ttl < 1 || ttl > MAX_TTL_BLOCKS) return `--ttl ${ttl} is out of range: give 1 to ${MAX_TTL_BLOCKS}.`;
  const rule = parseConflict(conflict);
  if (rule !== undefined) return { model, tokensIn, tokensOut, ttlBlocks: ttl, conflict: rule };
  return `--conflict: "${conflict}" is no rule. Write first-valid, agree:OPERATORS (such as agree:2) or median:OPERATORS:TOLERANCE (such as median:3:0.05), with 1 to ${MAX_QUORUM} operators.`;
}

function parseConflict(text: string): ConflictRule | undefined {
  if (text === "first-valid") return { kind: "first-valid" };
  const match = /^(?:(agree):(\d)|(median):(\d):(\d{1,15}(?:\.\d{1,15})?))$/.exec(text);
  const k = Number(match?.[2] ?? match?.[4]);
  if (match === null || k < 1 || k > MAX_QUORUM) return undefined;
  return match[1] === "agree" ? { kind: "agree", k } : { kind: "median", k, tolerance: Number(match[5]) };
}

async function run(
  question: QuoteQuestion,
  { directory, json }: { readonly directory: string | undefined; readonly json: boolean },
): Promise<void> {
  const interruption = new AbortController();
  const onSignal = (): void => interruption.abort();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, onSignal);
  const note = (text: string): void => void process.stderr.write(`${text}\n`);
  try {
    const about = { note, interrupted: interruption.signal };
    const quoted = await (directory === undefined ? quoteFleet(question, about) : quoteDirectory(directory, question));
    show(quoted, json);
  } catch (error) {
    if (interruption.signal.aborted) process.exitCode = INTERRUPTED;
    else if (error instanceof QuoteRefused) refuse(error.message);
    else if (error instanceof PipeFailed) {
      note(`pipe quote: the scheduler stopped: ${error.message}`);
      process.exitCode = 1;
    } else throw error;
  } finally {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.off(signal, onSignal);
  }
}

function show({ quote, source }: Quoted, json: boolean): void {
  process.stdout.write(json ? `${JSON.stringify({ ...quote, source })}\n` : formatQuote(quote, { source }));
}

function refuse(message: string): void {
  process.stderr.write(`pipe quote: ${message}\n`);
  process.exitCode = 2;
}
