import { speculativeRetryOf } from "./peers/speculative-retry.ts";
import type { LeafSpec } from "./policy.ts";

/** What a parameter of a policy may be: command line, experiment file and journal are held to the same. */
export type Parameter = NumberParameter | TextParameter;

export interface NumberParameter {
  readonly type: "number";
  readonly means: string;
  readonly whole: boolean;
  /** Exclusive lower bound, or inclusive with `atLeast`; one of them is given. */
  readonly above?: number;
  readonly atLeast?: number;
  readonly atMost: number;
  /** A word that may stand in place of the number. */
  readonly word?: string;
  /** May be missing from a policy; what it means then, in words. */
  readonly absent?: string;
}

export interface TextParameter {
  readonly type: "text";
  readonly means: string;
  readonly maxLength: number;
  readonly fits: (text: string) => boolean;
}

export interface PolicyKind {
  readonly means: string;
  readonly parameters: Readonly<Record<string, Parameter>>;
  /** Sets of keys of which exactly one is given; without it all are, but for those that may be missing. */
  readonly oneOf?: readonly (readonly string[])[];
  /** Keys that nobody gives together with any of the others: each set is a way of its own. */
  readonly either?: readonly [readonly string[], readonly string[]];
}

/** A day: whatever is longer is not waited for. */
const MAX_MS = 86_400_000;
/** The engine launches no more copies of one race. */
const MAX_COPIES = 16;
/** No transaction lives longer. */
const MAX_BLOCKS = 10_000;
/** A million ether: whatever is worth more is not asked of a scheduler. */
const MAX_GWEI = 1e15;
/** What an HDR histogram with three digits counts in ten thousand buckets. */
const MAX_TRACKABLE_MS = 3_600_000;

type NumberOptions = Omit<NumberParameter, "type" | "means" | "whole">;

function number(means: string, options: NumberOptions): NumberParameter {
  return { type: "number", means, whole: false, ...options };
}

function integer(means: string, options: NumberOptions): NumberParameter {
  return { type: "number", means, whole: true, ...options };
}

const ms = (means: string): NumberParameter => number(means, { atLeast: 1, atMost: MAX_MS });
const delay = (means: string): NumberParameter => number(means, { atLeast: 0, atMost: MAX_MS });
const extraCopies = number("extra copies per job", { above: 0, atMost: 1 });

/** Every policy with its parameters, in the order in which they are documented. */
export const POLICY_KINDS: { readonly [K in LeafSpec["kind"]]: PolicyKind } = {
  fixed: {
    means: "that many copies at once",
    parameters: { copies: integer("copies", { atLeast: 1, atMost: MAX_COPIES }) },
  },
  hedge: {
    means: "one copy, then another after each delay while the job lingers",
    parameters: {
      delayMs: ms("delay before another copy"),
      maxCopies: integer("copies at the most", { atLeast: 1, atMost: MAX_COPIES }),
    },
  },
  deadline: {
    means:
      "least work such that so many jobs are answered by their deadline, or most value less work with `sealGwei`; the default",
    either: [["target"], ["sealGwei", "lossPerBlock", "workGweiPerS"]],
    parameters: {
      target: number("share of jobs in time", { above: 0, atMost: 0.99999 }),
      maxCopies: integer("copies racing at a time, at the most", { atLeast: 1, atMost: MAX_COPIES }),
      withinBlocks: integer("block by which a call is to be sealed, from the open one; `none`: the last of its life", {
        atLeast: 1,
        atMost: MAX_BLOCKS,
        word: "none",
      }),
      sealGwei: number("worth of being sealed in the open block; `fee`: the call's max fee", {
        atLeast: 0,
        atMost: MAX_GWEI,
        word: "fee",
        absent: "none: a target is to be met",
      }),
      lossPerBlock: number("share of `sealGwei` that each later block takes away", {
        atLeast: 0,
        atMost: 1,
        absent: "0",
      }),
      workGweiPerS: number("price of a machine-second; `asked`: what nodes ask for an answer, by its time", {
        atLeast: 0,
        atMost: MAX_GWEI,
        word: "asked",
        absent: "`asked`",
      }),
    },
  },
  "grpc-hedging": {
    means: "gRPC (A6): an attempt per delay and after each failure, while tokens last",
    parameters: {
      maxAttempts: integer("attempts, the first included", { atLeast: 2, atMost: 5 }),
      hedgingDelayMs: delay("from one attempt to the next; 0 sends all at once"),
      maxTokens: integer("tokens in the bucket; nobody hedges with half of them or less", {
        atLeast: 1,
        atMost: 1_000,
      }),
      tokenRatio: number("tokens that a success gives back; a failure takes one", { above: 0, atMost: 1_000 }),
      pushbackMs: number("pause after a refusal; `none` ends the hedging of that race", {
        atLeast: 0,
        atMost: MAX_MS,
        word: "none",
      }),
    },
  },
  finagle: {
    means: "Finagle: one backup at a quantile of the last 30 s, within a budget of requests",
    parameters: {
      maxExtraLoad: number("backups per request; sent at the quantile 1 − maxExtraLoad", { above: 0, atMost: 0.99 }),
      highestTrackableMs: integer("latencies above count as this; a threshold as high sends nothing", {
        atLeast: 2,
        atMost: MAX_TRACKABLE_MS,
      }),
      minSendBackupAfterMs: integer("the earliest backup", { atLeast: 1, atMost: MAX_TRACKABLE_MS }),
      ttlMs: integer("for which a request adds to the budget", { atLeast: 1_000, atMost: 60_000 }),
      minRetriesPerSec: integer("backups per second beyond the share", { atLeast: 0, atMost: 1_000_000 }),
    },
  },
  cassandra: {
    means: "Cassandra: one more copy by `speculative_retry`, without a budget",
    parameters: {
      retry: {
        type: "text",
        means: "`99p`, `50ms`, `ALWAYS`, `NEVER`, `MIN(99p,50ms)` or `MAX(99p,50ms)`",
        maxLength: 64,
        fits: (text) => speculativeRetryOf(text) !== undefined,
      },
      timeoutMs: ms("read timeout: from one threshold to the next, and the highest one"),
    },
  },
  envoy: {
    means: "Envoy: a retry at each per-try timeout, while the first try goes on",
    parameters: {
      perTryTimeoutMs: ms("after which a try is retried"),
      numRetries: integer("retries of a job", { atLeast: 0, atMost: MAX_COPIES - 1 }),
      budgetPercent: number("retries under way, in percent of all copies under way", { atLeast: 0, atMost: 100 }),
      minRetryConcurrency: integer("retries under way that are always allowed", { atLeast: 0, atMost: 1_000_000 }),
    },
  },
  spark: {
    means: "Spark: one more copy of a job that takes several times the median",
    parameters: {
      quantile: number("share of the stage that is done before", { above: 0, atMost: 1 }),
      multiplier: number("times the median", { above: 0, atMost: 1_000 }),
      minTaskRuntimeMs: delay("that a job runs at the least"),
      intervalMs: ms("from one check to the next"),
      stageJobs: integer("jobs that make up a stage", { atLeast: 1, atMost: 1_000 }),
    },
  },
  mantri: {
    means: "Mantri: one more copy when it probably saves machine-time",
    parameters: {
      delta: number("probability of saving above which it is launched", { above: 0, atMost: 1 }),
      maxCopies: integer("copies of a job at a time", { atLeast: 1, atMost: MAX_COPIES }),
      reportMs: ms("between looks; a tenth of the median duration if that is less"),
    },
  },
  "single-d": {
    means: "SingleD: one more copy of every job that still runs at one moment",
    parameters: { delayMs: delay("that moment, from the opening"), budget: extraCopies },
    oneOf: [["delayMs"], ["budget"]],
  },
  "single-r": {
    means: "SingleR: one more copy at one moment, with a probability",
    parameters: {
      delayMs: delay("that moment, from the opening"),
      probability: number("with which a job that still runs gets its copy", { above: 0, atMost: 1 }),
      budget: extraCopies,
      deadlineMs: ms("deadline from the opening, where the job's own is later or none"),
    },
    oneOf: [["delayMs", "probability"], ["budget"], ["budget", "deadlineMs"]],
  },
};

