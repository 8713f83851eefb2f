import { describe, expect, it } from "vitest";
import { KaplanMeier } from "../../../policies/index.ts";
import { streamFor } from "../../../sim/kernel/streams.ts";
import { lognormal } from "../../../sim/theory/laws.ts";

/** What a hedge teaches an estimator: an answer after a duration, or a copy cancelled then. */
interface Learner {
  ended(durationUs: number): void;
  cancelled(durationUs: number): void;
  readonly p95Us: number;
}

const SECOND = 1_000_000;
const law = lognormal(1, 1);

/** Windows of jobs, each hedged at the 95th percentile as estimated from the windows before. */
function adaptiveHedge(learnerOf: () => Learner, { windows, jobs }: { windows: number; jobs: number }): number {
  const stream = streamFor(1, 0, "adaptive hedge");
  let delay = law.quantile(0.95) * SECOND;
  for (let window = 0; window < windows; window++) {
    const learner = learnerOf();
    for (let job = 0; job < jobs; job++) {
      const [first, second] = [law.quantile(stream.unit()) * SECOND, law.quantile(stream.unit()) * SECOND];
      if (first <= delay) learner.ended(first);
      else if (first <= delay + second) {
        learner.ended(first);
        learner.cancelled(first - delay);
      } else {
        learner.ended(second);
        learner.cancelled(delay + second);
      }
    }
    delay = learner.p95Us;
  }
  return delay / SECOND;
}

const RUN = { windows: 12, jobs: 4_000 };

/** Takes the losers' durations as `keep` says, and reads the percentile off the sorted list. */
function sorting(keep: boolean): Learner {
  const durations: number[] = [];
  return {
    ended: (us) => void durations.push(us),
    cancelled: (us) => void (keep && durations.push(us)),
    get p95Us() {
      return [...durations].sort((a, b) => a - b)[Math.floor(0.95 * durations.length)] ?? 0;
    },
  };
}

function censoring(): Learner {
  const estimator = new KaplanMeier();
  return {
    ended: (us) => estimator.ended(us),
    cancelled: (us) => estimator.censored(us),
    get p95Us() {
      return estimator.quantileUs(0.95) ?? 0;
    },
  };
}

describe("a hedge that learns from its own races (true 95th percentile 2.781)", () => {
  it("stays where it belongs when losers are right-censored", () => {
    // The estimator counts in buckets 8 % wide.
    expect(Math.abs(Math.log(adaptiveHedge(censoring, RUN) / 2.781))).toBeLessThan(Math.log(1.08));
  });

  it("drifts down when losers are dropped", () => {
    expect(adaptiveHedge(() => sorting(false), RUN)).toBeCloseTo(2.08, 0);
    expect(adaptiveHedge(() => sorting(false), RUN)).toBeLessThan(2.3);
  });

  it("lies low when losers count as complete", () => {
    const estimate = adaptiveHedge(() => sorting(true), RUN);
    expect(estimate).toBeGreaterThan(2.5);
    expect(estimate).toBeLessThan(2.781);
  });
});
