import { createReadStream, existsSync } from "node:fs";
import { join } from "node:path";
import { Effect, Option, Stream } from "effect";
import { HttpServerResponse } from "effect/http";
import { HttpApiBuilder } from "effect/http-api";
import { identityOf } from "../files/policy-version.ts";
import { jsonPieces } from "../live/json-pieces.ts";
import type { BlockRecord } from "../live/records.ts";
import type { PolicySpec } from "../../policies/policy.ts";
import { api } from "./api.ts";
import type { Face } from "./face.ts";
import { NOT_KEPT, Problem } from "./problems.ts";
import { answering } from "./refusals.ts";
import { bearerOf } from "./bearer.ts";
import { defined } from "./views.ts";

/** What everybody may know of the chain and its scheduler. */
export const chainGroup = (face: Face) =>
  HttpApiBuilder.group(api, "chain", (handlers) =>
    handlers
      .handle("account", ({ params }) => answering(accountOf(face, params.id)))
      .handle("block", ({ params }) => answering(Effect.map(blockAt(face, params.height), blockResponse)))
      .handle("registry", () => Effect.sync(() => registryOf(face)))
      .handle("registryLog", () => answering(registryLog(face)))
      .handle("events", ({ request }) => {
        const token = bearerOf(request.headers["authorization"]);
        const producer = token !== undefined && face.isProducer(token);
        return answering(face.followers.follow(request, { producer }));
      })
      .handle("statistics", () => answering(Effect.map(face.pipe.statistics(), defined)))
      .handle("policy", () => answering(Effect.map(face.pipe.policy(), policyOf))),
  );

export function accountOf({ pipe }: Face, id: string) {
  return Effect.flatMap(pipe.account(id), (account) =>
    account === undefined ? Effect.fail(unknownAccount(id)) : Effect.succeed({ id, ...account }),
  );
}

/** Old blocks are looked up in files that grow without end: one at a time, and never for what cannot be there. */
function blockAt({ pipe, lookups }: Face, height: number) {
  return Effect.gen(function* () {
    const recent = pipe.recentBlock(height);
    if (recent !== undefined) return recent;
    const { sizes } = yield* pipe.statistics();
    if (height >= sizes.height) return yield* Effect.fail(unknownBlock(height));
    const found = yield* lookups.withPermitsIfAvailable(1)(pipe.block(height));
    if (Option.isNone(found)) return yield* Effect.fail(LOOKING);
    return found.value ?? (yield* Effect.fail(unknownBlock(height)));
  });
}

const LOOKING = new Problem({
  kind: "overloaded",
  detail: "Another old block is being looked up.",
  advice: "Ask again after a second; blocks of the last minutes are always at hand.",
});

/** Receipts lie this deep; each is made by itself. */
const RECEIPTS_DEPTH = 2;

/** A block may have megabytes of receipts: it is written piece by piece, so that nobody waits for it (P7). */
export function blockResponse(block: BlockRecord): HttpServerResponse.HttpServerResponse {
  const { header, block: hash, signature, receipts } = block;
  const pieces = Stream.fromIterable(jsonPieces({ header, block: hash, signature, receipts }, RECEIPTS_DEPTH), {
    chunkSize: 1,
  });
  const body = pieces.pipe(Stream.mapEffect((piece) => Effect.as(Effect.yieldNow, Buffer.from(piece))));
  return HttpServerResponse.stream(body, { contentType: "application/json", headers: NOT_KEPT });
}

export function policyOf(spec: PolicySpec) {
  const { name, version, origin } = identityOf(spec);
  return defined({ name, version, origin, policy: { ...spec } as Record<string, unknown> });
}

function registryOf({ pipe, chainId }: Face) {
  const { registry, schedulerKey } = pipe;
  const { digest, admission } = registry;
  const models = [...registry.models.values()].map(({ id, modes, limits: { inputBytes, tokensIn, tokensOut } }) => ({
    id,
    modes,
    limits: { inputBytes, tokensIn, tokensOut },
  }));
  return { chainId, schedulerKey, digest, admission, models, nodes: [...registry.nodes.values()] };
}

/** The file as it stands; the last line may be only half written. */
function registryLog({ directory }: Face): Effect.Effect<HttpServerResponse.HttpServerResponse, Problem> {
  return Effect.suspend(() => {
    const path = directory === undefined ? undefined : join(directory, "registry.jsonl");
    if (path === undefined || !existsSync(path)) return Effect.fail(NO_RECORDS);
    const body = Stream.fromAsyncIterable<Uint8Array, Error>(createReadStream(path), (error) => error as Error);
    return Effect.succeed(HttpServerResponse.stream(body, { contentType: "application/x-ndjson", headers: NOT_KEPT }));
  });
}

const NO_RECORDS = new Problem({
  kind: "no-records",
  detail: "This scheduler has no directory.",
  advice: "Ask one that keeps its records.",
});

function unknownAccount(id: string): Problem {
  return new Problem({
    kind: "unknown-account",
    detail: `Nothing was ever credited to ${id}.`,
    advice: "Deposit something on the chain first.",
  });
}

function unknownBlock(height: number): Problem {
  return new Problem({
    kind: "unknown-block",
    detail: `No block of height ${height} is on the chain.`,
    advice: "It is not sealed yet, or was taken back, or is too old for a scheduler without records.",
  });
}
