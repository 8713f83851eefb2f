/**
 * The shell's one source of time: integer microseconds since the Unix epoch that never go back. Anchored to the wall clock
 * once, then carried on by the monotonic clock, so that an adjustment of the machine's clock moves nothing.
 */
export interface LiveClock {
  nowUs(): number;
}

/** `floorUs`: the last time that the journal knows; a wall clock that was set back in between does not take time back. */
export function createLiveClock(floorUs: number): LiveClock {
  const anchorUs = Math.max(floorUs, Date.now() * 1000);
  const startedMs = performance.now();
  let lastUs = anchorUs;
  return {
    nowUs() {
      const readUs = anchorUs + Math.floor((performance.now() - startedMs) * 1000);
      if (readUs > lastUs) lastUs = readUs;
      return lastUs;
    },
  };
}
