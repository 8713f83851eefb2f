import type { PlainData } from "../memory.ts";

/** Observations that weigh in for one node: it may be in another state tomorrow. */
const MEMORY = 64;
/** What is known of a node that has not run anything, in copies of the class's own share of answers. */
const PRIOR_COPIES = 4;
/** Copies that a node's share of answers looks back on. */
const ALIVE_MEMORY = 32;
/** Nodes whose records are kept; the engine's fleet has no more. */
const MAX_RECORDS = 4_096;
/** The spread between nodes is estimated again after this many observations. */
const REFRESH_AFTER = 128;
/** Without evidence, nodes are believed to differ by so little that chance explains it. */
const LEAST_SPREAD = 1e-4;
/** One answer counts as no further off its node's mean than by this factor, lest it say that nothing is known of anybody. */
const FURTHEST = Math.log(8);

interface NodeRecord {
  /** Fading mean of ln(duration / expected) and how many observations weigh in. */
  mean: number;
  weight: number;
  /** Copies that answered, and that did not: fading counts. */
  answered: number;
  silent: number;
}

/**
 * How much slower than its class each node is, and whether it answers at all. Pace: the node's own mean, drawn towards 1 the
 * more the fewer it has answered and the less nodes differ in general (the empirical Bayes estimate of a one-way layout; the
 * spread between nodes by the method of moments, DerSimonian and Laird 1986). Dead nodes are a matter of nodes, not of
 * durations: who never answers must not make jobs look long.
 */
export class NodePaces {
  readonly #records = new Map<string, NodeRecord>();
  /** Variance within a node, and between nodes, of ln(duration / expected). */
  #within = 0.1;
  #between = LEAST_SPREAD;
  #sinceRefresh = 0;
  #answered = 0;
  #silent = 0;

  /** Factor on durations. */
  pace(node: string): number {
    const record = this.#records.get(node);
    return record === undefined ? 1 : Math.exp(this.#effect(record));
  }

  #effect({ mean, weight }: NodeRecord): number {
    return (weight / (weight + this.#within / this.#between)) * mean;
  }

  /** P(a copy on it ends with a valid answer). */
  alive(node: string): number {
    const usual = this.usuallyAlive;
    const record = this.#records.get(node);
    if (record === undefined) return usual;
    const { answered, silent } = record;
    return (answered + PRIOR_COPIES * usual) / (answered + silent + PRIOR_COPIES);
  }

  /** The same of a node of which nothing is known. */
  get usuallyAlive(): number {
    return (this.#answered + 10) / (this.#answered + this.#silent + 10.1);
  }

  /** `offset` is ln(duration / expected) less the class's mean of it. */
  answered(node: string, offset: number): void {
    const record = this.#recordOf(node);
    this.#ran(record, offset);
    this.#count(record, 1, 0);
  }

  /** The same of a copy that was cancelled, as long as it would have run in all probability. */
  ran(node: string, offset: number): void {
    this.#ran(this.#recordOf(node), offset);
  }

  #ran(record: NodeRecord, offset: number): void {
    record.weight = Math.min(MEMORY, record.weight + 1);
    const off = Math.max(-FURTHEST, Math.min(FURTHEST, offset - record.mean));
    record.mean += off / record.weight;
    if (record.weight >= 4) this.#within += (off * off - this.#within) / 512;
    if (++this.#sinceRefresh >= REFRESH_AFTER) this.#refresh();
  }

  /**
   * It was given up, with this probability because the node does not answer, and not because it takes long: each share counts
   * (a step of expectation and maximisation), so that a copy cancelled early changes nothing.
   */
  silent(node: string, probability: number): void {
    this.#count(this.#recordOf(node), 1 - probability, probability);
  }

  #count(record: NodeRecord, answered: number, silent: number): void {
    const fade = 1 - 1 / ALIVE_MEMORY;
    record.answered = record.answered * fade + answered;
    record.silent = record.silent * fade + silent;
    const slowly = 1 - 1 / 1_024;
    this.#answered = this.#answered * slowly + answered;
    this.#silent = this.#silent * slowly + silent;
  }

  #recordOf(node: string): NodeRecord {
    const known = this.#records.get(node);
    // The one of which nothing was heard for longest goes: nodes that are gone for good do not come to the end again.
    if (known !== undefined) this.#records.delete(node);
    else if (this.#records.size >= MAX_RECORDS) this.#records.delete(this.#records.keys().next().value as string);
    const record = known ?? { mean: 0, weight: 0, answered: 0, silent: 0 };
    this.#records.set(node, record);
    return record;
  }

  #refresh(): void {
    this.#sinceRefresh = 0;
    let [nodes, weights, squares, sum] = [0, 0, 0, 0];
    for (const { weight, mean } of this.#records.values()) {
      if (weight === 0) continue;
      nodes++;
      weights += weight;
      squares += weight * weight;
      sum += weight * mean;
    }
    if (nodes < 2) return;
    const grand = sum / weights;
    let q = 0;
    for (const { weight, mean } of this.#records.values()) q += weight * (mean - grand) ** 2;
    const between = (q - (nodes - 1) * this.#within) / (weights - squares / weights);
    this.#between = Math.max(LEAST_SPREAD, between);
  }

  snapshot(): PlainData {
    const records = [...this.#records].map(([node, { mean, weight, answered, silent }]) => [
      node,
      mean,
      weight,
      answered,
      silent,
    ]);
    return [records, this.#within, this.#between, this.#sinceRefresh, this.#answered, this.#silent];
  }

  restore(snapshot: PlainData): void {
    const [records, ...rest] = snapshot as unknown as [
      readonly (readonly [string, number, number, number, number])[],
      number,
      number,
      number,
      number,
      number,
    ];
    for (const [node, mean, weight, answered, silent] of records) {
      this.#records.set(node, { mean, weight, answered, silent });
    }
    [this.#within, this.#between, this.#sinceRefresh, this.#answered, this.#silent] = rest;
  }
}
