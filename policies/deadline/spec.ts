/** Least expected work such that `target` of the calls are answered by their deadline. */
export interface DeadlineSpec {
  readonly kind: "deadline";
  /** Probability, above 0 and below 1. */
  readonly target: number;
  /** Copies racing at a time, at the most. */
  readonly maxCopies: number;
}

export function problemOfDeadline({ target, maxCopies }: DeadlineSpec): string | undefined {
  if (!(target > 0 && target < 1)) return "target must be a probability above 0 and below 1";
  return Number.isSafeInteger(maxCopies) && maxCopies > 0 ? undefined : "maxCopies must be a positive integer";
}
