import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Result, Schema } from "effect";
import type { EmbeddedNode } from "../index.ts";
import { PROGRAM } from "../live/program.ts";
import type { Temperament } from "../node/behaviour/fate.ts";
import { NODE_LIMITS } from "../node/limits.ts";
import { Hash } from "../proofs/fields.ts";
import type { DemoOptions } from "./demo-options.ts";
import { formatPolicy } from "../../policies/short-form.ts";

/** What a demonstration keeps of its own options beside its records: what its simulated twin cannot read from the journal. */
export const RUN_FILE = "run.json";

/** The file's text is no description of a run; the message says what is wrong with it. */
export class RunFileError extends Error {
  override readonly name = "RunFileError";
}

const NotNegative = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0));
const Positive = Schema.Finite.check(Schema.isGreaterThan(0));
const Share = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }));

const ProfileSchema = Schema.Struct({
  firstTokenMs: NotNegative,
  perTokenMs: NotNegative,
  noiseSigma: NotNegative,
  stragglerProbability: Share,
  stragglerFactor: Positive,
});

/** Faults of which the kind says it all. */
const PLAIN_FAULTS = [
  "none",
  "dead",
  "wrong-signature",
  "wrong-job",
  "never-cancels",
  "wrong-output",
  "equivocating",
  "replayed-proof",
  "forged-attestation",
] as const;

const NodeSchema = Schema.Struct({
  id: Schema.String,
  latency: Schema.Union([
    Schema.Struct({ kind: Schema.Literal("none") }),
    Schema.Struct({ kind: Schema.Literal("modelled"), profiles: Schema.Record(Schema.String, ProfileSchema) }),
  ]),
  speed: Positive,
  fault: Schema.Union([
    Schema.Struct({ kind: Schema.Literals(PLAIN_FAULTS) }),
    Schema.Struct({ kind: Schema.Literal("slow"), factor: Positive }),
    Schema.Struct({ kind: Schema.Literal("erroring"), fraction: Share }),
  ]),
  luckHex: Hash,
});

const RunSchema = Schema.Struct({
  format: Schema.Literal(1),
  program: Schema.String,
  /** As on the command line; for readers. */
  options: Schema.Struct({
    blocks: Schema.Finite,
    nodes: Schema.Finite,
    seed: Schema.Finite,
    policy: Schema.String,
    latency: Schema.String,
    faults: Schema.String,
    ratePerS: Schema.Finite,
    trace: Schema.NullOr(Schema.String),
  }),
  nodes: Schema.Array(NodeSchema),
  /** Times between the nodes' reports, and from a change of a node's load to a report of it. */
  reportIntervalMs: Positive,
  reportDelayMs: Positive,
});

export type RunFile = typeof RunSchema.Type;

const decode = Schema.decodeUnknownResult(RunSchema, { onExcessProperty: "error", errors: "first" });

/** Writes it beside the records. No secret is in it: not the nodes' keys, only their luck. */
export async function writeRunFile(
  directory: string,
  options: DemoOptions,
  nodes: readonly EmbeddedNode[],
): Promise<void> {
  const { blocks, nodes: count, seed, policy, policyFile, latency, faults, ratePerS, trace = null } = options;
  const run: RunFile = {
    format: 1,
    program: PROGRAM,
    options: {
      blocks,
      nodes: count,
      seed,
      policy: policyFile ?? formatPolicy(policy),
      latency,
      faults,
      ratePerS,
      trace,
    },
    nodes: nodes.map(({ id, latency: own, speed, fault, luckHex }) => ({ id, latency: own, speed, fault, luckHex })),
    reportIntervalMs: NODE_LIMITS.reportIntervalMs,
    reportDelayMs: NODE_LIMITS.reportDelayMs,
  };
  await writeFile(join(directory, RUN_FILE), `${JSON.stringify(run, undefined, 2)}\n`);
}

/** Rejects with RunFileError. */
export async function readRunFile(directory: string): Promise<RunFile> {
  const path = join(directory, RUN_FILE);
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    throw new RunFileError(
      `${path} cannot be read (${error.code ?? error.message}). Give a directory that \`npm start -- --out DIR\` has filled.`,
    );
  });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new RunFileError(`${path} is not JSON: ${(error as Error).message}.`, { cause: error });
  }
  const decoded = decode(value);
  if (Result.isFailure(decoded)) throw new RunFileError(`${path} does not describe a run: ${String(decoded.failure)}`);
  return decoded.success;
}

/** How each of its nodes behaves, by id. */
export function temperamentsOf({ nodes }: RunFile): ReadonlyMap<string, Temperament> {
  return new Map(nodes.map(({ id, ...temperament }) => [id, temperament]));
}
