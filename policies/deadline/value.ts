import { NEVER } from "../../scheduler/shared/vocabulary.ts";
import type { RacePicture } from "../policy.ts";
import type { DeadlineSpec } from "./spec.ts";
import { type Staircase, until } from "./staircase.ts";

/** More runs than anything is worth: what work that costs nothing makes of any value. */
const PRICELESS = 1e9;

/** What sealing a call in the block that is open when its race opens is worth; `undefined` where a target is to be met instead. */
export function valueGwei({ sealGwei }: DeadlineSpec, { maxFeeGwei }: RacePicture["call"]): number | undefined {
  return sealGwei === "fee" ? maxFeeGwei : sealGwei;
}

/** What a second of a machine costs. `usualUs` is what an answer of those takes for which nodes ask so much. */
export function gweiPerS(
  { workGweiPerS = "asked" }: DeadlineSpec,
  { askedGwei, usualUs }: { readonly askedGwei: number; readonly usualUs: number },
): number {
  if (workGweiPerS !== "asked") return workGweiPerS;
  return usualUs > 0 ? (1e6 * askedGwei) / usualUs : 0;
}

/** A value in runs of a copy, which last so long. */
export function inRuns(gwei: number, perS: number, expectedUs: number): number {
  const runGwei = (perS * expectedUs) / 1e6;
  if (gwei === 0) return 0;
  return runGwei > 0 ? Math.min(PRICELESS, gwei / runGwei) : PRICELESS;
}

/** What is left of a race's staircase at a moment before its target. */
export function staircaseOf(
  { lossPerBlock = 0, sealGwei }: DeadlineSpec,
  { targetUs, firstBlockUs, blockUs }: Pick<RacePicture, "targetUs" | "firstBlockUs" | "blockUs">,
  nowUs: number,
  expectedUs: number,
): Staircase {
  if (sealGwei === undefined || lossPerBlock === 0 || firstBlockUs === NEVER)
    return until((targetUs - nowUs) / expectedUs);
  const passed = nowUs < firstBlockUs ? 0 : Math.floor((nowUs - firstBlockUs) / blockUs) + 1;
  const blocks = Math.max(1, Math.round((targetUs - firstBlockUs) / blockUs) + 1 - passed);
  const first = (firstBlockUs + passed * blockUs - nowUs) / expectedUs;
  return { first, interval: blockUs / expectedUs, blocks, passed, lossPerBlock };
}
