import { bn254 } from "@noble/curves/bn254.js";
import type { ZkFault } from "./proof-system.ts";

export const G1 = bn254.G1.Point;
export const G2 = bn254.G2.Point;
export type PointG1 = InstanceType<typeof G1>;
export type PointG2 = InstanceType<typeof G2>;

const { Fp, Fp2 } = bn254.fields;

/** Order of the field of coordinates, and of the groups and hence of the field of scalars. */
export const COORDINATE_ORDER = Fp.ORDER;
export const SCALAR_ORDER = bn254.fields.Fr.ORDER;

/** A coordinate in Fp², real part first. */
export type Pair = readonly [bigint, bigint];

/** What can be wrong with a point. */
export type PointFault = Extract<
  ZkFault,
  "non-canonical-coordinate" | "point-at-infinity" | "point-off-curve" | "point-in-wrong-subgroup"
>;

/** The point with these affine coordinates. G1 is the whole curve y² = x³ + 3, so that there is no subgroup to be outside of. */
export function pointG1(x: bigint, y: bigint): PointG1 | PointFault {
  if (!isCoordinate(x) || !isCoordinate(y)) return "non-canonical-coordinate";
  if (x === 0n && y === 0n) return "point-at-infinity";
  if (!Fp.eql(Fp.sqr(y), Fp.add(Fp.mul(Fp.sqr(x), x), G1.CURVE().b))) return "point-off-curve";
  // Only now: noble's constructor throws for y = 0, where this curve has no point.
  return G1.fromAffine({ x, y });
}

/** The point with these affine coordinates on the twist y² = x³ + 3/(9 + u), of whose points G2 is a small part. */
export function pointG2(x: Pair, y: Pair): PointG2 | PointFault {
  const coordinates = [...x, ...y];
  if (!coordinates.every(isCoordinate)) return "non-canonical-coordinate";
  if (coordinates.every((coordinate) => coordinate === 0n)) return "point-at-infinity";
  const affine = { x: Fp2.fromBigTuple([...x]), y: Fp2.fromBigTuple([...y]) };
  const cube = Fp2.mul(Fp2.sqr(affine.x), affine.x);
  if (!Fp2.eql(Fp2.sqr(affine.y), Fp2.add(cube, G2.CURVE().b))) return "point-off-curve";
  const point = G2.fromAffine(affine);
  return point.isTorsionFree() ? point : "point-in-wrong-subgroup";
}

function isCoordinate(value: bigint): boolean {
  return value >= 0n && value < COORDINATE_ORDER;
}
