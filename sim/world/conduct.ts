import type { FleetSpec } from "../experiment/types.ts";
import type { Stream } from "../kernel/streams.ts";

/** What a copy comes to on its node. */
const ANSWERS = 0;
/** It fails on the way. */
export const ERRS = 1;
/** Its answer comes without the model having run, and verification will reject it. */
export const LIES = 2;
/** Its node gave it back when it left. */
export const DRAINED = 3;

/** How nodes behave: which of them fail copies or answer wrongly, and which copies it concerns. */
export class Conduct {
  readonly #errors: Fault | undefined;
  readonly #dishonest: Fault | undefined;
  readonly #speedFactor: number;

  constructor({ nodes, errors, dishonest }: FleetSpec, streamFor: (purpose: string) => Stream) {
    this.#errors = errors === "none" ? undefined : new Fault(errors, nodes, streamFor("errors"));
    this.#dishonest = dishonest === "none" ? undefined : new Fault(dishonest, nodes, streamFor("dishonesty"));
    this.#speedFactor = dishonest === "none" ? 1 : dishonest.speedFactor;
  }

  /** Draws what a new copy on this node comes to. Returns its fate and the share of its duration that it takes for that. */
  next(node: number): { readonly fate: number; readonly share: number } {
    // Each copy takes the same numbers, wherever it is.
    const [errs, share] = this.#errors?.next(node) ?? [false, 1];
    const [lies] = this.#dishonest?.next(node) ?? [false];
    if (errs) return { fate: ERRS, share };
    return lies ? { fate: LIES, share: 1 / this.#speedFactor } : { fate: ANSWERS, share: 1 };
  }
}

/** A share of the nodes, chosen at random, with a probability for each copy on them. */
class Fault {
  readonly #concerned: Uint8Array;
  readonly #probability: number;
  readonly #stream: Stream;

  constructor(spec: { readonly fraction: number; readonly probability: number }, nodes: number, stream: Stream) {
    this.#probability = spec.probability;
    this.#stream = stream;
    this.#concerned = new Uint8Array(nodes);
    const chosen = Array.from({ length: nodes }, (_, node) => ({ node, key: stream.unit() }));
    chosen.sort((a, b) => a.key - b.key);
    for (const { node } of chosen.slice(0, Math.round(spec.fraction * nodes))) this.#concerned[node] = 1;
  }

  /** Whether it concerns the next copy, and a number that is uniform between 0 and 1. */
  next(node: number): readonly [concerns: boolean, uniform: number] {
    const concerns = this.#stream.unit() < this.#probability;
    return [concerns && this.#concerned[node] === 1, this.#stream.unit()];
  }
}
