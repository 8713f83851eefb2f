import { Schema } from "effect";
import {
  HttpApi,
  HttpApiEndpoint,
  HttpApiGroup,
  HttpApiMiddleware,
  HttpApiSchema,
  HttpApiSecurity,
  OpenApi,
} from "effect/http-api";
import { Hash } from "../proofs/fields.ts";
import { PROGRAM_VERSION } from "../live/program.ts";
import { DEFAULT_HTTP_LIMITS } from "./limits.ts";
import { OF_BODIES, problems } from "./problems.ts";
import * as S from "./schemas.ts";

const { get, post, put } = HttpApiEndpoint;

/** Lets only the producer pass: who knows the token. */
export class Producer extends HttpApiMiddleware.Service<Producer>()("pipe/http/Producer", {
  security: { producer: HttpApiSecurity.bearer },
  error: problems("unauthorized"),
}) {}

const accepted = HttpApiSchema.status(202);
const hash = { params: { hash: Hash } };
const height = { params: { height: S.HeightInPath } };
const named = { params: { id: S.NameInPath } };

const transactions = HttpApiGroup.make("transactions")
  .add(
    post("submit", "/v1/transactions", {
      payload: S.Transaction,
      success: [S.Submitted.pipe(accepted), S.Submitted],
      error: problems(
        ...OF_BODIES,
        "wrong-shard",
        "wrong-chain",
        "bad-signature",
        "nonce-used",
        "nonce-gap",
        "underpriced-replacement",
        "underfunded",
        "fee-too-low",
        "unknown-model",
        "mode-not-allowed",
        "beyond-limit",
        "no-number",
        "infeasible",
        "out-of-range",
        "sender-limit",
        "pool-full",
        "too-many-accounts",
      ),
    }).annotate(OpenApi.Description, "Submits a signed transaction. 202: taken, durably. 200: it was known already."),
    get("status", "/v1/transactions/:hash", {
      ...hash,
      success: S.TransactionStatus,
      error: problems("unknown-transaction"),
    }).annotate(OpenApi.Description, "How a transaction is, from its admission until its block is final."),
    get("estimate", "/v1/transactions/:hash/estimate", {
      ...hash,
      success: S.Estimates,
      error: problems("unknown-transaction"),
    }).annotate(OpenApi.Description, "The probability of sealing by each block that may still carry it."),
    post("estimateNew", "/v1/estimates", {
      payload: S.AskedTransaction,
      success: S.Estimates,
      error: problems(...OF_BODIES, "wrong-shard", "wrong-chain"),
    }).annotate(OpenApi.Description, "The same of a transaction that is not submitted, as if it were now."),
    post("quote", "/v1/quotes", {
      payload: S.QuoteQuestion,
      success: S.Quote,
      error: problems(...OF_BODIES, "unknown-model"),
    }).annotate(OpenApi.Description, "What a call costs, takes and guarantees in each mode."),
  )
  .annotate(OpenApi.Description, "For everybody.");

const chain = HttpApiGroup.make("chain")
  .add(
    get("account", "/v1/accounts/:id", { ...named, success: S.Account, error: problems("unknown-account") }).annotate(
      OpenApi.Description,
      "An account's deposit and next nonce.",
    ),
    get("block", "/v1/blocks/:height", { ...height, success: S.Block, error: problems("unknown-block") }).annotate(
      OpenApi.Description,
      "The block on the chain at this height: signed header, receipts and their inclusion proofs.",
    ),
    get("registry", "/v1/registry", { success: S.Registry, error: problems() }).annotate(
      OpenApi.Description,
      "Chain, scheduler's key, models and listed nodes.",
    ),
    get("registryLog", "/v1/registry/log", {
      success: HttpApiSchema.StreamNdjson({ schema: Schema.Record(Schema.String, Schema.Unknown) }),
      error: problems("no-records"),
    }).annotate(OpenApi.Description, "What proofs are judged by, one JSON object per line: docs/RECEIPTS.md."),
    get("events", "/v1/events", {
      success: HttpApiSchema.StreamSse({ data: S.Event }),
      error: problems("too-many-followers"),
    }).annotate(OpenApi.Description, "Everything that happens from now on, or since `Last-Event-ID`."),
    get("statistics", "/v1/statistics", { success: S.Statistics, error: problems() }).annotate(
      OpenApi.Description,
      "Counters, sizes and the ledger's totals.",
    ),
    get("policy", "/v1/policy", { success: S.Policy, error: problems() }).annotate(
      OpenApi.Description,
      "The policy in force for races that open now.",
    ),
  )
  .annotate(OpenApi.Description, "For everybody.");

