import { describe, expect, it } from "vitest";
import { type DemoPicture, type DemoStream, screenOn } from "../../../scheduler/cli/demo-screen.ts";
import { DemoTally } from "../../../scheduler/cli/demo-tally.ts";

function pictureOf(height: number, nodes = 8): DemoPicture {
  return {
    height,
    blocks: 40,
    tally: new DemoTally(),
    pending: 3,
    racing: 2,
    nodes: Array.from({ length: nodes }, (_, index) => ({
      id: `node-${index}`,
      hardware: "h100-tp8",
      fault: "wrong-signature",
      running: 1,
      won: 20,
      lost: 3,
    })),
  };
}

const ESCAPE = "\u001b[";
const SEQUENCES = new RegExp(`(${ESCAPE.replace("[", "\\[")}[^A-Za-z]*[A-Za-z]|\n)`);

/** A terminal of some size: what stands on it after all that was written, as far as its cursor has ever been. */
class Terminal implements DemoStream {
  readonly isTTY = true;
  readonly columns: number;
  readonly rows: number;
  readonly lines: string[] = [];
  cursorShown = true;
  #row = 0;

  constructor(columns: number, rows: number) {
    this.columns = columns;
    this.rows = rows;
  }

  write(text: string): void {
    for (const part of text.split(SEQUENCES)) {
      if (part === "\n") this.#row++;
      else if (part === `${ESCAPE}2K`) this.lines[this.#row] = "";
      else if (part === `${ESCAPE}?25l`) this.cursorShown = false;
      else if (part === `${ESCAPE}?25h`) this.cursorShown = true;
      else if (part.startsWith(ESCAPE) && part.endsWith("A")) {
        const up = Number.parseInt(part.slice(ESCAPE.length), 10);
        // Above its first row a terminal has nothing that could be written again.
        expect(up).toBeLessThan(this.rows || 24);
        this.#row -= up;
      } else if (part !== "") {
        expect(part.length).toBeLessThan(this.columns || 80);
        this.lines[this.#row] = (this.lines[this.#row] ?? "") + part;
      }
    }
  }
}

describe("the table", () => {
  it.each([
    [80, 24],
    [0, 0],
    [40, 10],
    [200, 60],
    [80, 5],
  ])("stays where it is on a terminal of %i columns and %i rows", (columns, rows) => {
    const terminal = new Terminal(columns, rows);
    const screen = screenOn(terminal, "xterm");
    screen.show(pictureOf(1));
    const height = terminal.lines.length;
    for (let block = 2; block <= 40; block++) screen.show(pictureOf(block));
    expect(terminal.lines).toHaveLength(height);
    expect(terminal.lines[0]).toContain("40/40");
    expect(terminal.cursorShown).toBe(false);
    screen.close();
    expect(terminal.cursorShown).toBe(true);
  });

  it("has all of its counts and nodes in 80 columns and 24 rows", () => {
    const terminal = new Terminal(80, 24);
    screenOn(terminal, "xterm").show(pictureOf(20));
    const text = terminal.lines.join("\n");
    for (const word of ["refunded 0", "by speculative copies 0", "lost 0", "node-7"]) expect(text).toContain(word);
    expect(terminal.lines[0]).toBe(`block   20/40  ${"█".repeat(16)}${"░".repeat(16)}`);
  });

  it("keeps a line that is said above the pictures that follow", () => {
    const terminal = new Terminal(80, 24);
    const screen = screenOn(terminal, "xterm");
    screen.show(pictureOf(1));
    const height = terminal.lines.length;
    screen.say("policy two is in force");
    for (let block = 2; block <= 5; block++) screen.show(pictureOf(block));
    expect(terminal.lines).toHaveLength(height + 1);
    expect(terminal.lines[0]).toBe("policy two is in force");
    expect(terminal.lines[1]).toContain("5/40");
  });

  it("says how many nodes it has no room for", () => {
    const terminal = new Terminal(80, 24);
    screenOn(terminal, "xterm").show(pictureOf(20, 32));
    expect(terminal.lines.at(-1)).toBe("  and 17 more nodes");
  });
});

describe("lines, where there is no terminal", () => {
  const written = (stream: Partial<DemoStream>, terminal: string | undefined): string => {
    let text = "";
    const screen = screenOn({ ...stream, write: (part) => (text += part) }, terminal);
    for (let block = 1; block <= 9; block++) screen.show(pictureOf(block));
    screen.close();
    return text;
  };

  it("come each four blocks and move no cursor", () => {
    const lines = written({}, "xterm").trimEnd().split("\n");
    expect(lines).toHaveLength(3);
    expect(lines[0]).toBe(
      "block   1/40: submitted 0, sealed 0, pending 3, racing 2; " +
        "speculative copies 0 (won 0), stragglers cancelled 0, copies lost 0",
    );
  });

  it("come on a dumb terminal too", () => {
    expect(written({ isTTY: true }, "dumb")).toBe(written({}, "xterm"));
  });
});
