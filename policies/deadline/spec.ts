/** Least expected work such that `target` of the calls are answered by their deadline. */
export interface DeadlineSpec {
  readonly kind: "deadline";
  /** Probability, above 0 and below 1. */
  readonly target: number;
  /** Copies racing at a time, at the most. */
  readonly maxCopies: number;
  /** The block by which a call is to be sealed, 1 being the one that is open when its race opens; `none` for its last one. */
  readonly withinBlocks: number | "none";
}
