import { atomic } from "./atomic.ts";
import { blocksNeverWait } from "./blocks-never-wait.ts";
import { Books } from "./books.ts";
import { bonds } from "./bonds.ts";
import { bound } from "./bound.ts";
import { bounded } from "./bounded.ts";
import type { Agreement, Checker, PromiseName, Report, Violation } from "./checker.ts";
import type { EngineEvent } from "../../scheduler/engine/events.ts";
import type { Command } from "../../scheduler/engine/recorder.ts";
import { errorsCostNodes } from "./errors-cost-nodes.ts";
import { honestLanes } from "./honest-lanes.ts";
import { money } from "./money.ts";
import { noStarvation } from "./no-starvation.ts";
import { oneWinner } from "./one-winner.ts";
import { openOrder } from "./open-order.ts";
import { resumed } from "./resumed.ts";
import { stragglersTold } from "./stragglers-told.ts";
import { verified } from "./verified.ts";
import { workBudget } from "./work-budget.ts";

/** All checkers of the stream, kept in step with one set of books. (P13 takes a second run; see replay.ts.) */
export class Audit {
  readonly books = new Books();
  readonly violations: Violation[] = [];
  readonly #checkers: readonly Checker[];

  constructor(agreement: Agreement) {
    const { books } = this;
    const as =
      (promise: PromiseName): Report =>
      (message) =>
        this.report(promise, message);
    this.#checkers = [
      oneWinner(books, as("P1")),
      resumed(books, as("P1")),
      verified(books, agreement, as("P2")),
      bound(books, as("P3")),
      errorsCostNodes(books, agreement, as("P4")),
      money(books, agreement, as("P5")),
      bonds(as("P5")),
      workBudget(books, agreement, as("P6")),
      blocksNeverWait(books, agreement, as("P7")),
      noStarvation(books, as("P8")),
      stragglersTold(books, as("P9")),
      atomic(books, as("P10")),
      bounded(books, agreement, as("P11")),
      openOrder(books, as("P12")),
      honestLanes(books, as("P14")),
    ];
  }

  report(promise: PromiseName, message: string): void {
    this.violations.push({ promise, message, step: this.books.step });
  }

  /** One step: what went in and all that came out of it. */
  observe(nowUs: number, event: EngineEvent, commands: readonly Command[]): void {
    this.books.event(nowUs, event);
    for (const checker of this.#checkers) checker.event?.(event);
    for (const command of commands) {
      this.books.command(command);
      for (const checker of this.#checkers) checker.command?.(command);
    }
    for (const checker of this.#checkers) checker.stepped?.(event);
  }

  /** The run is over, and everything in it should be. */
  end(): void {
    for (const checker of this.#checkers) checker.ended?.();
  }
}
