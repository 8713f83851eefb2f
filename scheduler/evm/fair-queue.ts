interface Waiting<T> {
  readonly lanes: Map<string, T[]>;
  /** Turns of each that it gets while others wait too. */
  readonly weight: number;
  turns: number;
}

/**
 * What waits for one worker: in classes that share its turns by weight, and within a class in lanes that take turns, so that
 * whoever asks for much waits for itself.
 */
export class FairQueue<K extends string, T> {
  readonly #classes = new Map<K, Waiting<T>>();
  #size = 0;

  constructor(weights: Readonly<Record<K, number>>) {
    for (const name of Object.keys(weights) as K[])
      this.#classes.set(name, { lanes: new Map(), weight: weights[name], turns: weights[name] });
  }

  get size(): number {
    return this.#size;
  }

  push(item: T, { name, lane }: { readonly name: K; readonly lane: string }): void {
    const lanes = this.#classes.get(name)?.lanes;
    if (lanes === undefined) throw new RangeError(`there is no class ${name}`);
    const waiting = lanes.get(lane);
    if (waiting === undefined) lanes.set(lane, [item]);
    else waiting.push(item);
    this.#size++;
  }

  shift(): T | undefined {
    const busy = [...this.#classes.values()].filter(({ lanes }) => lanes.size > 0);
    if (busy.every(({ turns }) => turns <= 0)) for (const one of busy) one.turns = one.weight;
    const next = busy.find(({ turns }) => turns > 0);
    if (next === undefined) return undefined;
    next.turns--;
    for (const [lane, waiting] of next.lanes) {
      const item = waiting.shift();
      // A map keeps the order in which lanes came: this one goes behind the others.
      next.lanes.delete(lane);
      if (waiting.length > 0) next.lanes.set(lane, waiting);
      this.#size--;
      return item;
    }
    return undefined;
  }
}
