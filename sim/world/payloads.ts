/** What the heap's payloads mean: a kind in the high bits; in the low ones a copy's slot, or whatever the kind says. */
export const KIND = 2 ** 22;

/** A copy's end on its node. */
export const ENDS = 0;

/** Messages about a copy: to its node, … */
export const ARRIVES = 1 * KIND;
export const STOPS = 2 * KIND;
/** … and from it. */
export const ACCEPTS = 3 * KIND;
export const REPLIES = 4 * KIND;
export const FAILS = 5 * KIND;
/** A message of a network that may lose, delay and repeat them; the number of its letter. */
export const LETTER = 6 * KIND;

/** A copy's verdict. */
export const JUDGED = 7 * KIND;
/** A job comes. */
export const COMES = 8 * KIND;
/** The engine asked to be woken. */
export const WAKES = 9 * KIND;
/** A block is to be sealed. */
export const SEALS = 10 * KIND;
/** Something befalls the fleet; the weather knows what. */
export const BEFALLS = 11 * KIND;
/** The scheduler hears that a node left or joined: twice its number, and 1 for joined. */
export const NEWS = 12 * KIND;

/** What comes first when several things happen in one microsecond. */
export const PRIORITY = {
  end: 0,
  arrival: 1,
  toNode: 2,
  toScheduler: 3,
  verdict: 4,
  cancel: 5,
  weather: 6,
  block: 8,
  wake: 9,
} as const;

export type Message = typeof ARRIVES | typeof STOPS | typeof ACCEPTS | typeof REPLIES | typeof FAILS;

export function priorityOf(message: Message): number {
  if (message === ARRIVES) return PRIORITY.toNode;
  return message === STOPS ? PRIORITY.cancel : PRIORITY.toScheduler;
}
