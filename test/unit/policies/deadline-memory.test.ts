import { describe, expect, it } from "vitest";
import { DEFAULTS } from "../../../policies/index.ts";
import { until } from "../../../policies/deadline/staircase.ts";
import type { Prospect } from "../../../policies/deadline/survival.ts";
import { FrozenLaw } from "../../../policies/deadline/law.ts";
import { DeadlineMemory } from "../../../policies/deadline/memory.ts";

const LAW = new FrozenLaw(
  Float64Array.from({ length: 201 }, (_, index) => 1 / (1 + Math.exp((index - 100) / 8))),
  0,
  1,
);
const COPY: Prospect = { pace: 1, alive: 0.5, age: 0, wait: 0 };

describe("plans that are kept", () => {
  // Rounded beyond the last step, one key was another's number: what was planned hung on who had asked before (P13).
  it.each([
    ["waits as long as can be written down", { ...COPY, wait: 20 }, { ...COPY, alive: 0.52 }],
    ["has run as long as can be written down", { ...COPY, wait: 1, age: 20 }, { ...COPY, wait: 1.1, age: 0 }],
    ["has run so long, after less", { ...COPY, wait: 0, age: 20 }, { ...COPY, wait: 0.1, age: 0 }],
  ])("of a copy that %s are no other copy's", (_name, copy, other) => {
    const [fresh, used] = [new DeadlineMemory(DEFAULTS.deadline), new DeadlineMemory(DEFAULTS.deadline)];
    for (const steps of [0, 1, 2, 3, 4]) {
      used.plansFrom(LAW, [{ ...other, wait: Math.max(0, other.wait - steps * 0.025) }], until(5), 2);
    }
    expect(used.plansFrom(LAW, [copy], until(5), 2)).toEqual(fresh.plansFrom(LAW, [copy], until(5), 2));
  });
});
