/** Stands in a pattern for any characters, none included. Every other character stands for itself. */
const ANY = "*";

/**
 * Whether the whole text is as the pattern says. In time |pattern| × |text| at the worst, since only the last star is ever
 * stretched: what an earlier one could take besides, the last one can take instead.
 */
export function matches(pattern: string, text: string): boolean {
  let [p, t] = [0, 0];
  /** Where the pattern goes on after its last star, and up to where that star has taken the text. */
  let [afterStar, taken] = [-1, 0];
  while (t < text.length) {
    if (pattern[p] === ANY) {
      afterStar = ++p;
      taken = t;
    } else if (p < pattern.length && pattern[p] === text[t]) {
      p++;
      t++;
    } else if (afterStar >= 0) {
      p = afterStar;
      t = ++taken;
    } else return false;
  }
  while (pattern[p] === ANY) p++;
  return p === pattern.length;
}
