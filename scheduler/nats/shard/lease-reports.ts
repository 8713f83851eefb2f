import { isFinal, isForbidden, messageOf } from "./broker-errors.ts";

/**
 * Why the lease can be neither taken nor kept at present. `forbidden`: the broker does not permit it to this user; `refused`: it
 * says that it will not, for ever; `unanswered`: nobody answers, or not now.
 */
export interface LeaseTrouble {
  readonly kind: "forbidden" | "refused" | "unanswered";
  /** What the broker or its client said. */
  readonly message: string;
}

/** What an operator is told: trouble with the lease, and its end. */
export type LeaseReport =
  /** `attempts`: those that failed like this since it was last told. */
  (LeaseTrouble & { readonly attempts: number }) | { readonly kind: "well" };

/** Tells of trouble at once, and again while it lasts or comes back, each kind once in a while. */
export class LeaseReports {
  readonly #intervalMs: number;
  readonly #tell: (report: LeaseReport) => void;
  readonly #kinds = new Map<LeaseTrouble["kind"], { toldMs: number; untold: number }>();
  #trouble: LeaseTrouble | undefined;
  #told = false;

  constructor(options: { readonly intervalMs: number; readonly tell: (report: LeaseReport) => void }) {
    this.#intervalMs = options.intervalMs;
    this.#tell = options.tell;
  }

  /** `undefined` since the last attempt that did not fail. */
  get trouble(): LeaseTrouble | undefined {
    return this.#trouble;
  }

  failed(error: unknown, nowMs: number): void {
    const trouble = troubleOf(error);
    this.#trouble = trouble;
    const { kind } = trouble;
    const known = this.#kinds.get(kind) ?? { toldMs: Number.NEGATIVE_INFINITY, untold: 0 };
    this.#kinds.set(kind, known);
    known.untold += 1;
    if (nowMs - known.toldMs < this.#intervalMs) return;
    const attempts = known.untold;
    [known.toldMs, known.untold] = [nowMs, 0];
    this.#told = true;
    this.#tell({ ...trouble, attempts });
  }

  succeeded(): void {
    this.#trouble = undefined;
    if (!this.#told) return;
    this.#told = false;
    this.#tell({ kind: "well" });
  }
}

function troubleOf(error: unknown): LeaseTrouble {
  const kind = isForbidden(error) ? "forbidden" : isFinal(error) ? "refused" : "unanswered";
  return { kind, message: messageOf(error) };
}
