import type { Commands, Equivocation } from "./commands.ts";
import type { Counters } from "./counters.ts";
import type { Fleet } from "./fleet.ts";
import type { Copy } from "./race.ts";

/** Contradictions of one copy that are looked into: who can send two answers can send a million. */
export const MAX_SUSPICIONS_PER_COPY = 3;
/** Suspicions that are being looked into at a time; each is two signatures to check. */
const MAX_OPEN_SUSPICIONS = 1_024;

/**
 * Answers that contradict the first one of their copy. That a message bears a node's name proves nothing: whether the node signed
 * both answers is found out first, and only then are they evidence against it (P3).
 */
export class Suspicions {
  readonly #counters: Counters;
  readonly #fleet: Fleet;
  /** By copy, of which some have ended in the meantime. */
  readonly #open = new Map<number, Equivocation>();

  constructor({ counters, fleet }: { readonly counters: Counters; readonly fleet: Fleet }) {
    this.#counters = counters;
    this.#fleet = fleet;
  }

  /** The copy has its answer, and here is another output. */
  raise(copy: Copy, secondAnswerHash: string, out: Commands): void {
    const looked = copy.equivocated || this.#open.has(copy.id) || copy.suspicions >= MAX_SUSPICIONS_PER_COPY;
    if (looked || this.#open.size >= MAX_OPEN_SUSPICIONS) {
      this.#counters.duplicateEvents++;
      return;
    }
    copy.suspicions++;
    const suspicion = { copy: copy.id, node: copy.node.id, firstAnswerHash: copy.answerHash, secondAnswerHash };
    this.#open.set(copy.id, suspicion);
    out.suspect(suspicion);
  }

  /** `copy` is missing when its race is over; what its node signed it has signed all the same. */
  judged(copyId: number, signed: boolean, copy: Copy | undefined, nowUs: number, out: Commands): void {
    const suspicion = this.#open.get(copyId);
    if (suspicion === undefined) {
      this.#counters.lateEvents++;
      return;
    }
    this.#open.delete(copyId);
    if (!signed) {
      this.#counters.suspicionsDismissed++;
      return;
    }
    if (copy !== undefined) copy.equivocated = true;
    out.evidence(suspicion);
    const node = this.#fleet.node(suspicion.node);
    if (node !== undefined) this.#fleet.quarantine(node, nowUs, "equivocation", out);
  }

  /** After a crash: what was being found out may be lost. */
  restarted(out: Commands): void {
    for (const suspicion of this.#open.values()) out.suspect(suspicion);
  }

  snapshot(): readonly Equivocation[] {
    return [...this.#open.values()];
  }

  restore(snapshot: readonly Equivocation[]): void {
    for (const suspicion of snapshot) this.#open.set(suspicion.copy, suspicion);
  }
}
