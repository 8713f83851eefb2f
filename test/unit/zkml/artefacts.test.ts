import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { makeCircuits } from "../../../scheduler/node/zkml/workshop/make-circuits.ts";

const MAX_SHIPPED_BYTES = 1_000_000;

it("the models with proofs are what the script makes, byte by byte, the test setup's keys included", async () => {
  const made = await makeCircuits();
  expect([...made.keys()].sort()).toEqual([
    "manifest.json",
    "risk-tiny.json",
    "risk-tiny.verification-key.json",
    "risk-tiny.wires.json",
    "risk-tiny.zkey",
  ]);
  let total = 0;
  for (const [file, content] of made) {
    const shipped = readFileSync(new URL(`../../../scheduler/node/zkml/models/${file}`, import.meta.url));
    expect(Buffer.compare(shipped, content), file).toBe(0);
    total += shipped.length;
  }
  expect(total).toBeLessThan(MAX_SHIPPED_BYTES);
}, 120_000);
