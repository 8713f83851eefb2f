import { Schema } from "effect";
import { HttpServerResponse } from "effect/http";
import { HttpApiSchema } from "effect/http-api";

/** Every problem that this API answers with: status and title. `urn:pipe:problem:` and the name are its type (RFC 9457). */
export const PROBLEMS = {
  malformed: [400, "The request cannot be understood"],
  unauthorized: [401, "The producer's token is missing or wrong"],
  "not-found": [404, "There is nothing here"],
  "unknown-transaction": [404, "The transaction is not known"],
  "unknown-account": [404, "The account is not known"],
  "unknown-block": [404, "The block is not on the chain"],
  "no-records": [404, "This scheduler keeps no records"],
  "method-not-allowed": [405, "This cannot be done here"],
  "too-slow": [408, "The request took too long to come"],
  "nonce-used": [409, "The nonce is used up"],
  "nonce-gap": [409, "Earlier transactions are missing"],
  "underpriced-replacement": [409, "The gas price is too low to replace another transaction"],
  "not-in-mempool": [409, "The transaction is not in the mempool any more"],
  "block-sealed": [409, "A block of this height is sealed already"],
  "not-open": [409, "Another block is open"],
  "too-many-uncommitted": [409, "Too many sealed blocks wait for the chain"],
  "key-reused": [409, "The idempotency key stands for another request"],
  oversized: [413, "The request is too large"],
  "unsupported-media-type": [415, "The body is of another type than is understood here"],
  "wrong-shard": [421, "Another shard has this account"],
  "wrong-chain": [422, "The transaction is for another chain"],
  "bad-signature": [422, "The signature is not the sender's"],
  underfunded: [422, "The deposit does not cover the calls"],
  "fee-too-low": [422, "No node takes a call for this fee"],
  "unknown-model": [422, "The model is not offered"],
  "mode-not-allowed": [422, "The model is not offered in this mode"],
  "beyond-limit": [422, "A call is beyond its model's limits"],
  "no-number": [422, "The model's answers cannot be compared as numbers"],
  infeasible: [422, "A call would not be answered in time"],
  "out-of-range": [422, "A value is out of its range"],
  "bad-limit": [422, "A block cannot take that many transactions"],
  "bad-policy": [422, "This is no policy that can be followed"],
  "sender-limit": [429, "Too many transactions of this sender wait"],
  "headers-too-large": [431, "The headers are too large"],
  internal: [500, "The scheduler met a fault of its own"],
  overloaded: [503, "The scheduler has too much to do"],
  "pool-full": [503, "The mempool is full"],
  "too-many-accounts": [503, "No further account can be kept"],
  "too-many-followers": [503, "Too many follow the events"],
  "too-many-connections": [503, "Too many are connected"],
  closed: [503, "The scheduler is closing"],
  failed: [503, "The scheduler has failed"],
  "not-ready": [503, "The scheduler is not ready"],
  standby: [503, "Another scheduler leads the shard, or may"],
} as const satisfies Readonly<Record<string, readonly [status: number, title: string]>>;

export type ProblemKind = keyof typeof PROBLEMS;

export const PROBLEM_TYPE = "application/problem+json";

/** Seconds after which it makes sense to ask again, for what passes by itself. */
const RETRY_AFTER_S: Partial<Record<ProblemKind, number>> = {
  "sender-limit": 1,
  overloaded: 1,
  "pool-full": 1,
  "too-many-accounts": 60,
  "too-many-followers": 10,
  "too-many-connections": 5,
  closed: 5,
  failed: 5,
  "not-ready": 1,
  standby: 1,
};

/** Why a request is not done; the failure of every effect that answers one. */
export class Problem {
  readonly _tag = "Problem";
  readonly kind: ProblemKind;
  readonly detail: string;
  /** What can be done about it. */
  readonly advice: string;
  /** Further members of the answer. */
  readonly extra: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, string>>;

  constructor(options: {
    readonly kind: ProblemKind;
    readonly detail: string;
    readonly advice: string;
    readonly extra?: Readonly<Record<string, unknown>>;
    readonly headers?: Readonly<Record<string, string>>;
  }) {
    const { kind, detail, advice, extra = {}, headers = {} } = options;
    const seconds = RETRY_AFTER_S[kind];
    this.kind = kind;
    this.detail = detail;
    this.advice = advice;
    this.extra = extra;
    this.headers = seconds === undefined ? headers : { "retry-after": String(seconds), ...headers };
  }

  get status(): number {
    return PROBLEMS[this.kind][0];
  }

  /** The body, as text. */
  get text(): string {
    const [status, title] = PROBLEMS[this.kind];
    const { kind, detail, advice, extra } = this;
    return JSON.stringify({ ...extra, type: problemType(kind), title, status, detail, advice });
  }
}

function problemType(kind: ProblemKind): string {
  return `urn:pipe:problem:${kind}`;
}

export function problemResponse(problem: Problem): HttpServerResponse.HttpServerResponse {
  const { text, status, headers } = problem;
  return HttpServerResponse.text(text, { status, contentType: PROBLEM_TYPE, headers: { ...headers, ...NOT_KEPT } });
}

/** Answers are of the moment. */
export const NOT_KEPT = { "cache-control": "no-store" } as const;

/** What may befall any request. */
const COMMON: readonly ProblemKind[] = [
  "malformed",
  "internal",
  "overloaded",
  "too-many-connections",
  "closed",
  "failed",
  "standby",
];
/** What may befall any request with a body. */
export const OF_BODIES: readonly ProblemKind[] = ["too-slow", "oversized", "unsupported-media-type"];

const Detail = { title: Schema.String, detail: Schema.String, advice: Schema.String };

/** Schemas of what an endpoint may answer in place of what was asked, for the document: one for each status. */
export function problems(...kinds: readonly ProblemKind[]) {
  const byStatus = Map.groupBy(new Set([...kinds, ...COMMON]), (kind) => PROBLEMS[kind][0] as number);
  return [...byStatus].map(([status, those]) =>
    Schema.StructWithRest(
      Schema.Struct({
        type: Schema.Literals(those.map(problemType)),
        status: Schema.Literal(status),
        ...Detail,
      }),
      [Schema.Record(Schema.String, Schema.Unknown)],
    ).pipe(HttpApiSchema.status(status), HttpApiSchema.asJson({ contentType: PROBLEM_TYPE })),
  );
}