/** What is wrong with a policy's parameters, for a person to read; `undefined` when nothing is. */
export function problemOfParameters(spec: LeafSpec): string | undefined {
  const { parameters, oneOf } = POLICY_KINDS[spec.kind];
  const { kind, ...given } = spec as LeafSpec & Readonly<Record<string, unknown>>;
  const keys = Object.keys(given).filter((key) => given[key] !== undefined);
  const unknown = keys.find((key) => !Object.hasOwn(parameters, key));
  if (unknown !== undefined) return `${kind} has no ${unknown}; it has ${Object.keys(parameters).join(", ")}`;
  if (oneOf !== undefined && !oneOf.some((set) => set.length === keys.length && set.every((key) => keys.includes(key))))
    return `${kind} takes ${oneOf.map((set) => `{${set.join(", ")}}`).join(" or ")}`;
  for (const key of oneOf === undefined ? Object.keys(parameters) : keys) {
    const parameter = parameters[key] as Parameter;
    if (given[key] === undefined && parameter.type === "number" && parameter.absent !== undefined) continue;
    if (!fits(parameter, given[key])) return `${key} must be ${allowedFor(parameter)}`;
  }
  return problemOfDeadline(spec);
}

/** What says how a value is lost says nothing where there is none. */
function problemOfDeadline(spec: LeafSpec): string | undefined {
  if (spec.kind !== "deadline" || spec.sealGwei !== undefined) return undefined;
  const idle = (["lossPerBlock", "workGweiPerS"] as const).find((key) => spec[key] !== undefined);
  return idle === undefined ? undefined : `${idle} needs sealGwei: what sealing in the open block is worth`;
}

function fits(parameter: Parameter, value: unknown): boolean {
  if (parameter.type === "text")
    return typeof value === "string" && value.length <= parameter.maxLength && parameter.fits(value);
  if (value === parameter.word && parameter.word !== undefined) return true;
  if (typeof value !== "number" || !Number.isFinite(value)) return false;
  const { whole, above, atLeast = 0, atMost } = parameter;
  return (
    (above === undefined ? value >= atLeast : value > above) && value <= atMost && (!whole || Number.isInteger(value))
  );
}

/** What a parameter accepts, in words that finish "must be …". */
export function allowedFor(parameter: Parameter): string {
  if (parameter.type === "text") return parameter.means;
  const { whole, above, atLeast, atMost, word } = parameter;
  const range = above === undefined ? `from ${atLeast} to ${atMost}` : `above ${above}, up to ${atMost}`;
  return `${whole ? "a whole number" : "a number"} ${range}${word === undefined ? "" : `, or ${word}`}`;
}
