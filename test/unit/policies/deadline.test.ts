import { describe, expect, it } from "vitest";
import { Crowding } from "../../../policies/deadline/crowding.ts";
import { type Frontier, frontierOf, type Plan } from "../../../policies/deadline/frontier.ts";
import { FrozenLaw } from "../../../policies/deadline/law.ts";
import { until } from "../../../policies/deadline/staircase.ts";
import { bestPlan, planAt, priceFor } from "../../../policies/deadline/price.ts";
import { normalCdf } from "../../../scheduler/shared/normal.ts";

/** THEORY.md: lognormal of mean 7 s and 95th percentile 11 s, so that a ratio of 1 is 7 s; the deadline is at 12 s. */
const SIGMA = 0.302627;
const MEAN_S = 7;
const HORIZON = 12 / MEAN_S;
const ONE = { pace: 1, alive: 1, age: 0, wait: 0 };

function lognormal({ phi = 0, alive = 1, sigma = SIGMA } = {}): FrozenLaw {
  const survival = Float64Array.from({ length: 201 }, (_, index) => {
    const log = (index - 100) / 25;
    return 1 - normalCdf((log + (sigma * sigma) / 2) / sigma);
  });
  return new FrozenLaw(survival, phi, alive);
}

/** The cheapest plan that is late at most so often. */
function cheapest({ plans }: Frontier, late: number): Plan {
  return plans.find((plan) => plan.late <= late) as Plan;
}

describe("plans", () => {
  it("give the published optimum: 0.99 in time takes one hedge at about 4.6 s and 9.24 machine-seconds", () => {
    const frontier = frontierOf(lognormal(), [ONE], until(HORIZON), 2);
    const { plans } = frontier;
    const [none] = plans;
    expect((none as Plan).launches).toEqual([]);
    expect((none as Plan).late).toBeCloseTo(0.0267, 3);
    expect((none as Plan).work * MEAN_S).toBeCloseTo(7, 1);
    const hedge = planAt({ frontier, crowding: 0 }, priceFor([{ frontier, crowding: 0 }], 0.99));
    expect(hedge.launches).toHaveLength(1);
    expect((hedge.launches[0] as number) * MEAN_S).toBeGreaterThan(4.4);
    expect((hedge.launches[0] as number) * MEAN_S).toBeLessThan(4.8);
    expect(hedge.late).toBeCloseTo(0.01, 6);
    expect((hedge.work * MEAN_S) / 9.24).toBeLessThan(1.01);
    const both = plans.find(({ launches }) => launches.length === 1 && launches[0] === 0) as Plan;
    expect(both.work * MEAN_S).toBeCloseTo(11.63, 1);
  });

  it("save work where durations have heavy tails: then the one without further copies is not the cheapest", () => {
    const { plans } = frontierOf(lognormal({ sigma: 1.5 }), [ONE], until(4), 1);
    expect((plans[0] as Plan).launches).toHaveLength(1);
  });

  it("know that copies which share their fate do not help each other", () => {
    const gain = (phi: number) => {
      const { plans } = frontierOf(lognormal({ phi }), [ONE], until(HORIZON), 1);
      return (plans.at(-1) as Plan).late;
    };
    expect(gain(0)).toBeLessThan(0.001);
    expect(gain(0.5)).toBeGreaterThan(0.003);
    expect(gain(0.95)).toBeGreaterThan(0.015);
  });

  it("start another copy the sooner the less the node can be relied upon", () => {
    const launch = (alive: number, pace = 1) =>
      cheapest(frontierOf(lognormal(), [{ ...ONE, alive, pace }], until(2.5), 1), 0.05).launches[0];
    expect(launch(1)).toBeUndefined();
    expect(launch(0.9)).toBeGreaterThan(0.5);
    expect(launch(0.1)).toBeLessThan(launch(0.9) as number);
    expect(launch(1, 3)).toBeLessThan(1.5);
  });

  it("count what a copy has run already", () => {
    const late = (age: number) => (frontierOf(lognormal(), [{ ...ONE, age }], until(0.5), 0).plans[0] as Plan).late;
    // Given that it has run for 1.2 of its expected time, it is nearly done.
    expect(late(1.2)).toBeLessThan(0.2);
    expect(late(0)).toBeGreaterThan(0.95);
    expect((frontierOf(lognormal(), [{ ...ONE, wait: 0.5 }], until(0.5), 0).plans[0] as Plan).late).toBeCloseTo(1, 6);
  });

  it("are each worth having: with more work comes less risk", () => {
    for (const horizon of [0.3, 1, HORIZON, 5]) {
      const { plans } = frontierOf(lognormal(), [ONE], until(horizon), 2);
      for (let index = 1; index < plans.length; index++) {
        expect((plans[index] as Plan).work).toBeGreaterThanOrEqual((plans[index - 1] as Plan).work);
        expect((plans[index] as Plan).late).toBeLessThan((plans[index - 1] as Plan).late);
      }
    }
  });
});

