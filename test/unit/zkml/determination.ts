import { bn254 } from "@noble/curves/bn254.js";

const { Fr } = bn254.fields;

/** A sum over wires: the coefficient of each, none of them zero. Wire 0 is the constant one. */
export type Combination = ReadonlyMap<number, bigint>;

/** a · b = c */
export interface Constraint {
  readonly a: Combination;
  readonly b: Combination;
  readonly c: Combination;
}

/**
 * Which wires have one value only, given those of `known`. It concludes from what constraints say in every case, not from some
 * witness: a wire that it finds determined cannot be chosen by a prover. What it does not find need not be free.
 */
export function determined(constraints: readonly Constraint[], given: Iterable<number>): ReadonlySet<number> {
  const known = new Set([0, ...given]);
  const booleans = new Set(constraints.map(booleanOf).filter((wire) => wire !== undefined));
  const zeroTests = zeroTestsOf(constraints);
  for (let before = -1; before !== known.size; ) {
    before = known.size;
    for (const constraint of constraints) {
      for (const wire of concluded(constraint, known, booleans)) known.add(wire);
    }
    for (const { tested, result } of zeroTests) {
      if ([...tested.keys()].every((wire) => known.has(wire))) known.add(result);
    }
  }
  return known;
}

function concluded({ a, b, c }: Constraint, known: ReadonlySet<number>, booleans: ReadonlySet<number>): number[] {
  const unknownIn = (side: Combination) => [...side.keys()].filter((wire) => !known.has(wire));
  const factor = constantOf(a) ?? constantOf(b);
  if (factor === undefined) {
    // A product of what is known is known, and so is one wire that makes the sum equal to it.
    const wires = unknownIn(a).length + unknownIn(b).length === 0 ? unknownIn(c) : [];
    return wires.length === 1 ? wires : [];
  }
  const linear = minus(scaled(constantOf(a) === undefined ? a : b, factor), c);
  const wires = unknownIn(linear);
  if (wires.length === 1) return wires;
  // Bits weighted with different powers of two: the sum has one binary notation, as long as it does not reach the order.
  const weights = wires.map((wire) => linear.get(wire) ?? 0n);
  return wires.every((wire) => booleans.has(wire)) && arePowersOfTwo(weights) ? wires : [];
}

/** Different powers of two times a common factor, adding up to less than the field's order. */
function arePowersOfTwo(weights: readonly bigint[]): boolean {
  return weights.some((unit) => {
    if (unit === 0n) return false;
    const ratios = weights.map((weight) => Fr.div(weight, unit));
    const total = ratios.reduce((sum, ratio) => sum + ratio, 0n);
    return (
      new Set(ratios).size === ratios.length &&
      total < Fr.ORDER &&
      ratios.every((ratio) => (ratio & (ratio - 1n)) === 0n)
    );
  });
}

/** The wire of a constraint w · (w - 1) = 0, however it is scaled. */
function booleanOf({ a, b, c }: Constraint): number | undefined {
  const wires = new Set([...a.keys(), ...b.keys()].filter((wire) => wire !== 0));
  const [wire] = wires;
  if (wires.size !== 1 || wire === undefined || c.size > 0 || !a.has(wire) || !b.has(wire)) return undefined;
  const root = (side: Combination) => Fr.neg(Fr.div(side.get(0) ?? 0n, side.get(wire) ?? 1n));
  const roots = [root(a), root(b)];
  return roots.includes(0n) && roots.includes(1n) ? wire : undefined;
}

/** Pairs `t · i = r` and `t · (1 - r) = 0`: where t is zero the first makes r zero, elsewhere the second makes it one. */
function zeroTestsOf(constraints: readonly Constraint[]): { tested: Combination; result: number }[] {
  return constraints.flatMap(({ a, b, c }) => {
    const [result] = onlyWire(c);
    if (result === undefined || onlyWire(b).length === 0) return [];
    const other = constraints.some((second) => {
      const root = second.b.size === 2 && second.b.has(result) && second.b.has(0);
      const one = root && Fr.add(second.b.get(result) ?? 0n, second.b.get(0) ?? 0n) === 0n;
      return one && second.c.size === 0 && areProportional(a, second.a);
    });
    return other ? [{ tested: a, result }] : [];
  });
}

function areProportional(one: Combination, other: Combination): boolean {
  const ratios = new Set([...one].map(([wire, value]) => Fr.div(other.get(wire) ?? 0n, value)));
  return one.size === other.size && one.size > 0 && ratios.size === 1 && !ratios.has(0n);
}

function onlyWire(side: Combination): number[] {
  return side.size === 1 && !side.has(0) ? [...side.keys()] : [];
}

/** The value of a side without wires; zero when it is empty. */
function constantOf(side: Combination): bigint | undefined {
  if (side.size === 0) return 0n;
  return side.size === 1 ? side.get(0) : undefined;
}

function scaled(side: Combination, factor: bigint): Combination {
  return factor === 0n ? new Map() : new Map([...side].map(([wire, value]) => [wire, Fr.mul(value, factor)]));
}

function minus(one: Combination, other: Combination): Combination {
  const sum = new Map(one);
  for (const [wire, value] of other) sum.set(wire, Fr.sub(sum.get(wire) ?? 0n, value));
  return new Map([...sum].filter(([, value]) => value !== 0n));
}
