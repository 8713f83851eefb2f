import { createPipe, defaultFleet, type Mode, type Pipe, startBlockProducer } from "../index.ts";
import { JournalError } from "../live/journal-error.ts";
import { type Quote, type QuoteQuestion, quoteOf } from "../live/quote.ts";
import { readEngine, readRegistryOf } from "../live/read-directory.ts";
import { untilJoined } from "./fleet-up.ts";
import { Users } from "./demo-workload.ts";

/** The question cannot be answered; the message says what to do. */
export class QuoteRefused extends Error {
  override readonly name = "QuoteRefused";
}

/** A quote with a word on where its numbers come from. */
export interface Quoted {
  readonly quote: Quote;
  readonly source: string;
}

/** Quotes by what a stopped scheduler's directory knows. Reads only. Rejects with `QuoteRefused`. */
export async function quoteDirectory(directory: string, question: QuoteQuestion): Promise<Quoted> {
  const registry = await readRegistryOf(directory);
  if (registry === undefined) {
    throw new QuoteRefused(`${directory} has no model registry in its records. Give a scheduler's directory.`);
  }
  requireModel(question.model, [...registry.models.keys()]);
  try {
    const { engine, atUs } = await readEngine(directory);
    return { quote: quoteOf(engine, registry, question, atUs), source: `as ${directory} was left` };
  } catch (error) {
    if (error instanceof JournalError) throw new QuoteRefused(`${error.message}.`, { cause: error });
    throw error;
  }
}

const CHAIN_ID = "pipe-quote";
const INTERVAL_MS = 500;
const FLEET = { count: 6, seedHex: "00".repeat(32), latency: "modelled", faults: "none" } as const;
/** Calls of each mode, so many at a time: enough to learn a median from. */
const WARM_UP_CALLS = 8;
/** A language model's answers take seconds, a proof some hundred milliseconds on a busy machine. */
const WARM_UP_MS = 15_000;
const WARM_UP_TTL = 64;

/**
 * Starts the default fleet, asks it the question a few times in each mode, and quotes by what was learned. Rejects with
 * `QuoteRefused`, and with the signal's reason when it is aborted.
 */
export async function quoteFleet(
  question: QuoteQuestion,
  { note, interrupted }: { readonly note: (text: string) => void; readonly interrupted: AbortSignal },
): Promise<Quoted> {
  note(`Starting ${FLEET.count} inference nodes.`);
  const fleet = { nodes: defaultFleet(FLEET) };
  const pipe = await createPipe({ directory: undefined, chainId: CHAIN_ID, fleet, logger: "error" });
  try {
    requireModel(question.model, [...pipe.registry.models.keys()]);
    const modes = pipe.registry.models.get(question.model)?.modes ?? [];
    await untilJoined(pipe, FLEET.count, interrupted);
    note(`Asking ${question.model} ${WARM_UP_CALLS} times each in mode ${modes.join(", ")}.`);
    const answered = await warmUp(pipe, question, { modes, interrupted });
    return { quote: await pipe.quote(question), source: `by ${answered} calls of the default fleet just now` };
  } finally {
    await pipe.close();
  }
}

function requireModel(model: string, known: readonly string[]): void {
  if (known.includes(model)) return;
  throw new QuoteRefused(`There is no model ${model} in the registry. It has ${known.join(", ")}.`);
}

/** Resolves to how many calls were answered. */
async function warmUp(
  pipe: Pipe,
  question: QuoteQuestion,
  { modes, interrupted }: { readonly modes: readonly Mode[]; readonly interrupted: AbortSignal },
): Promise<number> {
  const users = new Users({ chainId: CHAIN_ID, seed: 1 });
  for (const account of users.accounts) await pipe.deposit({ account, amountGwei: 2 ** 40 });
  const events = pipe.events();
  const over = Promise.withResolvers<void>();
  const limit = setTimeout(over.resolve, WARM_UP_MS);
  interrupted.addEventListener("abort", () => over.resolve(), { once: true });
  const producer = startBlockProducer({
    pipe,
    intervalMs: INTERVAL_MS,
    firstHeight: 1,
    maxTransactions: 1_000,
    order: "arrival",
    confirmations: 1,
    onSealed: () => undefined,
    onTrouble: over.reject,
  });
  const { model, tokensIn, tokensOut } = question;
  const submitted = modes.flatMap((mode) =>
    Array.from({ length: WARM_UP_CALLS }, () => {
      const call = { model, mode, conflict: { kind: "first-valid" }, tokensIn, tokensOut } as const;
      return users.submit({ atMs: 0, ttlBlocks: WARM_UP_TTL, calls: [call] }, WARM_UP_TTL, pipe);
    }),
  );
  let answered = 0;
  const answering = async (): Promise<void> => {
    const outcomes = await Promise.all(submitted);
    const wanted = outcomes.filter(({ ok }) => ok).length;
    if (wanted === 0) return;
    for await (const event of events) if (event.kind === "decided" && ++answered >= wanted) return;
  };
  await Promise.race([answering(), over.promise]).finally(() => {
    clearTimeout(limit);
    return producer.stop();
  });
  interrupted.throwIfAborted();
  return answered;
}
