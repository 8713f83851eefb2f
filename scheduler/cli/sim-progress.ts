/** What is written to: standard error, or a test. */
export interface ProgressStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export interface Progress {
  /** `done` may have a fraction, for what is under way. */
  show(done: number, of: number): void;
  /** Leaves an empty line behind; called once, also after an interruption. */
  close(): void;
}

/** Milliseconds between two pictures of the bar: eyes need no more. */
const REDRAW_MS = 100;
const BAR_WIDTH = 30;

/** A bar in place on a terminal; else a line each tenth of the way. `nowMs` is any clock that does not go back. */
export function progressOn(stream: ProgressStream, what: string, nowMs: () => number): Progress {
  return stream.isTTY === true ? barOn(stream, what, nowMs) : linesOn(stream, what);
}

function barOn(stream: ProgressStream, what: string, nowMs: () => number): Progress {
  const startedMs = nowMs();
  let [drawnMs, drawn] = [Number.NEGATIVE_INFINITY, false];
  return {
    show(done, of) {
      const now = nowMs();
      if (done < of && now - drawnMs < REDRAW_MS) return;
      [drawnMs, drawn] = [now, true];
      const filled = Math.round((BAR_WIDTH * done) / of);
      const leftS = done > 0 ? String(Math.ceil(((now - startedMs) / 1_000 / done) * (of - done))) : "?";
      const bar = `${"█".repeat(filled)}${"░".repeat(BAR_WIDTH - filled)}`;
      const line = `${bar} ${written(done)} of ${of} ${what}, ${leftS} s left`;
      stream.write(`\r\u001b[2K${line.slice(0, Math.max(20, stream.columns ?? 80) - 1)}`);
    },
    close() {
      if (drawn) stream.write("\r\u001b[2K");
    },
  };
}

/** Parts of one to a tenth. */
function written(done: number): string {
  return String(Math.floor(10 * done) / 10);
}

function linesOn(stream: ProgressStream, what: string): Progress {
  let tenths = 0;
  return {
    show(done, of) {
      const reached = Math.floor((10 * done) / of);
      if (reached === tenths) return;
      tenths = reached;
      stream.write(`${written(done)} of ${of} ${what}\n`);
    },
    close() {},
  };
}
