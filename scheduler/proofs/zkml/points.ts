import { bn254 } from "@noble/curves/bn254.js";
import type { ZkFault } from "./proof-system.ts";

export const G1 = bn254.G1.Point;
export const G2 = bn254.G2.Point;
export type PointG1 = InstanceType<typeof G1>;
export type PointG2 = InstanceType<typeof G2>;

/** Order of the field of coordinates, and of the groups and hence of the field of scalars. */
export const COORDINATE_ORDER = bn254.fields.Fp.ORDER;
export const SCALAR_ORDER = bn254.fields.Fr.ORDER;

/** A coordinate in Fp², real part first. */
export type Pair = readonly [bigint, bigint];

/** What can be wrong with a point. */
export type PointFault = Extract<
  ZkFault,
  "non-canonical-coordinate" | "point-at-infinity" | "point-off-curve" | "point-in-wrong-subgroup"
>;

/** The point with these affine coordinates. G1 is the whole curve, so that there is no subgroup to be outside of. */
export function pointG1(x: bigint, y: bigint): PointG1 | PointFault {
  if (!isCoordinate(x) || !isCoordinate(y)) return "non-canonical-coordinate";
  if (x === 0n && y === 0n) return "point-at-infinity";
  const point = G1.fromAffine({ x, y });
  return isValid(point) ? point : "point-off-curve";
}

/** The point with these affine coordinates on the twist, where G2 is a small part of all points. */
export function pointG2(x: Pair, y: Pair): PointG2 | PointFault {
  if (![...x, ...y].every(isCoordinate)) return "non-canonical-coordinate";
  if ([...x, ...y].every((coordinate) => coordinate === 0n)) return "point-at-infinity";
  const { Fp2 } = bn254.fields;
  const affine = { x: Fp2.fromBigTuple([...x]), y: Fp2.fromBigTuple([...y]) };
  // y² = x³ + b, asked for here only to tell the two faults apart: assertValidity checks it, and the subgroup.
  const { b } = G2.CURVE();
  const onTwist = Fp2.eql(Fp2.sqr(affine.y), Fp2.add(Fp2.mul(Fp2.sqr(affine.x), affine.x), b));
  if (!onTwist) return "point-off-curve";
  const point = G2.fromAffine(affine);
  return isValid(point) ? point : "point-in-wrong-subgroup";
}

function isCoordinate(value: bigint): boolean {
  return value >= 0n && value < COORDINATE_ORDER;
}

function isValid(point: PointG1 | PointG2): boolean {
  try {
    point.assertValidity();
    return true;
  } catch {
    return false;
  }
}
