import type { DemoTally } from "./demo-tally.ts";
import { sum } from "./demo-tally.ts";

/** What is shown while the demonstration runs. */
export interface DemoPicture {
  readonly height: number;
  readonly blocks: number;
  readonly tally: DemoTally;
  readonly pending: number;
  readonly racing: number;
  readonly nodes: readonly NodePicture[];
}

export interface NodePicture {
  readonly id: string;
  readonly hardware: string;
  readonly fault: string;
  readonly running: number;
  readonly won: number;
  readonly lost: number;
}

/** Shows pictures: in place on a terminal, else a line each four blocks. */
export interface DemoScreen {
  show(picture: DemoPicture): void;
  /** A line that stays. */
  say(line: string): void;
  close(): void;
}

/** What is written to: standard error, or a test. A terminal that does not know its size says 0. */
export interface DemoStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
}

const LINE_EVERY_BLOCKS = 4;

/** `terminal` is its name in the environment: a dumb one cannot move its cursor. */
export function screenOn(stream: DemoStream, terminal: string | undefined): DemoScreen {
  return stream.isTTY === true && terminal !== "dumb" ? tableOn(stream) : linesOn(stream);
}

function linesOn(stream: DemoStream): DemoScreen {
  let shown = -LINE_EVERY_BLOCKS;
  return {
    show(picture) {
      if (picture.height < shown + LINE_EVERY_BLOCKS) return;
      shown = picture.height;
      stream.write(`block ${String(picture.height).padStart(3)}/${picture.blocks}: ${countsOf(picture)}\n`);
    },
    say(line) {
      stream.write(`${line}\n`);
    },
    close() {},
  };
}

function countsOf({ tally, pending, racing }: DemoPicture): string {
  return (
    `submitted ${tally.submitted}, sealed ${tally.sealed}, pending ${pending}, racing ${racing}; ` +
    `speculative copies ${tally.speculative} (won ${tally.speculativeWins}), ` +
    `stragglers cancelled ${tally.cancelled}, copies lost ${sum(tally.lost)}`
  );
}

const HIDE_CURSOR = "\u001b[?25l";
const SHOW_CURSOR = "\u001b[?25h";
const CLEAR_LINE = "\u001b[2K";
const BAR_WIDTH = 32;

/** What terminals have that do not tell. */
const USUAL_COLUMNS = 80;
const USUAL_ROWS = 24;

function tableOn(stream: DemoStream): DemoScreen {
  let height = 0;
  stream.write(HIDE_CURSOR);
  return {
    show(picture) {
      // A line that wraps, or a table taller than the terminal, would leave its remains behind at each picture.
      const columns = (stream.columns || USUAL_COLUMNS) - 1;
      const lines = tableLines(picture, (stream.rows || USUAL_ROWS) - 1).map((line) => line.slice(0, columns));
      // Back to the first line, then over it: a steady table does not scroll or flicker.
      const up = height === 0 ? "" : `\u001b[${height}A`;
      stream.write(up + lines.map((line) => `${CLEAR_LINE}${line}\n`).join(""));
      height = lines.length;
    },
    say(line) {
      // In place of the picture, of which the next one comes below.
      const up = height === 0 ? "" : `\u001b[${height}A`;
      stream.write(`${up}${`${CLEAR_LINE}\n`.repeat(height)}${up}${line}\n`);
      height = 0;
    },
    close() {
      stream.write(SHOW_CURSOR);
    },
  };
}

function tableLines(picture: DemoPicture, rows: number): string[] {
  const { tally } = picture;
  const done = Math.round((BAR_WIDTH * Math.min(picture.height, picture.blocks)) / picture.blocks);
  const head = [
    `block ${String(picture.height).padStart(4)}/${picture.blocks}  ${"█".repeat(done)}${"░".repeat(BAR_WIDTH - done)}`,
    "",
    `  transactions   submitted ${pad(tally.submitted)}  sealed ${pad(tally.sealed)}  pending ${pad(picture.pending)}  refunded ${pad(sum(tally.refunded))}`,
    `  races          racing    ${pad(picture.racing)}  won    ${pad(tally.decided)}  by speculative copies ${pad(tally.speculativeWins)}`,
    `  copies         launched  ${pad(tally.launched)}  speculative ${pad(tally.speculative)}  cancelled ${pad(tally.cancelled)}  lost ${pad(sum(tally.lost))}`,
    "",
    `  ${"node".padEnd(12)}${"hardware".padEnd(12)}${"behaviour".padEnd(18)}${"running".padStart(8)}${"won".padStart(6)}${"lost".padStart(6)}`,
  ];
  return [...head, ...nodeLines(picture.nodes, rows - head.length)].slice(0, Math.max(1, rows));
}

function nodeLines(nodes: readonly NodePicture[], rows: number): string[] {
  const shown = nodes.length > rows ? nodes.slice(0, Math.max(0, rows - 1)) : nodes;
  const lines = shown.map(
    ({ id, hardware, fault, running, won, lost }) =>
      `  ${id.padEnd(12)}${hardware.padEnd(12)}${fault.padEnd(18)}${String(running).padStart(8)}${String(won).padStart(6)}${String(lost).padStart(6)}`,
  );
  return shown.length === nodes.length ? lines : [...lines, `  and ${nodes.length - shown.length} more nodes`];
}

function pad(value: number): string {
  return String(value).padEnd(5);
}
