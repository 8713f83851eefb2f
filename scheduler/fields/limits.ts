/** What a number in any of our files may be at the most and at the least, with the reasons. */
export const FIELD_LIMITS = {
  // The engine launches no more copies of one race.
  copies: 16,
  // Times are integer microseconds and must stay exact over a whole run: a day for any one of them.
  ms: 86_400_000,
  // The microsecond that they are counted in: what is shorter would take no time at all.
  shortestMs: 0.001,
  // A year, and the shortest that is not a flood of changes.
  seconds: 31_536_000,
  shortestS: 0.001,
  ratePerS: 1_000_000,
  // How many times as long, or as fast, something may take; and its inverse the least.
  factor: 1_000_000,
  lowestFactor: 0.000_001,
  // Shapes and coefficients of variation: beyond these a law is as good as a constant, or has no numbers worth drawing.
  shape: 100,
  lowestShape: 0.01,
  lowestCv: 0.001,
  // A section within a section of the same kind within another.
  depth: 3,
} as const;
