import type { Pair, PointG1, PointG2 } from "./points.ts";
import { pointG1, pointG2 } from "./points.ts";
import type { ZkFault } from "./proof-system.ts";

/** A Groth16 proof: three points, each in its group and none at infinity. */
export interface Groth16Proof {
  readonly a: PointG1;
  readonly b: PointG2;
  readonly c: PointG1;
}

const COORDINATE_BYTES = 32;
export const GROTH16_PROOF_BYTES = 8 * COORDINATE_BYTES;

/**
 * Reads A ‖ B ‖ C: affine coordinates of 32 bytes each, big endian, those of B in the order of EIP-197, imaginary part before
 * real part. Exactly one text for each proof; a long one is refused before anything is read.
 */
export function decodeProof(bytes: Uint8Array): Groth16Proof | ZkFault {
  if (bytes.length !== GROTH16_PROOF_BYTES) return "bad-proof-length";
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
  const at = (i: number) => BigInt(`0x${hex.slice(64 * i, 64 * (i + 1))}`);
  const a = pointG1(at(0), at(1));
  if (typeof a === "string") return a;
  const c = pointG1(at(6), at(7));
  if (typeof c === "string") return c;
  const b = pointG2([at(3), at(2)], [at(5), at(4)]);
  return typeof b === "string" ? b : { a, b, c };
}

/** The bytes that `decodeProof` reads. */
export function encodeProof({ a, b, c }: Groth16Proof): Uint8Array {
  const [first, second, third] = [a.toAffine(), b.toAffine(), c.toAffine()];
  const pairs: Pair[] = [
    [first.x, first.y],
    [second.x.c1, second.x.c0],
    [second.y.c1, second.y.c0],
    [third.x, third.y],
  ];
  const hex = pairs.flat().map((value) => value.toString(16).padStart(2 * COORDINATE_BYTES, "0"));
  // Copied out of the Buffer, whose slices would share memory.
  return Uint8Array.from(Buffer.from(hex.join(""), "hex"));
}
