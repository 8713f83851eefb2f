import type { AddressInfo } from "node:net";
import { NodeHttpServer } from "@effect/platform-node";
import { Effect, Exit, Layer, Scope, Semaphore } from "effect";
import { HttpRouter } from "effect/http";
import { HttpApiBuilder } from "effect/http-api";
import { PipeService } from "../live/layers.ts";
import { assert } from "../shared/assert.ts";
import { api } from "./api.ts";
import { bodiesWithin } from "./body.ts";
import { DepositKeys } from "./deposit-keys.ts";
import { DOCUMENT_PATH, edged } from "./edge.ts";
import { EventHub } from "./event-hub.ts";
import type { Face, LeadDoubt } from "./face.ts";
import { followersOf } from "./followers.ts";
import { chainGroup } from "./handlers-chain.ts";
import { operationGroup } from "./handlers-operation.ts";
import { producerGroup, producerOnly } from "./handlers-producer.ts";
import { usersGroup } from "./handlers-users.ts";
import { assertHttpLimits, DEFAULT_HTTP_LIMITS, type HttpLimits } from "./limits.ts";
import { ListenFailed, troubleOf } from "./listen-failed.ts";
import { HttpMeters } from "./metrics.ts";
import { listen, stop } from "../live/listening.ts";
import { countConnections, createNodeServer } from "./node-server.ts";
import { directionsOf, type Shards } from "./shards.ts";
import { tokenCheck } from "./token.ts";

export interface HttpOptions {
  readonly chainId: string;
  /** Where the records stand; `undefined` for a scheduler that keeps none. */
  readonly directory: string | undefined;
  readonly host: string;
  /** 0 for one that is free. */
  readonly port: number;
  /** What the producer sends as a bearer token. */
  readonly token: string;
  /** Certificate chain and key, PEM; `undefined` for plain HTTP. */
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  /** What differs from `DEFAULT_HTTP_LIMITS`. */
  readonly limits?: Partial<HttpLimits>;
  /** Accounts of other shards are sent there; without it all are served. */
  readonly shards?: Shards;
  /** Asked before each answer; without it this scheduler is the only one. */
  readonly doubt?: () => LeadDoubt | undefined;
  /** Ends what had the port until the scheduler was up. */
  readonly beforeListening?: () => Promise<void>;
}

/**
 * Serves the API of a scheduler for as long as the scope is open, and gives its URL. When the scope closes, nothing new is
 * taken, followers are told the end, requests under way end by themselves within a time, and what is left then is cut off. The
 * scheduler is still there meanwhile, so that what was asked is answered.
 */
export const serveHttp = Effect.fnUntraced(function* (options: HttpOptions) {
  const limits = { ...DEFAULT_HTTP_LIMITS, ...options.limits };
  assertHttpLimits(limits);
  const pipe = yield* PipeService;
  const hub = new EventHub(limits.keptEvents);
  const meters = new HttpMeters(yield* Effect.context<never>());
  let closing = false;
  let failure: Error | undefined;
  void pipe.failed.then((error) => {
    failure = error;
  });
  const face: Face = {
    pipe,
    chainId: options.chainId,
    directory: options.directory,
    misdirected: directionsOf(options.shards),
    limits,
    bodies: bodiesWithin(limits),
    producerBodies: bodiesWithin(limits),
    lookups: Semaphore.makeUnsafe(1),
    followers: followersOf(hub, limits, (count) => meters.followers(count)),
    deposits: new DepositKeys(limits.keptDeposits),
    isProducer: tokenCheck(options.token),
    doubt: options.doubt ?? (() => undefined),
    isClosing: () => closing,
    failure: () => failure,
  };
  yield* pumped(pipe, hub);
  const routes = yield* HttpRouter.toHttpEffect(routesOf(face)).pipe(
    Effect.provideService(HttpRouter.RouterConfig, EXACT),
  );
  const requests = yield* Effect.acquireRelease(Scope.make("parallel"), (scope) => Scope.close(scope, Exit.void));
  const server = createNodeServer(options.tls, limits, meters);
  const connections = countConnections(server, meters);
  server.on(
    "request",
    yield* NodeHttpServer.makeHandler(edged(face, routes, { meters, connections }), { scope: requests }),
  );
  const opened = Effect.tryPromise({
    try: async () => {
      await options.beforeListening?.();
      await listen(server, options);
    },
    catch: (error) => new ListenFailed({ message: troubleOf(error as NodeJS.ErrnoException, options) }),
  });
  yield* Effect.acquireRelease(opened, () =>
    Effect.promise(() => {
      closing = true;
      hub.end();
      return stop(server, limits.stopMs);
    }),
  );
  const { address, port, family } = server.address() as AddressInfo;
  const host = family === "IPv6" ? `[${address}]` : address;
  return `${options.tls === undefined ? "http" : "https"}://${host}:${port}`;
});

/** A path is what it says, letter by letter; names have room. */
const EXACT = { caseSensitive: true, ignoreTrailingSlash: false, ignoreDuplicateSlashes: false, maxParamLength: 1_024 };

function routesOf(face: Face) {
  return HttpApiBuilder.layer(api, { openapiPath: DOCUMENT_PATH }).pipe(
    Layer.provide([usersGroup(face), chainGroup(face), producerGroup(face), operationGroup(face)]),
    Layer.provide(producerOnly(face)),
    Layer.provide(NodeHttpServer.layerHttpServices),
  );
}

/** Hands what happens to the hub for as long as the scope is open. */
const pumped = (pipe: PipeService["Service"], hub: EventHub) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const events = pipe.follow();
      assert(events !== undefined, "a scheduler that has just started has room for a subscriber");
      const pumping = (async () => {
        for await (const event of events) hub.publish(event);
        hub.end();
      })();
      return { events, pumping };
    }),
    ({ events, pumping }) =>
      Effect.promise(async () => {
        await events.return?.();
        await pumping;
      }),
  );
