import { Effect } from "effect";
import { HttpServerResponse } from "effect/http";
import { HttpApiBuilder } from "effect/http-api";
import { PrometheusMetrics } from "effect/observability";
import { PROGRAM } from "../live/program.ts";
import { api } from "./api.ts";
import type { Face } from "./face.ts";
import { METRICS_TYPE } from "./metrics.ts";
import { NOT_KEPT, Problem } from "./problems.ts";
import { answering } from "./refusals.ts";

/** What those ask who run it. */
export const operationGroup = (face: Face) =>
  HttpApiBuilder.group(api, "operation", (handlers) =>
    handlers
      // Whoever hears this is heard by a process that is alive; whether it is of any use, /ready says.
      .handle("health", () => Effect.succeed({ status: "alive" as const, program: PROGRAM }))
      .handle("ready", () => answering(readiness(face)))
      .handle("metrics", () =>
        Effect.map(PrometheusMetrics.format(), (text) =>
          HttpServerResponse.text(text, {
            contentType: METRICS_TYPE,
            headers: NOT_KEPT,
          }),
        ),
      ),
  );

function readiness(face: Face) {
  const { pipe, limits } = face;
  return Effect.gen(function* () {
    const failure = face.failure();
    if (failure !== undefined) return yield* notReady([`the scheduler has failed: ${failure.message}`]);
    if (face.isClosing()) return yield* notReady(["the scheduler is closing"]);
    const doubted = face.doubt();
    if (doubted !== undefined) return yield* notReady([doubted.reason]);
    const statistics = yield* pipe.statistics().pipe(
      Effect.timeoutOrElse({
        duration: limits.readyTimeoutMs,
        orElse: () => notReady([`the scheduler's loop has not answered for ${limits.readyTimeoutMs} ms`]),
      }),
    );
    const { nodes, height } = statistics.sizes;
    if (nodes === 0) return yield* notReady(["no node has joined"]);
    return { status: "ready" as const, nodes, height };
  });
}

function notReady(reasons: readonly string[]): Effect.Effect<never, Problem> {
  return Effect.fail(
    new Problem({
      kind: "not-ready",
      detail: `Not ready: ${reasons.join("; ")}.`,
      advice: "Send transactions to another scheduler, or wait.",
      extra: { reasons },
    }),
  );
}
