/**
 * Weight of the newest of many observations: a node is known by its last few dozen. With fewer, exponential durations let lucky
 * nodes drown and unlucky ones starve (mean response 2.2 s instead of 1.4 s under Prequal's rule, twenty nodes at load 0.8).
 */
const NEWEST = 1 / 32;
/** Failures count slowly enough that one does not ruin an honest node. */
const NEWEST_FAILURE = 1 / 8;
/** However often it fails, a node that is asked is not expected to need more than twenty tries. */
const MOST_FAILURES = 0.95;

/**
 * How a node did with its copies, as exponentially weighted means for the choice of nodes. Durations are relative to what is
 * usual for the (model, mode), so that one number does for a node that serves several; 1 for a node that nobody knows.
 * Plain data, part of the node's snapshot.
 */
export class NodeRecord {
  /** From dispatch to answer, its queue included. */
  response = 1;
  /** The same without what it waited for the copies in front of it, so far as their number tells. */
  service = 1;
  /** Share of copies that it failed, kept silent about, gave back, or answered wrongly. */
  failures = 0;
  /** Observations of durations. */
  seen = 0;
  /** When it was last given a copy, in the engine's microseconds; 0 for never. */
  askedUs = 0;

  /**
   * A copy was answered after `relative` times the usual. `crowd`: copies that shared the node with it, itself included, for
   * each slot; beyond one they stood in line.
   */
  answered(relative: number, crowd: number): void {
    const weight = Math.max(1 / ++this.seen, NEWEST);
    this.response += weight * (relative - this.response);
    this.service += weight * (relative / Math.max(1, crowd) - this.service);
  }

  /**
   * A copy was cut off before its answer: it would have taken longer than that. Says something only if that is longer than what
   * is expected; without it a node that never comes first would never be known as slow.
   */
  outlasted(relative: number, crowd: number): void {
    if (relative > this.response) this.answered(relative, crowd);
  }

  succeeded(): void {
    this.failures -= NEWEST_FAILURE * this.failures;
  }

  failed(): void {
    this.failures += NEWEST_FAILURE * (1 - this.failures);
  }

  /**
   * Copies that it takes to get one answer, on average. Times are multiplied by this wherever they are compared: who fails at
   * once has no queue and no slow answers, and would draw in everything (Prequal calls that sinkholing).
   */
  get tries(): number {
    return 1 / (1 - Math.min(this.failures, MOST_FAILURES));
  }
}
