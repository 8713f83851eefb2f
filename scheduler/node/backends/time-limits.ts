/** How long a run may take: to its first token, and in all. */
export interface RunTimes {
  readonly firstTokenMs: number;
  readonly totalMs: number;
}

/** Ends a run's signal with its copy, or when it takes too long, whichever comes first; and knows which it was. */
export class TimeLimits {
  readonly #controller = new AbortController();
  readonly #copy: AbortSignal;
  readonly #onCopyEnd = (): void => this.abort("the copy is over");
  readonly #firstTokenEndsMs: number;
  readonly #firstToken: NodeJS.Timeout;
  readonly #total: NodeJS.Timeout;
  #came = false;
  #why = "the run was aborted";

  constructor(copy: AbortSignal, { firstTokenMs, totalMs }: RunTimes) {
    this.#copy = copy;
    this.#firstTokenEndsMs = performance.now() + Math.min(firstTokenMs, totalMs);
    this.#firstToken = setTimeout(() => this.abort(`no token came within ${firstTokenMs} ms`), firstTokenMs);
    this.#total = setTimeout(() => this.abort(`the answer took more than ${Math.round(totalMs)} ms`), totalMs);
    copy.addEventListener("abort", this.#onCopyEnd, { once: true });
    if (copy.aborted) this.#onCopyEnd();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Why the signal was aborted. */
  get why(): string {
    return this.#why;
  }

  get firstTokenCame(): boolean {
    return this.#came;
  }

  /** Until a first token would come too late. */
  leftMs(): number {
    return this.#firstTokenEndsMs - performance.now();
  }

  tokenCame(): void {
    this.#came = true;
    clearTimeout(this.#firstToken);
  }

  abort(why: string): void {
    if (this.signal.aborted) return;
    this.#why = why;
    this.#controller.abort();
  }

  /** Neither time nor the copy's end aborts the signal any more. */
  end(): void {
    clearTimeout(this.#firstToken);
    clearTimeout(this.#total);
    this.#copy.removeEventListener("abort", this.#onCopyEnd);
  }
}
