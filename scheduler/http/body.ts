import { NodeHttpServerRequest } from "@effect/platform-node";
import { Effect, Result, Schema, SchemaIssue } from "effect";
import type { HttpServerRequest } from "effect/http";
import type { HttpLimits } from "./limits.ts";
import { Problem } from "./problems.ts";

/** Bytes of bodies that are being read, of all requests together. */
export class BodyBudget {
  readonly #limit: number;
  #taken = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  take(bytes: number): boolean {
    if (this.#taken + bytes > this.#limit) return false;
    this.#taken += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#taken -= bytes;
  }
}

/** Reads bodies, never more than a server may hold. */
export interface Bodies {
  /** The body as text, of one of the media types. */
  readonly text: (
    request: HttpServerRequest.HttpServerRequest,
    types: readonly string[],
  ) => Effect.Effect<string, Problem>;
  /** The body as JSON, whatever it says. */
  readonly json: (request: HttpServerRequest.HttpServerRequest) => Effect.Effect<unknown, Problem>;
}

export const JSON_TYPES = ["application/json"];

export function bodiesWithin({ maxBodyBytes, maxBodyBytesInFlight }: HttpLimits): Bodies {
  const budget = new BodyBudget(maxBodyBytesInFlight);
  const text: Bodies["text"] = (request, types) => {
    const refusal = refuseByHeaders(request.headers, types, maxBodyBytes);
    if (refusal !== undefined) return Effect.fail(refusal);
    return Effect.tryPromise({
      try: (signal) => readWithin(request, { maxBodyBytes, budget, signal }),
      catch: (error) => (error instanceof Problem ? error : BROKEN_OFF),
    });
  };
  const json: Bodies["json"] = (request) =>
    Effect.flatMap(text(request, JSON_TYPES), (said) =>
      Effect.try({ try: (): unknown => JSON.parse(said), catch: (error) => notJson(error) }),
    );
  return { text, json };
}

function refuseByHeaders(
  headers: Readonly<Record<string, string | undefined>>,
  types: readonly string[],
  maxBodyBytes: number,
): Problem | undefined {
  const [type = "", ...parameters] = (headers["content-type"] ?? "")
    .split(";")
    .map((part) => part.trim().toLowerCase());
  const charset = parameters.find((parameter) => parameter.startsWith("charset="));
  const utf8 = charset === undefined || /^charset="?utf-8"?$/.test(charset);
  const encoding = headers["content-encoding"] ?? "identity";
  if (!types.includes(type) || !utf8 || encoding !== "identity") return unsupported(types);
  const announced = Number(headers["content-length"] ?? 0);
  return announced > maxBodyBytes ? oversized(announced, maxBodyBytes) : undefined;
}

async function readWithin(
  request: HttpServerRequest.HttpServerRequest,
  limits: { readonly maxBodyBytes: number; readonly budget: BodyBudget; readonly signal: AbortSignal },
): Promise<string> {
  const { maxBodyBytes, budget, signal } = limits;
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    const source = NodeHttpServerRequest.toIncomingMessage(request);
    // Not destroyed when it is left: the connection still has to carry the answer.
    for await (const chunk of source.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) {
      if (signal.aborted) throw BROKEN_OFF;
      if (bytes + chunk.length > maxBodyBytes) throw oversized(bytes + chunk.length, maxBodyBytes);
      if (!budget.take(chunk.length)) throw NO_ROOM;
      bytes += chunk.length;
      chunks.push(chunk);
    }
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks));
  } catch (error) {
    throw error instanceof TypeError ? notJson(new Error("it is not UTF-8")) : error;
  } finally {
    budget.give(bytes);
  }
}

const formatIssue = SchemaIssue.makeFormatterStandardSchemaV1();
/** A message as long as this says enough. */
const MAX_MESSAGE = 256;

/** Makes of what a client sent what the schema describes, and nothing more. */
export function decoding<A>(schema: Schema.ConstraintDecoder<A, never>) {
  const decode = Schema.decodeUnknownResult(schema, { onExcessProperty: "error", errors: "first" });
  return (input: unknown): Effect.Effect<A, Problem> => {
    const decoded = decode(input);
    if (Result.isSuccess(decoded)) return Effect.succeed(decoded.success);
    return Effect.fail(malformedBy(decoded.failure.issue));
  };
}

/** The first thing that is wrong, with its place. */
export function malformedBy(issue: SchemaIssue.Issue): Problem {
  const [first] = formatIssue(issue).issues;
  const steps = (first?.path ?? []).map((step) => String(typeof step === "object" ? step.key : step).slice(0, 64));
  const path = steps.join(".");
  const message = (first?.message ?? "not what is asked for").slice(0, MAX_MESSAGE);
  const place = path === "" ? "what was sent" : path;
  return new Problem({
    kind: "malformed",
    detail: `${place}: ${message}`,
    advice: `Correct ${place} and send it again.`,
    extra: { path },
  });
}

function notJson(error: unknown): Problem {
  const said = error instanceof Error ? error.message : String(error);
  return new Problem({
    kind: "malformed",
    detail: `The body is not JSON in UTF-8: ${said.slice(0, MAX_MESSAGE)}`,
    advice: "Send one JSON value.",
    extra: { path: "" },
  });
}

function unsupported(types: readonly string[]): Problem {
  return new Problem({
    kind: "unsupported-media-type",
    detail: `This takes ${types.join(" or ")}, in UTF-8 and not compressed.`,
    advice: `Say content-type: ${types[0] ?? ""}, and leave content-encoding out.`,
    headers: { accept: types.join(", ") },
  });
}

function oversized(size: number, limit: number): Problem {
  return new Problem({
    kind: "oversized",
    detail: `The body has ${size} bytes or more; at most ${limit} are taken.`,
    advice: "Send less at a time: split the calls over several transactions.",
    extra: { what: "body", size, limit },
    // What is left of it is not waited for.
    headers: { connection: "close" },
  });
}

const NO_ROOM = new Problem({
  kind: "overloaded",
  detail: "Too many bodies are being read.",
  advice: "Nothing was done; send the same request again after a second.",
  headers: { connection: "close" },
});

/** Nobody is there to read it. */
const BROKEN_OFF = new Problem({
  kind: "malformed",
  detail: "The request broke off.",
  advice: "Send it again.",
  extra: { path: "" },
  headers: { connection: "close" },
});
