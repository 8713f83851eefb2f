/**
 * The smallest x in [low, high], to within `tolerance` above it, at which the rising function `f` is not negative any more,
 * given that f(low) ≤ 0 ≤ f(high). The ITP method (Oliveira and Takahashi, ACM Transactions on Mathematical Software 47(1),
 * 2020): as quick as a secant where `f` is smooth, and at a jump one step more than a bisection.
 */
export function risingRoot(f: (x: number) => number, low: number, high: number, tolerance: number): number {
  let [left, right] = [low, high];
  let [fLeft, fRight] = [f(left), f(right)];
  if (fLeft >= 0) return left;
  const truncation = 0.2 / (high - low);
  const bisections = Math.ceil(Math.log2((high - low) / tolerance));
  // How far a step may stray from the middle and the bisections that are left still suffice.
  let slack = (tolerance / 2) * 2 ** (bisections + 1);
  while (right - left > tolerance) {
    const middle = left + (right - left) / 2;
    const x = nearSecant({ left, right, fLeft, fRight, middle }, truncation, slack - (right - left) / 2);
    slack /= 2;
    if (!(x > left && x < right)) break;
    const value = f(x);
    if (value >= 0) [right, fRight] = [x, value];
    else [left, fLeft] = [x, value];
  }
  return right;
}

interface Bracket {
  readonly left: number;
  readonly right: number;
  readonly fLeft: number;
  readonly fRight: number;
  readonly middle: number;
}

/** The secant's root, moved a little towards the middle, and at most `radius` away from it. */
function nearSecant({ left, right, fLeft, fRight, middle }: Bracket, truncation: number, radius: number): number {
  const secant = (fRight * left - fLeft * right) / (fRight - fLeft);
  const towards = Math.sign(middle - secant);
  const nudge = truncation * (right - left) ** 2;
  const nudged = nudge <= Math.abs(middle - secant) ? secant + towards * nudge : middle;
  return Math.abs(nudged - middle) <= radius ? nudged : middle - towards * Math.max(radius, 0);
}
