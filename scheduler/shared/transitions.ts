import { assert } from "./assert.ts";

/**
 * State × event in one table. Each cell is the next state, `same` (nothing changes, the event is known and harmless),
 * or absent: illegal, which the caller either counts as late or treats as a bug of ours.
 */
export type Transitions<State extends string, Event extends string> = {
  readonly [S in State]: { readonly [E in Event]?: State | "same" };
};

/** The next state of a pair that must be legal; anything else is a bug of ours. */
export function advance<State extends string, Event extends string>(
  table: Transitions<State, Event>,
  state: State,
  event: Event,
): State {
  const next = table[state][event];
  assert(next !== undefined && next !== "same", "illegal transition");
  return next as State;
}

/** The table as a Mermaid state diagram, for the docs. */
export function diagramOf<State extends string, Event extends string>(
  table: Transitions<State, Event>,
  initial: State,
): string {
  const lines = ["stateDiagram-v2", `  [*] --> ${initial}`];
  for (const [state, row] of Object.entries(table) as [State, Record<string, string>][]) {
    const exits = Object.entries(row);
    for (const [event, next] of exits) if (next !== "same") lines.push(`  ${state} --> ${next}: ${event}`);
    if (exits.every(([, next]) => next === "same")) lines.push(`  ${state} --> [*]`);
  }
  return lines.join("\n");
}
