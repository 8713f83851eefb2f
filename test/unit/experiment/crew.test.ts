import { describe, expect, it } from "vitest";
import { Crew, CrewStopped } from "../../../sim/experiment/crew.ts";
import { parseExperiment } from "../../../sim/experiment/parse.ts";
import { ReplicationFailed } from "../../../sim/experiment/pool.ts";
import type { Experiment } from "../../../sim/experiment/types.ts";
import { simulate } from "../../../sim/world/simulate.ts";

const PATIENCE = 60_000;

function experimentOf(changes: Record<string, never> | object): Experiment {
  const parsed = parseExperiment(
    {
      jobs: 200,
      arrivals: { kind: "poisson", ratePerS: 5 },
      service: { kind: "exponential", meanMs: 1_000 },
      fleet: { nodes: 10 },
      deadlineMs: 3_000,
      policy: { kind: "fixed", copies: 1 },
      ...changes,
    },
    ".",
  );
  if (!parsed.ok) throw new Error(parsed.troubles.join());
  return parsed.value;
}

/** Runs on the clock are never the same. */
const timeless = (result: object): object => ({ ...result, elapsedMs: 0 });

describe("a crew of workers", { timeout: PATIENCE }, () => {
  it("measures what it is asked, also what is asked after a pause, as one thread does", async () => {
    const crew = new Crew({ workers: 2, signal: new AbortController().signal });
    const experiment = experimentOf({});
    const measure = (replication: number) => crew.measure({ experiment, replication, samples: 0 });
    const first = await Promise.all([0, 1, 2].map(measure));
    const later = await measure(3);
    await crew.close();
    const alone = [0, 1, 2, 3].map((replication) => timeless(simulate(experiment, replication, { samples: 0 })));
    expect([...first, later].map((result) => timeless(result as object))).toEqual(alone);
    await expect(measure(4)).rejects.toBeInstanceOf(CrewStopped);
  });

  it("says of a run that does not come to an end that it does not, and goes on with others", async () => {
    const crew = new Crew({ workers: 1, signal: new AbortController().signal });
    const experiment = experimentOf({});
    const limits = { patience: 50, events: 100 };
    const asked = [
      crew.measure({ experiment, replication: 0, samples: 0, limits }),
      crew.measure({ experiment, replication: 0, samples: 0 }),
    ];
    const [endless, result] = await Promise.all(asked);
    await crew.close();
    expect(endless).toBe("endless");
    expect(result).toMatchObject({ jobs: 200 });
  });

  it("lets whoever waits know that it was stopped, or what failed", async () => {
    const stop = new AbortController();
    const crew = new Crew({ workers: 1, signal: stop.signal });
    const waiting = [0, 1, 2, 3].map((replication) =>
      crew.measure({ experiment: { ...experimentOf({}), jobs: 20_000 }, replication, samples: 0 }),
    );
    stop.abort();
    const ends = await Promise.allSettled(waiting);
    for (const end of ends)
      expect(end).toMatchObject({ status: "rejected", reason: expect.any(CrewStopped) as unknown });
    await crew.close();

    const other = new Crew({ workers: 1, signal: new AbortController().signal });
    const arrivals = { kind: "trace" as const, file: "no-such-file.csv", speedup: 1 };
    const failing = other.measure({ experiment: { ...experimentOf({}), arrivals }, replication: 0, samples: 0 });
    await expect(failing).rejects.toBeInstanceOf(ReplicationFailed);
    await other.close();
  });
});
