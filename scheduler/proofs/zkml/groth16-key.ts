import { bn254 } from "@noble/curves/bn254.js";
import { Result, Schema } from "effect";
import { integer } from "../fields.ts";
import type { PointFault, PointG1 } from "./points.ts";
import { pointG1, pointG2 } from "./points.ts";
import type { KeyFault } from "./proof-system.ts";
import type { CircuitShape } from "./public-inputs.ts";
import { DIGEST_INPUTS, MAX_ELEMENT_BYTES, MAX_ELEMENTS, publicInputCount } from "./public-inputs.ts";

/** A number of at most 256 bits in the one canonical decimal text. */
const Decimal = Schema.String.check(Schema.isPattern(/^(?:0|[1-9]\d{0,77})$/));
const Two = Schema.Tuple([Decimal, Decimal]);
/** Projective coordinates, of which tools write the affine ones only. */
const TextG1 = Schema.Tuple([Decimal, Decimal, Schema.Literal("1")]);
const TextG2 = Schema.Tuple([Two, Two, Schema.Tuple([Schema.Literal("1"), Schema.Literal("0")])]);
const Elements = Schema.Struct({ count: integer(1, MAX_ELEMENTS), bytes: integer(1, MAX_ELEMENT_BYTES) });

/** The usual JSON form. Tools call the curve BN254 bn128, and add a pairing that is computed here anyway. */
const KeyFields = {
  protocol: Schema.Literal("groth16"),
  curve: Schema.Literals(["bn128", "bn254"]),
  nPublic: integer(1, DIGEST_INPUTS + MAX_ELEMENTS),
  vk_alpha_1: TextG1,
  vk_beta_2: TextG2,
  vk_gamma_2: TextG2,
  vk_delta_2: TextG2,
  IC: Schema.Array(TextG1).check(Schema.isMaxLength(DIGEST_INPUTS + MAX_ELEMENTS + 1)),
};
const decodeKey = Schema.decodeUnknownResult(Schema.Struct(KeyFields));
const decodeModelKey = Schema.decodeUnknownResult(
  Schema.Struct({
    ...KeyFields,
    setup: Schema.NonEmptyString.check(Schema.isMaxLength(256)),
    circuit: Schema.Struct({ input: Elements, output: Elements }),
  }),
);

type KeyText = Schema.Struct.Type<typeof KeyFields>;
type Lines = ReturnType<typeof bn254.utils.calcPairingPrecomputes>;
type Target = ReturnType<typeof bn254.pairing>;

/** The equation's fixed part: e(alpha, beta), the lines of Miller's loop through gamma and delta, and the inputs' bases. */
export interface Equation {
  readonly alphaBeta: Target;
  readonly gamma: Lines;
  readonly delta: Lines;
  /** One point more than there are public inputs; the first stands alone. */
  readonly bases: readonly PointG1[];
}

/** A key as the registry has it for a model, with the circuit's shape and the setup's name. */
export interface ModelKey {
  readonly setup: string;
  readonly circuit: CircuitShape;
  readonly equation: Equation;
}

/** Reads a key that says which circuit it belongs to. */
export function readModelKey(json: unknown): ModelKey | KeyFault {
  const decoded = decodeModelKey(json);
  if (Result.isFailure(decoded)) return malformed(decoded.failure.message);
  const { setup, circuit, nPublic } = decoded.success;
  if (nPublic !== publicInputCount(circuit))
    return malformed(`nPublic is ${nPublic}, where the circuit's shape makes ${publicInputCount(circuit)}`);
  const equation = equationOf(decoded.success);
  return "fault" in equation ? equation : { setup, circuit, equation };
}

/** Reads a bare key in the usual form. */
export function readEquation(json: unknown): Equation | KeyFault {
  const decoded = decodeKey(json);
  return Result.isFailure(decoded) ? malformed(decoded.failure.message) : equationOf(decoded.success);
}

function equationOf(key: KeyText): Equation | KeyFault {
  if (key.IC.length !== key.nPublic + 1)
    return malformed(`IC has ${key.IC.length} points, where ${key.nPublic} public inputs need ${key.nPublic + 1}`);
  const alpha = fromText1(key.vk_alpha_1);
  if (typeof alpha === "string") return bad("vk_alpha_1", alpha);
  const beta = fromText2(key.vk_beta_2);
  if (typeof beta === "string") return bad("vk_beta_2", beta);
  const gamma = fromText2(key.vk_gamma_2);
  if (typeof gamma === "string") return bad("vk_gamma_2", gamma);
  const delta = fromText2(key.vk_delta_2);
  if (typeof delta === "string") return bad("vk_delta_2", delta);
  if (delta.equals(gamma))
    return {
      fault: "setup-not-finished",
      message: "vk_delta_2 equals vk_gamma_2: anybody can forge proofs for this key",
    };
  const bases: PointG1[] = [];
  for (const [i, text] of key.IC.entries()) {
    // A base at infinity would leave its public input unbound, so that it is refused like every other point there.
    const base = fromText1(text);
    if (typeof base === "string") return bad(`IC[${i}]`, base);
    bases.push(base);
  }
  const { calcPairingPrecomputes } = bn254.utils;
  return {
    alphaBeta: bn254.pairing(alpha, beta),
    gamma: calcPairingPrecomputes(gamma),
    delta: calcPairingPrecomputes(delta),
    bases,
  };
}

function fromText1([x, y]: typeof TextG1.Type): ReturnType<typeof pointG1> {
  return pointG1(BigInt(x), BigInt(y));
}

/** The usual form has the real part first. */
function fromText2([x, y]: typeof TextG2.Type): ReturnType<typeof pointG2> {
  return pointG2([BigInt(x[0]), BigInt(x[1])], [BigInt(y[0]), BigInt(y[1])]);
}

function bad(name: string, fault: PointFault): KeyFault {
  return { fault, message: `${name} of the verification key: ${fault}` };
}

function malformed(message: string): KeyFault {
  return { fault: "malformed-key", message };
}
