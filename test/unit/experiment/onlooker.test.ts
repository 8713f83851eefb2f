import { expect, it } from "vitest";
import { onlooker, STANDSTILL_MS } from "../../../sim/experiment/onlooker.ts";
import { type HowFar, SimulationLimit } from "../../../sim/world/simulation-limit.ts";

function watched() {
  const clock = { ms: 5_000 };
  const told: number[] = [];
  const look = onlooker(
    () => clock.ms,
    (share) => void told.push(share),
  );
  const at = (ms: number, far: Partial<HowFar>): void => {
    clock.ms = 5_000 + ms;
    look({ simulatedUs: 7e6, events: 1_000, ended: 0, of: 200, endedInAll: 0, ...far });
  };
  return { told, at };
}

it("tells once a second how much is done", () => {
  const { told, at } = watched();
  for (let ms = 0; ms <= 2_500; ms += 100) at(ms, { ended: ms / 25, endedInAll: ms });
  expect(told).toEqual([0.2, 0.4]);
});

it("ends what stands still for a minute, saying where and what to do, and lets go on what does not", () => {
  const { at } = watched();
  at(STANDSTILL_MS - 1, { endedInAll: 1 });
  // A warm-up's job is progress, too.
  at(2 * STANDSTILL_MS - 2, { endedInAll: 2 });
  at(3 * STANDSTILL_MS - 2, { endedInAll: 2 });
  expect(() => at(3 * STANDSTILL_MS, { endedInAll: 2 })).toThrow(SimulationLimit);
  expect(() => at(3 * STANDSTILL_MS, { endedInAll: 2 })).toThrow(
    /at 1000 events and 7 simulated seconds: .*lower network\.loss/,
  );
});
