import type { Absent, Fields, NumberField, Plain, SectionField } from "./fields.ts";
import { EXPERIMENT_LIMITS } from "./limits.ts";

const { ms: MAX_MS, ratePerS: MAX_RATE, seconds: MAX_SECONDS, shortestS: SHORTEST_S } = EXPERIMENT_LIMITS;
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
export const seconds = (means: string): NumberField => number(means, { atLeast: SHORTEST_S, atMost: MAX_SECONDS });
/** From the beginning of the run. */
export const momentS = (means: string): NumberField => number(means, { atLeast: 0, atMost: MAX_SECONDS });
export const factor = (means: string): NumberField => number(means, { above: 0, atMost: EXPERIMENT_LIMITS.factor });
export const probability = (means: string): NumberField => number(means, { atLeast: 0, atMost: 1 });
/** A section that may be left out; `none` says so in variants and sweeps. */
export const optional = (means: string, fields: Fields): SectionField => ({
  type: "section",
  word: "none",
  means,
  absent: value("none"),
  fields,
});
