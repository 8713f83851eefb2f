import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../../scheduler/cli/main.ts", import.meta.url));

type Line = Record<string, unknown>;

/** `pipe evm --json` on a free port. Whoever starts it ends it. */
export class EvmProcess {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  /** What it has said on standard error so far. */
  said = "";
  /** Resolves to its exit code and signal. */
  readonly ended: Promise<unknown[]>;

  constructor(args: readonly string[]) {
    const child = spawn(process.execPath, [MAIN, "evm", "--port", "0", "--json", ...args], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    child.stderr.on("data", (chunk) => {
      this.said += chunk;
    });
    this.#child = child;
    this.#lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    this.ended = once(child, "close");
  }

  /** Its next line that has this key; blocks may come before it listens. */
  async next(key: string): Promise<Line> {
    for (;;) {
      const { value, done } = await this.#lines.next();
      if (done === true) throw new Error(`it has ended: ${this.said}`);
      const line = JSON.parse(value) as Line;
      if (key in line) return line;
    }
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }
}
