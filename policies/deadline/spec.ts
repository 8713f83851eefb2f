/** Least expected work such that `target` of the calls are answered by their deadline, or most value less work. */
export interface DeadlineSpec {
  readonly kind: "deadline";
  /** Probability, above 0 and below 1. Not looked at with `sealGwei`. */
  readonly target: number;
  /** Copies racing at a time, at the most. */
  readonly maxCopies: number;
  /** The block by which a call is to be sealed, 1 being the one that is open when its race opens; `none` for its last one. */
  readonly withinBlocks: number | "none";
  /** What it is worth to be sealed in the block that is open when the race opens; `fee` for the call's max fee. */
  readonly sealGwei?: number | "fee";
  /** Share of `sealGwei` that each later block takes away; 0 if missing. */
  readonly lossPerBlock?: number;
  /** Price of a machine-second; `asked`, if missing, for what nodes ask for an answer by the time that answers take. */
  readonly workGweiPerS?: number | "asked";
}