describe("the price", () => {
  it("lets jobs with unlike deadlines meet the target together, with the least work", () => {
    const horizons = [1.2, 1.5, 1.7, 2, 2.5, 3, 4];
    const recent = horizons.map((horizon) => ({
      frontier: frontierOf(lognormal(), [ONE], until(horizon), 2),
      crowding: 0,
    }));
    const price = priceFor(recent, 0.97);
    const plans = recent.map((choice) => planAt(choice, price));
    const late = plans.reduce((sum, plan) => sum + plan.late, 0) / plans.length;
    expect(late).toBeCloseTo(0.03, 2);
    // The same target for each of them alone costs more.
    const work = plans.reduce((sum, plan) => sum + plan.work, 0);
    const alone = recent.reduce((sum, choice) => sum + planAt(choice, priceFor([choice], 0.97)).work, 0);
    expect(work).toBeLessThan(alone);
  });

  it("wastes nothing on jobs that are hopeless", () => {
    const hopeless = { frontier: frontierOf(lognormal(), [ONE], until(0.4), 2), crowding: 0 };
    const edge = { frontier: frontierOf(lognormal(), [ONE], until(HORIZON), 2), crowding: 0 };
    const price = priceFor([edge, edge, edge, hopeless], 0.74);
    expect(planAt(hopeless, price).launches).toEqual([]);
    expect(planAt(edge, price).launches.length).toBeGreaterThan(0);
  });

  it("launches less the busier the nodes are", () => {
    const frontier = frontierOf(lognormal(), [ONE], until(HORIZON), 2);
    const late = [0, 0.02, 0.2, 2].map((crowding) => bestPlan(frontier, 60, 1 + 60 * crowding).late);
    expect(late).toEqual(late.toSorted((a, b) => a - b));
    expect(late[0]).toBeLessThan(late[3] as number);
  });
});

describe("crowding", () => {
  it("is Erlang's: the price of the last free slot is that of one lost job, divided among those that wait for it", () => {
    const crowding = new Crowding({ utilisation: 0.7, slots: 10, displaced: 0.3 });
    // B(10, 7) = 0.0787, B(9, 7) = 0.1221 (Erlang's tables).
    const waiting = 0.3 / 0.3 ** 1.5;
    expect(crowding.at(9)).toBeCloseTo((0.0787 / 0.1221) * waiting, 2);
    expect(crowding.at(10)).toBeCloseTo(waiting, 6);
    expect(crowding.at(0)).toBeCloseTo(0.0787 * waiting, 2);
  });

  it("is nothing where there are no queues, and finite at full load", () => {
    expect(new Crowding({ utilisation: 0.5, slots: 20_000_000, displaced: 0.3 }).at(10)).toBe(0);
    expect(new Crowding({ utilisation: 1, slots: 10, displaced: 0.3 }).at(10)).toBeLessThan(200);
    expect(new Crowding({ utilisation: 0, slots: 1, displaced: 0.3 }).at(0)).toBeLessThan(0.01);
  });
});
