import fc from "fast-check";
import { expect } from "vitest";

/** How much is run at most. `PIPE_SCALE` multiplies both; `PIPE_SEED` and `PIPE_PATH` play one failure again. */
export interface Sizes {
  readonly runs: number;
  readonly seconds: number;
}

const environment = process.env;

function scale(): number {
  const value = Number(environment["PIPE_SCALE"] ?? "1");
  return Number.isFinite(value) && value > 0 ? value : 1;
}

/**
 * Checks a property that answers with complaints, one line each, none when it holds. A failure shows the smallest scenario
 * found and the one command that plays it again.
 */
export function holds<T>(
  file: string,
  title: string,
  sizes: Sizes,
  arbitrary: fc.Arbitrary<T>,
  complaints: (value: T) => readonly string[],
): void {
  const seed = environment["PIPE_SEED"];
  const path = environment["PIPE_PATH"];
  let last: readonly string[] = [];
  const property = fc.property(arbitrary, (value) => {
    const found = complaints(value);
    if (found.length > 0) last = found;
    return found.length === 0;
  });
  const details = fc.check(property, {
    numRuns: Math.ceil(sizes.runs * scale()),
    interruptAfterTimeLimit: sizes.seconds * 1_000 * scale(),
    ...(seed === undefined ? {} : { seed: Number(seed) }),
    ...(path === undefined ? {} : { path, endOnFailure: true }),
  });
  const counterexample = details.counterexample?.[0];
  if (counterexample === undefined) {
    expect(details.numRuns, `${title}: nothing was run`).toBeGreaterThan(0);
    return;
  }
  const found = complaints(counterexample);
  const longer = environment["PIPE_ACTIONS"] === undefined ? "" : `PIPE_ACTIONS=${environment["PIPE_ACTIONS"]} `;
  const lines = [
    `${title}: failed after ${details.numRuns} runs and ${details.numShrinks} shrinks`,
    ...(found.length > 0 ? found : last),
    `scenario: ${JSON.stringify(counterexample)}`,
    `again: ${longer}PIPE_SEED=${details.seed} PIPE_PATH=${details.counterexamplePath} npx vitest run ${file} -t ${JSON.stringify(title)}`,
  ];
  expect.fail(lines.join("\n"));
}
