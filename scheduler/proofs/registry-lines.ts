import { Result, Schema } from "effect";
import { MODES } from "../shared/vocabulary.ts";
import { hex, Hash, Id, integer, Uint } from "./fields.ts";
import type { ModelRules } from "./model-rules.ts";
import { NUMBER_ENCODINGS } from "./output-number.ts";
import { WIRE_LIMITS } from "./wire-limits.ts";

/**
 * A model registry as outsiders read it: one line of canonical JSON for each thing that it says, so that two registries are
 * the same exactly when their lines are. The keys of a line stand in the order of its fields here.
 */
const LINES = {
  rules: Schema.Struct({
    entry: Schema.Literal("rules"),
    admission: Schema.Literals(["open", "listed"]),
    offersPerNode: Uint,
  }),
  model: Schema.Struct({
    entry: Schema.Literal("model"),
    model: Id,
    modes: Schema.Array(Schema.Literals(MODES)),
    limits: Schema.Struct({ inputBytes: Uint, tokensIn: Uint, tokensOut: Uint }),
    equivalence: Schema.Union([
      Schema.Literal("any"),
      Schema.Literal("hardware"),
      /** Hardware and its label, by hardware. */
      Schema.Array(Schema.Tuple([Id, Id])),
    ]),
    digest: Hash,
    output: Schema.Union([
      Schema.Literal("bytes"),
      Schema.Struct({ number: Schema.Literals(NUMBER_ENCODINGS), element: integer(0, WIRE_LIMITS.maxOutputBytes) }),
    ]),
    tee: Schema.optionalKey(
      Schema.Struct({
        measurements: Schema.Array(Schema.Struct({ pcr0: hex(96), pcr1: hex(96), pcr2: hex(96) })),
        maxAgeMs: Uint,
      }),
    ),
    zkml: Schema.optionalKey(Schema.Struct({ system: Id, verificationKey: Schema.String, keyHash: Hash })),
  }),
  root: Schema.Struct({
    entry: Schema.Literal("root"),
    fingerprint: Hash,
    emulator: Schema.Boolean,
    pem: Schema.String,
  }),
  listed: Schema.Struct({
    entry: Schema.Literal("listed"),
    id: Id,
    key: Hash,
    operator: Id,
    region: Id,
    hardware: Id,
    bondGwei: Uint,
  }),
};

const LineSchema = Schema.Union([LINES.rules, LINES.model, LINES.root, LINES.listed]);

export type RegistryLine = typeof LineSchema.Type;
export type ModelLine = typeof LINES.model.Type;
export type RootLine = typeof LINES.root.Type;

/** What a validator needs of a registry. */
export interface JudgingRules {
  readonly models: ReadonlyMap<string, ModelRules>;
  readonly roots: readonly RootLine[];
  readonly listed: ReadonlyMap<string, typeof LINES.listed.Type>;
}

const decode = Schema.decodeUnknownResult(LineSchema, { onExcessProperty: "error", errors: "first" });

/** Reads a registry's lines again; `undefined` when one of them is no line of a registry. Never throws. */
export function parseRegistryLines(lines: readonly string[]): readonly RegistryLine[] | undefined {
  const read: RegistryLine[] = [];
  for (const line of lines) {
    const decoded = decode(parse(line));
    if (Result.isFailure(decoded)) return undefined;
    read.push(decoded.success);
  }
  return read;
}

/** What a validator needs of a registry's lines; `undefined` when one of them is no line of a registry. Never throws. */
export function readRegistryLines(lines: readonly string[]): JudgingRules | undefined {
  const read = parseRegistryLines(lines);
  if (read === undefined) return undefined;
  const models = new Map<string, ModelRules>();
  const listed = new Map<string, typeof LINES.listed.Type>();
  const roots: RootLine[] = [];
  for (const line of read) {
    if (line.entry === "model") models.set(line.model, rulesOf(line));
    else if (line.entry === "root") roots.push(line);
    else if (line.entry === "listed") listed.set(line.id, line);
  }
  return { models, roots, listed };
}

/** What judging an answer of the model takes. */
export function rulesOf({ digest, output, tee, zkml }: ModelLine): ModelRules {
  return { digest, output, ...(tee === undefined ? {} : { tee }), ...(zkml === undefined ? {} : { zkml }) };
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
