import { Schema } from "effect";
import { Hash, Id, integer } from "../proofs/fields.ts";
import { ID_PATTERN, WIRE_LIMITS } from "../proofs/wire-limits.ts";
import { MODES } from "../shared/vocabulary.ts";
import { NUMBER_ENCODINGS } from "../proofs/output-number.ts";
import { REGISTRY_LIMITS } from "./registry-limits.ts";

const { maxModels, maxNodes, maxRoots, maxMeasurements, maxOffersPerNode, maxHardware } = REGISTRY_LIMITS;

/** A check that says in words what would be right. */
function says<S extends Schema.Top>(schema: S, message: string): S {
  return schema.annotate({ message }) as unknown as S;
}

const digest = says(Hash, "must be a SHA-256 digest: 64 lower-case hexadecimal digits");
const key = says(Hash, "must be an Ed25519 public key: 64 lower-case hexadecimal digits");
const name = says(Id, "must be a name of 1 to 64 letters, digits, dots, underscores or hyphens");
const path = says(
  Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(4_096)),
  "must be a file's path, relative to this file",
);
/** Debug mode measures zeros: whoever lists them accepts an enclave that anybody can look into. */
const register = says(
  Schema.String.check(Schema.isPattern(/^(?!0+$)[0-9a-f]{96}$/)),
  "must be a PCR of 48 bytes, not all zero: 96 lower-case hexadecimal digits",
);

function whole(least: number, most: number) {
  return says(integer(least, most), `must be a whole number from ${least} to ${most}`);
}

/** A section whose keys are names. */
function named<S extends Schema.Top>(of: S, most: number) {
  return Schema.Record(Schema.String, of).check(
    Schema.isMaxProperties(most),
    Schema.makeFilter((section) => {
      const bad = Object.keys(section).find((one) => !ID_PATTERN.test(one));
      return bad === undefined || `has the key ${JSON.stringify(bad.slice(0, 80))}, which is no name`;
    }),
  );
}

const Measurements = Schema.Struct({ pcr0: register, pcr1: register, pcr2: register });

const Output = Schema.Union([
  Schema.Literal("bytes"),
  Schema.Struct({ number: Schema.Literals(NUMBER_ENCODINGS), element: whole(0, WIRE_LIMITS.maxOutputBytes) }),
]);

const Model = Schema.Struct({
  digest,
  /** The model's file, when it is at hand: its digest is then computed and must be that. */
  file: Schema.optionalKey(path),
  modes: Schema.Array(Schema.Literals(MODES)).check(
    Schema.isMinLength(1),
    Schema.makeFilter((modes) => new Set(modes).size === modes.length || "names a mode twice"),
  ),
  limits: Schema.Struct({
    inputBytes: whole(0, WIRE_LIMITS.maxInputBytes),
    tokensIn: whole(0, WIRE_LIMITS.maxTokens),
    tokensOut: whole(0, WIRE_LIMITS.maxTokens),
  }),
  output: Output,
  equivalence: Schema.Union([Schema.Literal("any"), Schema.Literal("hardware"), named(name, maxHardware)]),
  tee: Schema.optionalKey(
    Schema.Struct({
      measurements: Schema.Array(Measurements).check(Schema.isMinLength(1), Schema.isMaxLength(maxMeasurements)),
      maxAgeS: whole(1, 366 * 24 * 3_600),
    }),
  ),
  zkml: Schema.optionalKey(Schema.Struct({ system: name, verificationKey: path })),
});

const Root = Schema.Struct({
  file: path,
  /** Says that this root vouches for enclaves that are none. */
  emulator: Schema.optionalKey(Schema.Boolean),
});

const Node = Schema.Struct({
  key,
  operator: name,
  region: name,
  hardware: name,
  bondGwei: whole(0, REGISTRY_LIMITS.maxBondGwei),
});

/** What a registry file must look like; anything more or less is an error. */
export const RegistryFileSchema = Schema.Struct({
  version: Schema.Literal(1),
  /** `listed`: only the nodes below may join. `open`: any may, in its own words; those below as the registry says. */
  admission: Schema.Literals(["open", "listed"]),
  offersPerNode: whole(1, maxOffersPerNode),
  models: named(Model, maxModels),
  roots: Schema.Array(Root).check(Schema.isMaxLength(maxRoots)),
  nodes: named(Node, maxNodes),
});

export type RegistryFile = typeof RegistryFileSchema.Type;
export type ModelSection = typeof Model.Type;
