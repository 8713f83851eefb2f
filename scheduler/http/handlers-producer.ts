import { Effect, Layer, Redacted } from "effect";
import { HttpServerResponse } from "effect/http";
import { HttpApiBuilder } from "effect/http-api";
import { MAX_POLICY_FILE_BYTES } from "../../policies/file-format.ts";
import { type ReadPolicy, readPolicyText } from "../files/policy-file.ts";
import { api, Producer } from "./api.ts";
import { decoding, JSON_TYPES } from "./body.ts";
import { keyReused } from "./deposit-keys.ts";
import type { Face } from "./face.ts";
import { accountOf, blockResponse, policyOf } from "./handlers-chain.ts";
import { known } from "./handlers-users.ts";
import { Problem, problemResponse } from "./problems.ts";
import { served } from "./handlers-users.ts";
import { answering, refusedSeal } from "./refusals.ts";
import { BlockOpening, Bond, Deposit, SealRequest, stateChange } from "./schemas.ts";

const deposit = decoding(Deposit);
const bond = decoding(Bond);
const opening = decoding(BlockOpening);
const sealing = decoding(SealRequest);

const YAML_TYPES = ["application/yaml"];

/** What only the block producer may say: what the chain knows, and what the scheduler believes. */
export const producerGroup = (face: Face) => {
  const { pipe, producerBodies: bodies, limits } = face;
  const changes = decoding(stateChange(limits.maxStateKeys));
  return HttpApiBuilder.group(api, "producer", (handlers) =>
    handlers
      .handle("withdraw", ({ params }) => answering(withdraw(face, params.hash)))
      .handleRaw("deposit", ({ request, params, headers }) =>
        answering(
          Effect.gen(function* () {
            const { amountGwei } = yield* Effect.flatMap(bodies.json(request), deposit);
            yield* served(face, params.id);
            const said = JSON.stringify([params.id, amountGwei]);
            const key = headers["idempotency-key"];
            const made = face.deposits.once(key, said, credit(face, { account: params.id, amountGwei, key }));
            return yield* made;
          }),
        ),
      )
      .handleRaw("bond", ({ request, params }) =>
        answering(
          Effect.gen(function* () {
            const { amountGwei } = yield* Effect.flatMap(bodies.json(request), bond);
            if (!(yield* pipe.bond(params.id, amountGwei))) return yield* Effect.fail(NO_BOND);
            return { node: params.id, amountGwei };
          }),
        ),
      )
      .handleRaw("open", ({ request }) =>
        answering(
          Effect.gen(function* () {
            const { height, sealAtMs } = yield* Effect.flatMap(bodies.json(request), opening);
            yield* pipe.openBlock(height, sealAtMs * 1000);
            const { sizes } = yield* pipe.statistics();
            if (sizes.height !== height) return yield* Effect.fail(sealedAlready(height, sizes.height));
            return { height, sealAtMs };
          }),
        ),
      )
      .handleRaw("seal", ({ request, params }) =>
        answering(
          Effect.gen(function* () {
            const { maxTransactions, order } = yield* Effect.flatMap(bodies.json(request), sealing);
            const outcome = yield* pipe.seal({ height: params.height, maxTransactions, order });
            if (!outcome.ok) return yield* Effect.fail(refusedSeal(outcome.refusal, outcome.advice));
            return blockResponse(outcome.block);
          }),
        ),
      )
      .handle("committed", ({ params: { height } }) =>
        answering(Effect.map(pipe.committed(height), (changed) => ({ height, changed }))),
      )
      .handle("reorged", ({ params: { height } }) =>
        answering(Effect.map(pipe.reorged(height), (changed) => ({ height, changed }))),
      )
      .handleRaw("stateChanged", ({ request }) =>
        answering(
          Effect.gen(function* () {
            const { keys } = yield* Effect.flatMap(bodies.json(request), changes);
            yield* pipe.stateChanged(keys);
            return HttpServerResponse.empty();
          }),
        ),
      )
      .handleRaw("setPolicy", ({ request }) =>
        answering(
          Effect.gen(function* () {
            const text = yield* bodies.text(request, [...JSON_TYPES, ...YAML_TYPES]);
            const read = readPolicyText(text, "http");
            if (!read.ok) return yield* Effect.fail(badPolicy(read));
            yield* pipe.setPolicy(read.spec);
            return policyOf(yield* pipe.policy());
          }),
        ),
      ),
  );
};

