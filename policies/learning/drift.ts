import type { PlainData } from "../memory.ts";

/** Observations that the quick mean looks back on, about. */
const QUICK = 24;
const SLOW = 4_096;
/** The quick mean strays from the slow one by chance with this standard deviation, as a share of one observation's. */
const CHANCE = 1 / Math.sqrt(2 * QUICK - 1);
/** So many standard deviations are not chance: once in some million observations. */
const DEVIATIONS = 5;
/** Changes below a quarter are left to the estimators, which fade anyway. */
const LEAST = Math.log(1.25);
/** Once it has begun it is over when it is below this share of what it takes to begin, so that it does not flutter. */
const OVER = 0.5;
/** After so many observations a change is no episode any more: the slow mean moves there. */
const SETTLED_AFTER = 1_024;
/** One observation counts as no further off than by this factor, or by so many standard deviations: it may be a lie. */
const FURTHEST = Math.log(8);
const FURTHEST_DEVIATIONS = 3;

/**
 * Whether everything has become slower or faster, and by what factor. A quick and a slow mean of ln(duration / expected) are
 * compared; as long as they differ by more than chance the difference is the *pace* of the whole class, and durations are
 * divided by it before anything else learns from them. So a whole fleet that slows down for a minute leaves no trace in what
 * is known of it, and is known of within some two dozen answers. A mean moves by a bounded step for each answer, whatever that
 * says: a node that sits on three answers must not make a whole class look slow.
 */
export class Drift {
  #quick = 0;
  #slow = 0;
  #variance = 0;
  #observations = 0;
  /** Observations since it began; 0 when there is none. */
  #episode = 0;

  get drifting(): boolean {
    return this.#episode > 0;
  }

  /** What durations are multiplied with at present, compared with what is usual. */
  get pace(): number {
    return this.#episode > 0 ? Math.exp(this.#quick - this.#slow) : 1;
  }

  /** Standard deviation of ln(duration / expected) around the slow mean. */
  get sigma(): number {
    return Math.sqrt(this.#variance);
  }

  /** Usual mean of ln(duration / expected). */
  get mean(): number {
    return this.#slow;
  }

  observe(logRatio: number): void {
    this.#observations++;
    const quickShare = Math.max(1 / QUICK, 1 / this.#observations);
    const furthest = Math.max(FURTHEST, FURTHEST_DEVIATIONS * this.sigma);
    this.#quick += quickShare * within(logRatio - this.#quick, furthest);
    const slowShare = Math.max(1 / SLOW, 1 / this.#observations);
    const off = within(logRatio - this.#slow, furthest);
    if (this.#episode === 0) {
      this.#slow += slowShare * off;
      this.#variance += slowShare * (off * off - this.#variance);
    }
    if (this.#observations < 2 * QUICK) return;
    const difference = Math.abs(this.#quick - this.#slow);
    const limit = Math.max(LEAST, DEVIATIONS * CHANCE * this.sigma);
    if (this.#episode === 0) {
      if (difference > limit) this.#episode = 1;
    } else if (difference < OVER * limit) this.#episode = 0;
    else if (++this.#episode > SETTLED_AFTER) {
      this.#slow = this.#quick;
      this.#episode = 0;
    }
  }

  snapshot(): PlainData {
    return [this.#quick, this.#slow, this.#variance, this.#observations, this.#episode];
  }

  restore(snapshot: PlainData): void {
    const [quick, slow, variance, observations, episode] = snapshot as [number, number, number, number, number];
    this.#quick = quick;
    this.#slow = slow;
    this.#variance = variance;
    this.#observations = observations;
    this.#episode = episode;
  }
}

function within(off: number, furthest: number): number {
  return Math.max(-furthest, Math.min(furthest, off));
}
