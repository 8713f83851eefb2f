/**
 * By when an answer has to be in, and what is lost when it is not: a step for each block that may carry it. Times are in units
 * of the job's expected duration, from the moment for which is planned.
 */
export interface Staircase {
  /** To the cut-off of the next block that may carry it. */
  readonly first: number;
  /** From one cut-off to the next. */
  readonly interval: number;
  /** Blocks that may still carry it; only the last one counts where nothing is lost before. */
  readonly blocks: number;
  /** Blocks that are past, of those in which it would have been worth something. */
  readonly passed: number;
  /** Share of its value in the first block that each later one takes away. */
  readonly lossPerBlock: number;
}

/** One step: a result that comes a millisecond later is worth nothing. */
export function until(horizon: number): Staircase {
  return { first: horizon, interval: 0, blocks: 1, passed: 0, lossPerBlock: 0 };
}

/** Share of the value in the first block that is left in the next one. */
export function shareLeft({ passed, lossPerBlock }: Pick<Staircase, "passed" | "lossPerBlock">): number {
  return Math.max(0, 1 - passed * lossPerBlock);
}

/** Steps into which the time is cut in which copies are launched, and further ones in which work is still counted. */
export const STEPS = 24;
const TAIL = 36;
export const ALL = STEPS + TAIL;
/** Plans look so many expected durations ahead: who is still open then is planned for anew. */
const AHEAD = 2;

/** Moments at which survival is computed and copies may be launched: now, `offset` later, and then every `step`. */
export interface Grid {
  readonly offset: number;
  readonly step: number;
  /** Moments at which something is lost, by number, and which share of the value. */
  readonly cuts: readonly number[];
  readonly drops: readonly number[];
  /** Whether copies launched later than on this grid may pay. */
  readonly open: boolean;
}

/** The moment with this number. */
export function momentAt({ offset, step }: Pick<Grid, "offset" | "step">, index: number): number {
  return index === 0 ? 0 : offset + (index - 1) * step;
}

/**
 * Counted back from the cut-offs, so that a copy can be launched just early enough for each of them: a whole number of steps to
 * a block, or of blocks to a step where blocks are short compared with jobs. What falls between two moments counts for both by
 * its distance, as if survival went straight from one to the other.
 */
export function gridOf(stairs: Staircase): Grid {
  const { first, interval, lossPerBlock, passed } = stairs;
  const left = shareLeft(stairs);
  const blocks = lossPerBlock > 0 ? Math.min(stairs.blocks, Math.ceil(left / lossPerBlock - 1e-9)) : 1;
  if (blocks <= 1) {
    const last = first + (lossPerBlock > 0 ? 0 : (stairs.blocks - 1) * interval);
    const step = last / STEPS;
    return { offset: step, step, cuts: [STEPS], drops: [left], open: false };
  }
  const last = first + (blocks - 1) * interval;
  const span = Math.min(last, Math.max(AHEAD, first));
  const roughly = span / STEPS;
  const step =
    interval >= roughly
      ? interval / Math.round(interval / roughly)
      : interval * Math.max(1, Math.round(roughly / interval));
  const before = Math.ceil(first / step - 1e-9) - 1;
  const offset = first - before * step;
  const drops = new Float64Array(ALL + 1);
  for (let block = 0; block < blocks; block++) {
    const place = 1 + before + (block * interval) / step;
    const rest = Math.max(0, 1 - (passed + block) * lossPerBlock);
    if (place >= ALL) {
      // Who is open as late as this stays so, as far as the grid can tell.
      drops[ALL] = (drops[ALL] as number) + rest;
      break;
    }
    const drop = block === blocks - 1 ? rest : lossPerBlock;
    const index = Math.floor(place + 1e-9);
    const share = place - index < 1e-9 ? 0 : place - index;
    drops[index] = (drops[index] as number) + (1 - share) * drop;
    drops[index + 1] = (drops[index + 1] as number) + share * drop;
  }
  const cuts = [...drops.keys()].filter((index) => drops[index] !== 0);
  return {
    offset,
    step,
    cuts,
    drops: cuts.map((index) => drops[index] as number),
    open: momentAt({ offset, step }, STEPS) < last - 1e-9,
  };
}