/** Lets those pass who know the token. */
export const producerOnly = ({ isProducer }: Face) =>
  Layer.succeed(Producer, {
    producer: (effect, { credential }) =>
      Effect.suspend(() => {
        const token = Redacted.value(credential);
        return isProducer(token) ? effect : Effect.succeed(problemResponse(token === "" ? NO_TOKEN : WRONG_TOKEN));
      }),
  });

function withdraw(face: Face, hash: string) {
  return Effect.gen(function* () {
    if (yield* face.pipe.withdraw(hash)) return;
    const { state } = yield* known(face, hash);
    // Asked again: it is done.
    if (state === "withdrawn") return;
    return yield* Effect.fail(
      new Problem({
        kind: "not-in-mempool",
        detail: `The transaction is ${state}.`,
        advice: "What is sealed can only be taken back with its block.",
        extra: { state },
      }),
    );
  });
}

interface Credit {
  readonly account: string;
  readonly amountGwei: number;
  readonly key: string | undefined;
}

function credit(face: Face, { account, amountGwei, key }: Credit) {
  return Effect.gen(function* () {
    const outcome = yield* face.pipe.depositOnce({ account, amountGwei, ...(key === undefined ? {} : { key }) });
    if (outcome === "refused") return yield* Effect.fail(NO_CREDIT);
    if (outcome === "key-reused") return yield* Effect.fail(keyReused(key ?? ""));
    return yield* accountOf(face, account);
  });
}

const NO_CREDIT = new Problem({
  kind: "out-of-range",
  detail: "The deposit was not taken: the amount, or the number of accounts, is beyond what can be kept.",
  advice: "Deposit less at a time; what circulates and how many accounts there are have limits (/v1/statistics).",
});
const NO_BOND = new Problem({
  kind: "out-of-range",
  detail: "The bond was not taken: the amount, or the number of nodes, is beyond what can be kept.",
  advice: "Say what the node has put up in all, within what can circulate.",
});
const NO_TOKEN = new Problem({
  kind: "unauthorized",
  detail: "This is for the block producer.",
  advice: "Send the header `authorization: Bearer TOKEN`; the token stands in the scheduler's directory.",
  headers: { "www-authenticate": 'Bearer realm="pipe"' },
});
const WRONG_TOKEN = new Problem({
  kind: "unauthorized",
  detail: "The token is not the producer's.",
  advice: "Read it again from the scheduler's directory: it may have been replaced.",
  headers: { "www-authenticate": 'Bearer realm="pipe", error="invalid_token"' },
});

function sealedAlready(height: number, openHeight: number): Problem {
  return new Problem({
    kind: "block-sealed",
    detail: `A block of height ${height} or above it is sealed; ${openHeight} is to be opened next.`,
    advice: `Open ${openHeight}, or say first that the chain took back ${height}.`,
    extra: { height, openHeight },
  });
}

function badPolicy({ problems }: Extract<ReadPolicy, { readonly ok: false }>): Problem {
  const [first] = problems;
  const place = first === undefined || first.path === "" ? "the policy" : first.path;
  return new Problem({
    kind: "bad-policy",
    detail: `${place}: ${first?.message ?? "is none"}`,
    advice: `Correct it: docs/TUNING.md says what a policy file may say. The policy in force stays. A file has at most ${MAX_POLICY_FILE_BYTES} bytes.`,
    extra: { problems },
  });
}