const producer = HttpApiGroup.make("producer")
  .add(
    HttpApiEndpoint.delete("withdraw", "/v1/transactions/:hash", {
      ...hash,
      success: HttpApiSchema.NoContent,
      error: problems("unknown-transaction", "not-in-mempool"),
    }).annotate(OpenApi.Description, "Takes a transaction out of the mempool and refunds it."),
    post("deposit", "/v1/accounts/:id/deposits", {
      ...named,
      headers: {
        "idempotency-key": Schema.optionalKey(Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(128))),
      },
      payload: S.Deposit,
      success: S.Account,
      error: problems(...OF_BODIES, "wrong-shard", "out-of-range", "key-reused"),
    }).annotate(
      OpenApi.Description,
      "Credits an account, as the chain says. Give an Idempotency-Key to ask again safely.",
    ),
    post("bond", "/v1/nodes/:id/bond", {
      ...named,
      payload: S.Bond,
      success: S.NodeBond,
      error: problems(...OF_BODIES, "out-of-range"),
    }).annotate(OpenApi.Description, "What a node has put up in all, as the chain says."),
    post("open", "/v1/blocks", {
      payload: S.BlockOpening,
      success: S.BlockOpening,
      error: problems(...OF_BODIES, "block-sealed"),
    }).annotate(OpenApi.Description, "Says which block is being built, and when it seals."),
    post("seal", "/v1/blocks/:height/seal", {
      ...height,
      payload: S.SealRequest,
      success: S.Block,
      error: problems(...OF_BODIES, "not-open", "too-many-uncommitted", "bad-limit"),
    }).annotate(OpenApi.Description, "Fixes the block's contents. Asked again, it is the same block."),
    post("committed", "/v1/blocks/:height/committed", { ...height, success: S.Changed, error: problems() }).annotate(
      OpenApi.Description,
      "The chain confirmed this block and all before it: their fees are paid.",
    ),
    post("reorged", "/v1/blocks/:height/reorged", { ...height, success: S.Changed, error: problems() }).annotate(
      OpenApi.Description,
      "The chain took back this block and all after it.",
    ),
    post("stateChanged", "/v1/state-changes", {
      payload: S.stateChange(DEFAULT_HTTP_LIMITS.maxStateKeys),
      success: HttpApiSchema.NoContent,
      error: problems(...OF_BODIES),
    }).annotate(OpenApi.Description, "The chain's state changed under these keys."),
    put("setPolicy", "/v1/policy", {
      payload: [S.PolicyFile, Schema.String.pipe(HttpApiSchema.asText({ contentType: "application/yaml" }))],
      success: S.Policy,
      error: problems(...OF_BODIES, "bad-policy"),
    }).annotate(OpenApi.Description, "Puts a policy in force for races that open from now on."),
  )
  .middleware(Producer)
  .annotate(OpenApi.Description, "For the block producer, who has the token.");

const operation = HttpApiGroup.make("operation")
  .add(
    get("health", "/health", { success: S.Health, error: problems() }).annotate(
      OpenApi.Description,
      "Whether the process is alive.",
    ),
    get("ready", "/ready", { success: S.Ready, error: problems("not-ready") }).annotate(
      OpenApi.Description,
      "Whether transactions can be taken and raced.",
    ),
    get("metrics", "/metrics", {
      success: Schema.String.pipe(HttpApiSchema.asText({ contentType: "text/plain" })),
      error: problems(),
    }).annotate(OpenApi.Description, "Prometheus text; docs/METRICS.md."),
  )
  .annotate(OpenApi.Description, "For whoever runs it.");

/** The HTTP API as data: routes, checks, answers and the OpenAPI document follow from it. */
export const api = HttpApi.make("pipe")
  .add(transactions, chain, producer, operation)
  .annotateMerge(
    OpenApi.annotations({
      title: "PIPE",
      version: PROGRAM_VERSION,
      description:
        "A speculative-execution scheduler for on-chain AI. Amounts are gwei, times microseconds since 1970 unless their " +
        "name says milliseconds, both integers below 2^53. Hashes, keys and signatures are lower-case hexadecimal without " +
        "prefix, bytes base64. What there is nothing of is left out. Problems are of RFC 9457, each with `advice`.",
      license: { name: "Apache-2.0", url: "https://www.apache.org/licenses/LICENSE-2.0" },
    }),
  );
