import { Effect } from "effect";
import { Problem } from "./problems.ts";

interface Made<A, E> {
  readonly request: string;
  readonly answer: Promise<A | E>;
}

/**
 * Deposits by the key that their sender gave them: the same key again gets the first one's answer, and nothing is credited
 * twice, though it is asked for while it is under way. What an earlier process made, or another leader, the journal tells.
 */
export class DepositKeys {
  readonly #capacity: number;
  readonly #made = new Map<string, Made<unknown, unknown>>();

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** `request` says what is asked, so that one key never stands for two things. A failed one is forgotten: nothing was done. */
  once<A, E>(key: string | undefined, request: string, make: Effect.Effect<A, E>): Effect.Effect<A, E | Problem> {
    if (key === undefined) return make;
    return Effect.suspend((): Effect.Effect<A, E | Problem> => {
      const known = this.#made.get(key);
      if (known !== undefined && known.request !== request) return Effect.fail(keyReused(key));
      if (known !== undefined)
        return Effect.flatMap(
          Effect.promise(() => known.answer),
          settle<A, E>,
        );
      const answer = Effect.runPromise(
        Effect.match(make, {
          onSuccess: (value): Outcome<A, E> => ({ ok: true, value }),
          onFailure: (error): Outcome<A, E> => {
            this.#made.delete(key);
            return { ok: false, error };
          },
        }),
      );
      this.#made.set(key, { request, answer });
      this.#forgetOldest();
      return Effect.flatMap(
        Effect.promise(() => answer),
        settle<A, E>,
      );
    });
  }

  #forgetOldest(): void {
    if (this.#made.size <= this.#capacity) return;
    for (const oldest of this.#made.keys()) {
      this.#made.delete(oldest);
      return;
    }
  }
}

type Outcome<A, E> = { readonly ok: true; readonly value: A } | { readonly ok: false; readonly error: E };

function settle<A, E>(outcome: unknown): Effect.Effect<A, E> {
  const known = outcome as Outcome<A, E>;
  return known.ok ? Effect.succeed(known.value) : Effect.fail(known.error);
}

export function keyReused(key: string): Problem {
  return new Problem({
    kind: "key-reused",
    detail: `The key ${key} was given to another deposit.`,
    advice: "Give every deposit a key of its own, such as its event's place on the chain.",
  });
}
