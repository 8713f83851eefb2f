import fc from "fast-check";
import type { PlainSection } from "../../scheduler/fields/fields.ts";

/** `undefined` for a key that is left out. */
type Drawn = { readonly [key: string]: unknown };

const maybe = <T>(of: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(of, { nil: undefined, freq: 3 });
const ms = (max: number): fc.Arbitrary<number> => fc.double({ min: 0, max, noNaN: true });
const seconds = (min: number, max: number): fc.Arbitrary<number> => fc.double({ min, max, noNaN: true });
const share = (max: number): fc.Arbitrary<number> => fc.double({ min: 0, max, noNaN: true });

const nodes = fc.integer({ min: 3, max: 12 });

function fleetOf(count: number): fc.Arbitrary<Drawn> {
  const classes = fc
    .tuple(fc.integer({ min: 1, max: count - 1 }), fc.constantFrom(undefined, "acme"), fc.boolean())
    .map(([first, operator, own]) => [
      { name: "fast", count: first, speed: 2, operator, priceGwei: 20 },
      {
        name: "slow",
        count: count - first,
        speed: 1,
        service: own ? { kind: "lognormal", p50Ms: 200, p95Ms: 500 } : undefined,
      },
    ]);
  return fc
    .record({
      nodes: fc.constant(count),
      slots: fc.constantFrom(1, 4, "unlimited"),
      slowdownPerCopy: maybe(fc.constantFrom(0, 0.1, 1)),
      classes: maybe(classes),
      deadFraction: maybe(fc.constantFrom(0, 0.2)),
      stragglers: maybe(fc.record({ everyS: seconds(1, 20), lastsS: seconds(0.1, 5), factor: seconds(0.5, 10) })),
      outages: maybe(
        fc.record({ everyS: seconds(5, 50), lastsS: seconds(0.1, 5), kind: fc.constantFrom("crash", "hang") }),
      ),
      churn: maybe(fc.record({ leaveEveryS: seconds(5, 50), returnAfterS: seconds(0.1, 5) })),
      slowdowns: maybe(
        fc.array(fc.record({ atS: seconds(0, 30), forS: seconds(0.1, 20), factor: seconds(0.5, 5) }), { maxLength: 3 }),
      ),
      dishonest: maybe(
        fc.record({ fraction: share(1), probability: share(0.7), speedFactor: fc.constantFrom(1, 2, 50) }),
      ),
      errors: maybe(fc.record({ fraction: share(1), probability: share(0.7) })),
    })
    .map(({ slowdownPerCopy, nodes: all, ...fleet }) => ({
      ...fleet,
      nodes: fleet.classes === undefined ? all : undefined,
      queue: slowdownPerCopy === undefined ? undefined : "batching",
      batching: slowdownPerCopy === undefined ? undefined : { slowdownPerCopy },
    }));
}

/** Small experiments over every key of the world, loads that can be served, times that production's timeouts allow. */
export const smallExperiments: fc.Arbitrary<PlainSection> = nodes
  .chain((count) =>
    fc.record({
      seed: fc.nat(1_000_000),
      replications: fc.constant(1),
      jobs: fc.integer({ min: 1, max: 60 }),
      warmup: fc.nat(10),
      arrivals: fc.constantFrom(
        { kind: "poisson", ratePerS: count / 10 },
        { kind: "gamma", ratePerS: count / 10, cv: 2 },
        { kind: "onoff", ratePerS: count / 5, onMs: 2_000, offMs: 5_000 },
      ),
      service: fc.constantFrom(
        { kind: "exponential", meanMs: 300 },
        { kind: "deterministic", ms: 250 },
        { kind: "stragglers", of: { kind: "exponential", meanMs: 200 }, probability: 0.05, factor: 8 },
      ),
      correlation: maybe(fc.constantFrom(0, 0.5)),
      fleet: fleetOf(count),
      network: maybe(
        fc.record({
          oneWayMs: fc.constantFrom(0, 5, 60),
          jitterMs: fc.constantFrom(0, 1, 80),
          loss: fc.constantFrom(0, 0.05, 0.4),
          duplication: fc.constantFrom(0, 0.2, 1),
          partition: fc.array(
            fc.record({ atS: seconds(0, 30), forS: seconds(0.1, 20), operators: fc.constantFrom(1, 2) }),
            { maxLength: 2 },
          ),
        }),
      ),
      verification: maybe(
        fc.record({ ms: ms(50), workers: fc.constantFrom("unlimited", 1, 3), proofMs: fc.constantFrom(0, 50) }),
      ),
      mode: maybe(fc.constantFrom("vanilla", "tee", "zkml", "optimistic")),
      blocks: maybe(
        fc.record({
          intervalMs: fc.constantFrom(200, 1_000),
          ttlBlocks: fc.integer({ min: 1, max: 60 }),
          jitterMs: ms(100),
          reorgs: fc.constantFrom(undefined, { everyBlocks: 4, depth: 1 }, { everyBlocks: 20, depth: 5 }),
        }),
      ),
      deadlineMs: maybe(fc.constant(1_000)),
      policy: fc.constantFrom(
        { kind: "fixed", copies: 1 },
        { kind: "fixed", copies: 3 },
        { kind: "hedge", delayMs: 300, maxCopies: 3 },
        // By name alone, or with what makes them act in a short run of short jobs.
        { kind: "grpc-hedging", hedgingDelayMs: 200, pushbackMs: 100 },
        { kind: "finagle", maxExtraLoad: 0.1 },
        { kind: "cassandra", retry: "MIN(90p,400ms)", timeoutMs: 1_000 },
        { kind: "envoy", perTryTimeoutMs: 400, numRetries: 2 },
        { kind: "spark", stageJobs: 10, multiplier: 1.5 },
        { kind: "mantri" },
        { kind: "single-d", budget: 0.1 },
        { kind: "single-r", budget: 0.1, deadlineMs: 800 },
      ),
      placement: fc.constantFrom(
        { kind: "random" },
        { kind: "least-loaded" },
        { kind: "power-of-d" },
        { kind: "c3", explore: 0 },
        { kind: "prequal", hotQuantile: 0.5 },
        { kind: "price-aware", weight: 0.2 },
      ),
      budget: maybe(
        fc.constantFrom(
          { ratio: 0.3, burstMs: 20_000 },
          { ratio: 0.3, burstMs: 20_000, perClass: { ratio: 0.1, burstMs: 5_000 }, perSender: "none" },
          { ratio: 1, burstMs: 20_000, perSender: { ratio: 0, burstMs: 1_000 } },
        ),
      ),
    }),
  )
  // Through JSON, which leaves out what is undefined.
  .map((drawn) => JSON.parse(JSON.stringify(drawn)) as PlainSection);
