/** How many copies of each call a node has taken so far. Knows the latest `limit` calls; an older one starts again at 0. */
export class CallOrdinals {
  readonly #limit: number;
  readonly #taken = new Map<string, number>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** 0 for the first copy of this call, 1 for the second, … */
  next({ txHash, callIndex }: { readonly txHash: string; readonly callIndex: number }): number {
    const call = `${txHash}/${callIndex}`;
    const ordinal = this.#taken.get(call) ?? 0;
    // Set anew, so that the map's order is that of the latest copy.
    this.#taken.delete(call);
    this.#taken.set(call, ordinal + 1);
    if (this.#taken.size > this.#limit) {
      for (const oldest of this.#taken.keys()) {
        this.#taken.delete(oldest);
        break;
      }
    }
    return ordinal;
  }
}
