export interface BlockClockOptions {
  readonly intervalMs: number;
  /** Height of the first block. */
  readonly firstHeight: number;
  /** Called at the start of each interval; the block's cut-off is at `sealAtMs`, Unix milliseconds. */
  readonly open: (block: { readonly height: number; readonly sealAtMs: number }) => void;
  /** Called at each cut-off. */
  readonly cutOff: (height: number) => void;
}

export interface BlockClock {
  stop(): void;
}

/**
 * A heartbeat without drift: block n seals at `start + n × interval`, however late a timer fires, and the next block opens
 * at that moment. Cut-offs that were missed because the machine paused are left out, their heights are not.
 */
export function startBlockClock({ intervalMs, firstHeight, open, cutOff }: BlockClockOptions): BlockClock {
  // The monotonic clock, shown as wall time, so that setting the machine's clock does not stretch a block.
  const startedMs = Date.now() - performance.now();
  const nowMs = (): number => startedMs + performance.now();
  let height = firstHeight;
  let sealAtMs = nowMs() + intervalMs;
  let timer: NodeJS.Timeout | undefined;

  const arm = (): void => {
    timer = setTimeout(beat, Math.max(1, sealAtMs - nowMs()));
  };
  const beat = (): void => {
    // A timer may fire a little early.
    if (nowMs() < sealAtMs) return arm();
    cutOff(height);
    height += 1;
    sealAtMs += intervalMs * (1 + Math.floor((nowMs() - sealAtMs) / intervalMs));
    open({ height, sealAtMs });
    arm();
  };
  open({ height, sealAtMs });
  arm();
  return { stop: () => clearTimeout(timer) };
}
