import { type PoolOptions, runTasks, type Task } from "./pool.ts";
import type { ReplicationResult } from "./types.ts";

/** The crew was stopped before it came to this task. */
export class CrewStopped extends Error {
  override readonly name = "CrewStopped";
}

interface Asked extends Task {
  resolve(result: ReplicationResult | "endless"): void;
  reject(error: unknown): void;
}

/**
 * Workers that stay, for searches in which results decide what is to be measured next. Tasks are done in the order in which
 * they are asked for; whoever asks for many at a time keeps all workers busy.
 */
export class Crew {
  readonly #waiting: Asked[] = [];
  /** Lines that have nothing to do. */
  readonly #idle: ((next: IteratorResult<Asked>) => void)[] = [];
  readonly #open = new Set<Asked>();
  readonly #running: Promise<void>;
  #closed = false;
  #failure: unknown;

  constructor(options: PoolOptions) {
    options.signal.addEventListener("abort", () => this.#end());
    const delivery = {
      result: (asked: Asked, result: ReplicationResult): void => this.#settle(asked, result),
      endless: (asked: Asked): void => this.#settle(asked, "endless"),
    };
    this.#running = runTasks(this.#queue(), options, delivery, () => {})
      .then(
        () => new CrewStopped("the work was stopped"),
        (error: unknown) => error,
      )
      .then((error) => {
        this.#end();
        this.#failure = error;
        for (const asked of this.#open) asked.reject(error);
        this.#open.clear();
      });
  }

  /** Rejects with `ReplicationFailed`, or `CrewStopped` after an interruption. `endless`: it reached the task's limits. */
  measure(task: Task): Promise<ReplicationResult | "endless"> {
    return new Promise((resolve, reject) => {
      if (this.#closed) {
        reject(this.#failure ?? new CrewStopped("the work was stopped"));
        return;
      }
      const asked: Asked = { ...task, resolve, reject };
      this.#open.add(asked);
      const idle = this.#idle.shift();
      if (idle === undefined) this.#waiting.push(asked);
      else idle({ value: asked, done: false });
    });
  }

  /** Lets the workers go; what was asked for and is not done is given up. */
  async close(): Promise<void> {
    this.#waiting.length = 0;
    this.#end();
    await this.#running;
  }

  #settle(asked: Asked, result: ReplicationResult | "endless"): void {
    this.#open.delete(asked);
    asked.resolve(result);
  }

  #end(): void {
    this.#closed = true;
    for (const idle of this.#idle.splice(0)) idle({ value: undefined, done: true });
  }

  #queue(): AsyncIterable<Asked> {
    const next = (): Promise<IteratorResult<Asked>> => {
      const asked = this.#waiting.shift();
      if (asked !== undefined) return Promise.resolve({ value: asked, done: false });
      if (this.#closed) return Promise.resolve({ value: undefined, done: true });
      return new Promise((resolve) => this.#idle.push(resolve));
    };
    return { [Symbol.asyncIterator]: () => ({ next }) };
  }
}
