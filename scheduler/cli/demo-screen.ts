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
  close(): void;
}

const LINE_EVERY_BLOCKS = 4;

export function screenOn(stream: NodeJS.WriteStream): DemoScreen {
  return stream.isTTY ? tableOn(stream) : linesOn(stream);
}

function linesOn(stream: NodeJS.WriteStream): DemoScreen {
  let shown = -LINE_EVERY_BLOCKS;
  return {
    show(picture) {
      if (picture.height < shown + LINE_EVERY_BLOCKS) return;
      shown = picture.height;
      stream.write(`block ${String(picture.height).padStart(3)}/${picture.blocks}: ${countsOf(picture)}\n`);
    },
    close() {},
  };
}

function countsOf({ tally, pending, racing }: DemoPicture): string {
  return (
    `${tally.submitted} submitted, ${tally.sealed} sealed, ${pending} pending (${racing} racing), ` +
    `${tally.speculative} speculative copies (${tally.speculativeWins} won), ${tally.cancelled} stragglers cancelled, ` +
    `${sum(tally.lost)} copies lost`
  );
}

const HIDE_CURSOR = "\u001b[?25l";
const SHOW_CURSOR = "\u001b[?25h";
const CLEAR_LINE = "\u001b[2K";
const BAR_WIDTH = 32;

function tableOn(stream: NodeJS.WriteStream): DemoScreen {
  let height = 0;
  stream.write(HIDE_CURSOR);
  return {
    show(picture) {
      const lines = tableLines(picture).map((line) => line.slice(0, Math.max(20, stream.columns - 1)));
      // Back to the first line, then over it: a steady table does not scroll or flicker.
      const up = height === 0 ? "" : `\u001b[${height}A`;
      stream.write(up + lines.map((line) => `${CLEAR_LINE}${line}\n`).join(""));
      height = lines.length;
    },
    close() {
      stream.write(SHOW_CURSOR);
    },
  };
}

function tableLines(picture: DemoPicture): string[] {
  const { tally, nodes } = picture;
  const done = Math.round((BAR_WIDTH * Math.min(picture.height, picture.blocks)) / picture.blocks);
  return [
    `block ${String(picture.height).padStart(4)}/${picture.blocks}  ${"█".repeat(done)}${"░".repeat(BAR_WIDTH - done)}`,
    "",
    `  transactions   submitted ${pad(tally.submitted)}  sealed ${pad(tally.sealed)}  pending ${pad(picture.pending)}  refunded ${pad(sum(tally.refunded))}`,
    `  races          racing    ${pad(picture.racing)}  won    ${pad(tally.decided)}  by speculative copies ${pad(tally.speculativeWins)}`,
    `  copies         launched  ${pad(tally.launched)}  speculative ${pad(tally.speculative)}  cancelled ${pad(tally.cancelled)}  lost ${pad(sum(tally.lost))}`,
    "",
    `  ${"node".padEnd(12)}${"hardware".padEnd(12)}${"behaviour".padEnd(18)}${"running".padStart(8)}${"won".padStart(6)}${"lost".padStart(6)}`,
    ...nodes.map(
      ({ id, hardware, fault, running, won, lost }) =>
        `  ${id.padEnd(12)}${hardware.padEnd(12)}${fault.padEnd(18)}${String(running).padStart(8)}${String(won).padStart(6)}${String(lost).padStart(6)}`,
    ),
  ];
}

function pad(value: number): string {
  return String(value).padEnd(5);
}
