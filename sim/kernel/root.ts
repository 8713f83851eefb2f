const MAX_STEPS = 200;

/**
 * The smallest x in [low, high], to within `tolerance`, at which the rising function `f` is not negative any more, given
 * that f(low) ≤ 0 ≤ f(high). The Illinois rule (Dowell and Jarratt 1971), with a bisection whenever two steps have not
 * halved the bracket, so that jumps are found as well.
 */
export function risingRoot(f: (x: number) => number, low: number, high: number, tolerance: number): number {
  let [left, right] = [low, high];
  let [fLeft, fRight] = [f(left), f(right)];
  if (fLeft >= 0) return left;
  let widthBefore = right - left;
  for (let step = 1; step <= MAX_STEPS && right - left > tolerance; step++) {
    let x = right - (fRight * (right - left)) / (fRight - fLeft);
    if (step % 3 === 0) {
      if (right - left > widthBefore / 2) x = left + (right - left) / 2;
      widthBefore = right - left;
    }
    // A step of its own past the end, else the end that is the root would never be bracketed from the other side.
    x = Math.min(Math.max(x, left + tolerance / 2), right - tolerance / 2);
    const value = f(x);
    if (value >= 0) {
      right = x;
      fRight = value;
      fLeft /= 2;
    } else {
      left = x;
      fLeft = value;
      fRight /= 2;
    }
  }
  return right;
}
