import { NodeHttpServerRequest } from "@effect/platform-node";
import { type Cause, Effect, Schema } from "effect";
import { HttpServerError, HttpServerRequest, HttpServerResponse } from "effect/http";
import { HttpApi, HttpApiError } from "effect/http-api";
import { api } from "./api.ts";
import { bearerOf } from "./bearer.ts";
import { malformedBy } from "./body.ts";
import type { Face } from "./face.ts";
import type { HttpMeters } from "./metrics.ts";
import { Problem, problemResponse } from "./problems.ts";
import { doubtful } from "./refusals.ts";

/** A route of the API: which paths it is, by which methods. */
interface Route {
  readonly path: string;
  readonly pattern: RegExp;
  readonly methods: string[];
}

const ROUTES = routesOf();
/** Path of the OpenAPI document, which is no endpoint of the API itself. */
export const DOCUMENT_PATH = "/openapi.json";

/**
 * Around the routes: nothing that goes wrong in them, or before them, is answered by anything but a problem, and none of it
 * reaches the process.
 */
export function edged<E, R>(
  face: Face,
  app: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>,
  { meters, connections }: { readonly meters: HttpMeters; readonly connections: () => number },
): Effect.Effect<HttpServerResponse.HttpServerResponse, never, R | HttpServerRequest.HttpServerRequest> {
  return Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest;
    const startedMs = performance.now();
    const path = pathOf(request.url);
    const route = path === DOCUMENT_PATH ? DOCUMENT_PATH : routeAt(path)?.path;
    const refusal = refuseAtOnce(face, { route, headers: request.headers, connections: connections() });
    const response =
      refusal === undefined
        ? yield* Effect.catchCause(app, (cause) => answerTo(cause, request, path))
        : problemResponse(refusal);
    meters.answered({ route: route ?? "none", method: request.method, status: response.status });
    // Streams of events last as long as their followers like.
    if (route !== "/v1/events") {
      const written = NodeHttpServerRequest.toServerResponse(request);
      written.once("close", () => meters.took(route ?? "none", performance.now() - startedMs));
    }
    return response;
  });
}

/** What is asked of the scheduler's operation is answered as long as there is a process. */
const ALWAYS = new Set(["/health", "/ready", "/metrics", DOCUMENT_PATH]);

function refuseAtOnce(
  { limits, isClosing, isProducer, doubt }: Face,
  about: {
    readonly route: string | undefined;
    readonly headers: Readonly<Record<string, string | undefined>>;
    readonly connections: number;
  },
): Problem | undefined {
  if (about.route !== undefined && ALWAYS.has(about.route)) return undefined;
  if (isClosing()) return CLOSING;
  const doubted = doubt();
  if (doubted !== undefined) return doubtful(doubted);
  if (about.connections <= limits.maxConnections) return undefined;
  // Blocks go on, however many users there are.
  const token = bearerOf(about.headers["authorization"]);
  return token !== undefined && isProducer(token) ? undefined : tooManyConnections(limits.maxConnections);
}

function answerTo(cause: Cause.Cause<unknown>, request: HttpServerRequest.HttpServerRequest, path: string) {
  for (const reason of cause.reasons) {
    const error = reason._tag === "Fail" ? reason.error : reason._tag === "Die" ? reason.defect : undefined;
    if (HttpServerError.isHttpServerError(error) && error.reason._tag === "RouteNotFound") {
      return Effect.succeed(problemResponse(noRoute(request.method, path)));
    }
    // What the service says that no schema describes is our own fault, and looked at below.
    if (HttpApiError.HttpApiSchemaError.is(error) && error.kind !== "Body" && error.kind !== "ResponseHeaders") {
      const { cause: schemaError } = error;
      if (Schema.isSchemaError(schemaError)) return Effect.succeed(problemResponse(malformedBy(schemaError.issue)));
    }
  }
  // Who asked is gone: nobody hears the answer.
  if (cause.reasons.every(({ _tag }) => _tag === "Interrupt"))
    return Effect.succeed(HttpServerResponse.empty({ status: 499 }));
  const about = { method: request.method, path: path.slice(0, 256) };
  return Effect.logError("a request met a fault", cause).pipe(
    Effect.annotateLogs(about),
    Effect.as(problemResponse(INTERNAL)),
  );
}

function noRoute(method: string, path: string): Problem {
  const route = routeAt(path);
  const shown = path.slice(0, 128);
  if (route === undefined) {
    return new Problem({
      kind: "not-found",
      detail: `There is nothing at ${shown}.`,
      advice: `${DOCUMENT_PATH} describes what there is.`,
    });
  }
  if (route.methods.includes(method)) {
    return new Problem({
      kind: "malformed",
      detail: `The path ${shown} holds a name that cannot be read.`,
      advice: "Write names in paths as UTF-8, percent-encoded, with at most 256 characters.",
      extra: { path: "" },
    });
  }
  const allow = route.methods.join(", ");
  return new Problem({
    kind: "method-not-allowed",
    detail: `${method.slice(0, 16)} cannot be done at ${shown}.`,
    advice: `Use ${allow}.`,
    headers: { allow },
  });
}

function routeAt(path: string): Route | undefined {
  return ROUTES.find(({ pattern }) => pattern.test(path));
}

function pathOf(url: string): string {
  const end = url.search(/[?#]/);
  return end === -1 ? url : url.slice(0, end);
}

function routesOf(): readonly Route[] {
  const methods = new Map<string, string[]>();
  HttpApi.reflect(api, {
    onGroup: () => undefined,
    onEndpoint: ({ endpoint }) => {
      const known = methods.get(endpoint.path) ?? [];
      methods.set(endpoint.path, [...known, endpoint.method]);
    },
  });
  return [...methods].map(([path, known]) => ({
    path,
    methods: known.includes("GET") ? [...known, "HEAD"] : known,
    pattern: new RegExp(`^${path.replaceAll(".", "\\.").replace(/:[a-z]+/g, "[^/]+")}$`),
  }));
}

function tooManyConnections(limit: number): Problem {
  return new Problem({
    kind: "too-many-connections",
    detail: `${limit} are connected, which is the limit.`,
    advice: "Send requests over connections that are kept, and fewer of them; try again after a few seconds.",
    headers: { connection: "close" },
  });
}

const CLOSING = new Problem({
  kind: "closed",
  detail: "The scheduler is closing.",
  advice: "Nothing was done; send the same request again when it is back.",
  headers: { connection: "close" },
});

const INTERNAL = new Problem({
  kind: "internal",
  detail: "The request met a fault of the scheduler's own.",
  advice: "Whether it was done is not known: ask. The scheduler's log says more.",
});
