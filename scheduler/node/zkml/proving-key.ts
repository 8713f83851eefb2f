import { bn254 } from "@noble/curves/bn254.js";
import type { PointG1, PointG2 } from "../../proofs/zkml/points.ts";
import { COORDINATE_ORDER, G1, G2, SCALAR_ORDER } from "../../proofs/zkml/points.ts";

/** One entry of the sparse matrices: constraint `row` uses `wire` with this coefficient. */
export interface Coefficient {
  readonly matrix: "a" | "b";
  readonly row: number;
  readonly wire: number;
  readonly value: bigint;
}

/** The proving key of a Groth16 setup: what a file `.zkey` holds, in points and numbers. */
export interface ProvingKey {
  readonly wireCount: number;
  readonly publicCount: number;
  /** Constraints and public inputs, rounded up to a power of two. */
  readonly domainSize: number;
  readonly alpha: PointG1;
  readonly beta1: PointG1;
  readonly beta2: PointG2;
  readonly delta1: PointG1;
  readonly delta2: PointG2;
  readonly coefficients: readonly Coefficient[];
  /** One point for each wire. */
  readonly a: PointG1[];
  readonly b1: PointG1[];
  readonly b2: PointG2[];
  /** One for each wire that is neither public nor the constant. */
  readonly c: PointG1[];
  /** One for each point of the domain. */
  readonly h: PointG1[];
}

const MAGIC = "zkey";
const GROTH16 = 1;
const SECTION = { protocol: 1, header: 2, coefficients: 4, a: 5, b1: 6, b2: 7, c: 8, h: 9 } as const;
const WORD_BYTES = 32;
const { Fp, Fp2, Fr } = bn254.fields;
/** Numbers are kept times 2^256 (Montgomery's form), coefficients times 2^512. */
const COORDINATE_UNIT = Fp.inv(Fp.create(2n ** 256n));
const COEFFICIENT_UNIT = Fr.inv(Fr.create(2n ** 512n));

/**
 * Reads a `.zkey`: sections of `id (u32) ‖ size (u64) ‖ content`, everything little endian. The file ships with the package and
 * has been checked against its digest, so that points are taken as they are; throws an Error for anything else.
 */
export function readProvingKey(file: Uint8Array): ProvingKey {
  const sections = sectionsOf(new Reader(file));
  const section = (name: keyof typeof SECTION): Reader => {
    const found = sections.get(SECTION[name]);
    if (found === undefined) throw new Error(`the proving key has no section ${name}`);
    return found;
  };
  if (section("protocol").uint32() !== GROTH16) throw new Error("the proving key is not one of Groth16");
  const header = section("header");
  if (header.field() !== COORDINATE_ORDER || header.field() !== SCALAR_ORDER)
    throw new Error("the proving key is not one of BN254");
  const [wireCount, publicCount, domainSize] = [header.uint32(), header.uint32(), header.uint32()];
  const [alpha, beta1, beta2] = [header.pointG1(), header.pointG1(), header.pointG2()];
  header.pointG2(); // gamma, which only verifiers need
  return {
    wireCount,
    publicCount,
    domainSize,
    alpha,
    beta1,
    beta2,
    delta1: header.pointG1(),
    delta2: header.pointG2(),
    coefficients: coefficientsOf(section("coefficients")),
    a: section("a").pointsG1(wireCount),
    b1: section("b1").pointsG1(wireCount),
    b2: section("b2").pointsG2(wireCount),
    c: section("c").pointsG1(wireCount - publicCount - 1),
    h: section("h").pointsG1(domainSize),
  };
}

function sectionsOf(file: Reader): Map<number, Reader> {
  if (file.text(MAGIC.length) !== MAGIC) throw new Error("not a proving key: it does not begin with zkey");
  file.uint32(); // the version of the format
  const sections = new Map<number, Reader>();
  for (let left = file.uint32(); left > 0; left -= 1) {
    const id = file.uint32();
    sections.set(id, new Reader(file.bytes(file.uint64())));
  }
  return sections;
}

function coefficientsOf(section: Reader): Coefficient[] {
  return Array.from({ length: section.uint32() }, () => ({
    matrix: section.uint32() === 0 ? "a" : "b",
    row: section.uint32(),
    wire: section.uint32(),
    value: Fr.mul(section.number(), COEFFICIENT_UNIT),
  }));
}

/** Reads little-endian values one after the other; past the end it throws a RangeError, as Buffer does. */
class Reader {
  readonly #buffer: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  bytes(count: number): Uint8Array {
    if (this.#at + count > this.#buffer.length) throw new RangeError("the proving key is truncated");
    this.#at += count;
    return this.#buffer.subarray(this.#at - count, this.#at);
  }

  text(count: number): string {
    return Buffer.from(this.bytes(count)).toString("latin1");
  }

  uint32(): number {
    return Buffer.from(this.bytes(4)).readUInt32LE();
  }

  uint64(): number {
    return Number(Buffer.from(this.bytes(8)).readBigUInt64LE());
  }

  number(): bigint {
    return BigInt(`0x${Buffer.from(this.bytes(WORD_BYTES)).reverse().toString("hex")}`);
  }

  /** The order of a field, after its length in bytes. */
  field(): bigint {
    if (this.uint32() !== WORD_BYTES) throw new Error("the proving key is not one of BN254");
    return this.number();
  }

  /** Zeros stand for the point at infinity. */
  pointG1(): PointG1 {
    return G1.fromAffine({ x: this.#coordinate(), y: this.#coordinate() });
  }

  pointG2(): PointG2 {
    const pair = () => Fp2.fromBigTuple([this.#coordinate(), this.#coordinate()]);
    return G2.fromAffine({ x: pair(), y: pair() });
  }

  pointsG1(count: number): PointG1[] {
    return Array.from({ length: count }, () => this.pointG1());
  }

  pointsG2(count: number): PointG2[] {
    return Array.from({ length: count }, () => this.pointG2());
  }

  #coordinate(): bigint {
    return Fp.mul(this.number(), COORDINATE_UNIT);
  }
}
