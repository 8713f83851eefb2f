import type { Absent, NumberField, Plain } from "./fields.ts";
import { EXPERIMENT_LIMITS } from "./limits.ts";

const { ms: MAX_MS, ratePerS: MAX_RATE } = EXPERIMENT_LIMITS;
/** Of shapes and coefficients of variation: beyond it a law is as good as a constant, or has no numbers worth drawing. */
const MAX_SHAPE = 100;

type NumberOptions = Omit<NumberField, "type" | "whole" | "means">;

export const number = (means: string, options: NumberOptions): NumberField => ({
  type: "number",
  whole: false,
  means,
  ...options,
});
export const integer = (means: string, options: NumberOptions): NumberField => ({
  type: "number",
  whole: true,
  means,
  ...options,
});
export const value = (plain: Plain): Absent => ({ value: plain });
export const durationMs = (means: string): NumberField => number(means, { above: 0, atMost: MAX_MS });
export const shape = (means: string): NumberField => number(means, { above: 0, atMost: MAX_SHAPE });
export const ratePerS = (means: string): NumberField => number(means, { above: 0, atMost: MAX_RATE });
