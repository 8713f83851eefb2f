import { expect, it } from "vitest";
import { type Case, theoryCases } from "../../../sim/theory/cases.ts";
import { validateCases, type ValidationRow } from "../../../sim/theory/validate.ts";

/** Short runs of the cases with these names. */
function cases(...names: readonly string[]): readonly Case[] {
  const chosen = theoryCases(1).filter(({ name }) => names.includes(name));
  return chosen.map((one) => ({ ...one, experiment: { ...one.experiment, jobs: 4_000 } }));
}

const SHARED = "M/G/1 processor sharing, lognormal cv 2, λ 0.7";

async function rowsOf(of: readonly Case[]): Promise<readonly ValidationRow[]> {
  const rows = await validateCases(of, { workers: 2, signal: new AbortController().signal, onProgress: () => {} });
  if (rows === "interrupted") throw new Error("interrupted");
  return rows;
}

it("the production engine keeps to the closed forms", { timeout: 60_000 }, async () => {
  const rows = await rowsOf(
    cases("M/G/1 deterministic, λ 0.7", "Redundancy-2 of 3", "exponential, hedged at p95", SHARED),
  );
  expect(rows).toHaveLength(7);
  for (const row of rows) expect(row).toMatchObject({ verdict: "holds", through: "engine" });
});

it("an expectation that is 5 % off fails, the second time too", { timeout: 60_000 }, async () => {
  const wrong = cases("exponential, hedged at p95").map((one) => ({
    ...one,
    quantities: one.quantities.slice(0, 2).map((quantity) => ({ ...quantity, expected: 1.05 * quantity.expected })),
  }));
  const rows = await rowsOf(wrong);
  expect(rows.map(({ verdict, measurement }) => [verdict, measurement])).toEqual([
    ["fails", 2],
    ["fails", 2],
  ]);
});
