import { Effect } from "effect";
import { HttpServerResponse } from "effect/http";
import { HttpApiBuilder } from "effect/http-api";
import { intakeOf } from "../proofs/transaction-digest.ts";
import type { SubmitProblem } from "../live/outcomes.ts";
import { api } from "./api.ts";
import { decoding } from "./body.ts";
import { Problem } from "./problems.ts";
import { answering, refusedTransaction } from "./refusals.ts";
import { AskedTransaction, QuoteQuestion } from "./schemas.ts";
import type { Face } from "./face.ts";
import { statusOf } from "./views.ts";

const askedTransaction = decoding(AskedTransaction);
const quoteQuestion = decoding(QuoteQuestion);

/** What users ask. */
export const usersGroup = (face: Face) =>
  HttpApiBuilder.group(api, "transactions", (handlers) =>
    handlers
      .handleRaw("submit", ({ request }) =>
        answering(Effect.flatMap(face.bodies.json(request), (signed) => submit(face, signed))),
      )
      .handle("status", ({ params }) => answering(Effect.map(known(face, params.hash), statusOf)))
      .handle("estimate", ({ params }) =>
        answering(
          Effect.gen(function* () {
            yield* known(face, params.hash);
            return plain({ hash: params.hash, seal: yield* face.pipe.estimate(params.hash) });
          }),
        ),
      )
      .handleRaw("estimateNew", ({ request }) =>
        answering(
          Effect.gen(function* () {
            const asked = yield* Effect.flatMap(face.bodies.json(request), askedTransaction);
            if (asked.chainId !== face.chainId) return yield* Effect.fail(wrongChain(asked.chainId, face.chainId));
            yield* served(face, asked.sender);
            const { terms } = intakeOf({ ...asked, signature: "" });
            return plain({ hash: terms.hash, seal: yield* face.pipe.estimate(terms) });
          }),
        ),
      )
      .handleRaw("quote", ({ request }) =>
        answering(
          Effect.gen(function* () {
            const { conflict, ...question } = yield* Effect.flatMap(face.bodies.json(request), quoteQuestion);
            const { models } = face.pipe.registry;
            if (!models.has(question.model)) return yield* Effect.fail(unknownModel(question.model, models.keys()));
            return plain(yield* face.pipe.quote({ ...question, ...(conflict === undefined ? {} : { conflict }) }));
          }),
        ),
      ),
  );

/** A thousand blocks may be in it, and anybody may ask: written as it is, it costs less than half of what checking each does. */
function plain(value: object): HttpServerResponse.HttpServerResponse {
  return HttpServerResponse.jsonUnsafe(value);
}

/** Fails for an account of another shard. */
export function served({ misdirected }: Face, account: string): Effect.Effect<void, Problem> {
  const problem = misdirected(account);
  return problem === undefined ? Effect.void : Effect.fail(problem);
}

/** Who seems to have sent it; whether it did is looked at later. */
function senderOf(signed: unknown): string {
  const sender = typeof signed === "object" && signed !== null && "sender" in signed ? signed.sender : undefined;
  return typeof sender === "string" ? sender : "";
}

function submit(face: Face, signed: unknown) {
  const { pipe } = face;
  return Effect.gen(function* () {
    const sender = senderOf(signed);
    if (sender !== "") yield* served(face, sender);
    const outcome = yield* pipe.submit(signed);
    if (outcome.ok) {
      return yield* HttpServerResponse.json(
        { hash: outcome.hash, known: false },
        { status: 202, headers: { location: `/v1/transactions/${outcome.hash}` } },
      ).pipe(Effect.orDie);
    }
    const { problem } = outcome;
    // Who sends it again wants to know that it has arrived: that is no failure.
    if (isDuplicate(problem)) {
      const { hash } = intakeOf(signed as Parameters<typeof intakeOf>[0]).terms;
      const view = yield* pipe.status(hash);
      return HttpServerResponse.jsonUnsafe(
        { hash, known: true, ...(view === undefined ? {} : { transaction: statusOf(view) }) },
        { headers: { location: `/v1/transactions/${hash}` } },
      );
    }
    return yield* Effect.fail(refusedTransaction(problem));
  });
}

function isDuplicate(problem: SubmitProblem): boolean {
  return problem.kind === "rejected" && problem.rejection.reason === "duplicate";
}

/** The transaction, when it is known. */
export function known({ pipe }: Face, hash: string) {
  return Effect.flatMap(pipe.status(hash), (view) =>
    view === undefined ? Effect.fail(unknownTransaction(hash)) : Effect.succeed(view),
  );
}

function unknownTransaction(hash: string): Problem {
  return new Problem({
    kind: "unknown-transaction",
    detail: `No transaction ${hash} is known.`,
    advice:
      "It was never taken, or has left: transactions are forgotten when they are refunded, and when their block is final. Look for its receipts in its block.",
  });
}

function wrongChain(chainId: string, expected: string): Problem {
  return new Problem({
    kind: "wrong-chain",
    detail: `It is for ${chainId}.`,
    advice: `This scheduler serves the chain ${expected}.`,
    extra: { chainId, expected },
  });
}

function unknownModel(model: string, models: Iterable<string>): Problem {
  return new Problem({
    kind: "unknown-model",
    detail: `There is no model ${model} in the registry.`,
    advice: `It has ${[...models].slice(0, 16).join(", ")}; /v1/registry names all.`,
    extra: { model },
  });
}
