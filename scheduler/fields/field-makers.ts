import type { Absent, Fields, NumberField, Plain, SectionField } from "./fields.ts";
import { FIELD_LIMITS as LIMITS } from "./limits.ts";

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
export const durationMs = (means: string): NumberField =>
  number(means, { atLeast: LIMITS.shortestMs, atMost: LIMITS.ms });
export const shape = (means: string): NumberField =>
  number(means, { atLeast: LIMITS.lowestShape, atMost: LIMITS.shape });
export const variation = (means: string): NumberField =>
  number(means, { atLeast: LIMITS.lowestCv, atMost: LIMITS.shape });
export const ratePerS = (means: string): NumberField => number(means, { above: 0, atMost: LIMITS.ratePerS });
export const seconds = (means: string): NumberField =>
  number(means, { atLeast: LIMITS.shortestS, atMost: LIMITS.seconds });
/** From the beginning of the run. */
export const momentS = (means: string): NumberField => number(means, { atLeast: 0, atMost: LIMITS.seconds });
export const factor = (means: string): NumberField =>
  number(means, { atLeast: LIMITS.lowestFactor, atMost: LIMITS.factor });
export const probability = (means: string): NumberField => number(means, { atLeast: 0, atMost: 1 });
/** A section that may be left out; `none` says so in variants and sweeps. */
export const optional = (means: string, fields: Fields): SectionField => ({
  type: "section",
  word: "none",
  means,
  absent: value("none"),
  fields,
});
