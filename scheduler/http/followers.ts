import { NodeHttpServerRequest } from "@effect/platform-node";
import { Effect, Stream } from "effect";
import { type HttpServerRequest, HttpServerResponse } from "effect/http";
import type { Cursor, EventHub } from "./event-hub.ts";
import type { HttpLimits } from "./limits.ts";
import { Problem } from "./problems.ts";

export interface Followers {
  /** Answers with a stream of server-sent events. */
  readonly follow: (
    request: HttpServerRequest.HttpServerRequest,
    options: { readonly producer: boolean },
  ) => Effect.Effect<HttpServerResponse.HttpServerResponse, Problem>;
}

const HEADERS = {
  "cache-control": "no-store",
  // Proxies that gather answers would hold events back.
  "x-accel-buffering": "no",
};

/** Lets so many follow the hub, and keeps some places for the producer. */
export function followersOf(hub: EventHub, limits: HttpLimits, onCount: (count: number) => void): Followers {
  const count = { open: 0, producer: 0 };
  const tell = (who: keyof typeof count, change: number): void => {
    count[who] += change;
    onCount(count.open + count.producer);
  };
  const follow: Followers["follow"] = (request, { producer }) =>
    Effect.suspend(() => {
      const { maxFollowers, maxOpenFollowers } = limits;
      if (count.open + count.producer >= maxFollowers) return Effect.fail(tooMany(maxFollowers));
      if (!producer && count.open >= maxOpenFollowers) return Effect.fail(tooMany(maxOpenFollowers));
      const response = NodeHttpServerRequest.toServerResponse(request);
      if (response.destroyed) return Effect.succeed(HttpServerResponse.empty());
      const who = producer ? "producer" : "open";
      tell(who, 1);
      // Whatever becomes of it: also when nobody ever reads the stream.
      response.once("close", () => tell(who, -1));
      const body = framesOf(hub, request.headers["last-event-id"], limits).pipe(
        Stream.map((text) => Buffer.from(text)),
      );
      return Effect.succeed(HttpServerResponse.stream(body, { contentType: "text/event-stream", headers: HEADERS }));
    });
  return { follow };
}

/** What a follower is written, piece by piece. The next piece is made when the last one has left the process. */
function framesOf(hub: EventHub, lastEventId: string | undefined, limits: HttpLimits): Stream.Stream<string> {
  const { heartbeatMs, maxFrameCharacters } = limits;
  const begun = hub.begin(lastEventId);
  const greeting = Stream.succeed(hub.greeting(begun));
  const frames = Stream.unfold(begun, (cursor: Cursor) =>
    Effect.gen(function* () {
      if (hub.isWaiting(cursor)) {
        if (hub.ended) return undefined;
        yield* news(hub, heartbeatMs);
      }
      // Nothing but the time has passed: a comment, which tells both ends that the other is there.
      if (hub.isWaiting(cursor)) return [hub.ended ? "" : ":\n\n", cursor] as const;
      const { text, cursor: next } = hub.read(cursor, maxFrameCharacters);
      return [text, next] as const;
    }),
  );
  return Stream.concat(
    greeting,
    Stream.filter(frames, (text) => text !== ""),
  );
}

/** Until there is something new, or that time is over. */
function news(hub: EventHub, limitMs: number): Effect.Effect<void> {
  return Effect.callback<void>((resume) => {
    const done = (): void => resume(Effect.void);
    const forget = hub.onNews(done);
    const timer = setTimeout(done, limitMs);
    return Effect.sync(() => {
      forget();
      clearTimeout(timer);
    });
  }).pipe(Effect.asVoid);
}

function tooMany(limit: number): Problem {
  return new Problem({
    kind: "too-many-followers",
    detail: `${limit} follow already, which is the limit.`,
    advice: "Follow again after a while, ask for the status of single transactions, or share one follower.",
  });
}
