import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, it } from "vitest";
import type { Backend, Probe } from "../../../../scheduler/node/backends/backend.ts";
import { BackendRunner } from "../../../../scheduler/node/backends/backend-runner.ts";
import { BACKEND_LIMITS } from "../../../../scheduler/node/backends/limits.ts";
import { failedRun, type Run } from "../../../../scheduler/node/model-runner.ts";
import { unhurried } from "../node-under-test.ts";

class FakeBackend implements Backend {
  probes = 0;
  closed = 0;
  state: Probe = { ok: true };
  result: Run = { ok: true, output: new Uint8Array([7]) };
  run = async () => this.result;
  async probe() {
    this.probes += 1;
    return this.state;
  }
  async close() {
    this.closed += 1;
  }
}

const runners: BackendRunner[] = [];
afterEach(async () => {
  for (const runner of runners.splice(0)) await runner.close();
});

function running(backends: Readonly<Record<string, Backend>>) {
  const lines: string[] = [];
  const runner = new BackendRunner(new Map(Object.entries(backends)), (level, message, fields) =>
    lines.push(`${level} ${message} ${Object.values(fields).join(" | ")}`),
  );
  runners.push(runner);
  return { runner, lines };
}

it("says which models are warm once their backends have been asked, and tells the log what changed", async () => {
  const [a, b] = [new FakeBackend(), new FakeBackend()];
  a.state = { ok: true, note: "by the way" };
  b.state = { ok: false, why: "refused" };
  const { runner, lines } = running({ a, b });
  expect(runner.warm).toEqual([]);
  await runner.start();
  expect(runner.warm).toEqual(["a"]);
  expect(lines).toEqual([
    "info a model's backend answers a | by the way",
    "warn a model's backend does not answer b | refused",
  ]);
});

it("asks a backend again that failed, but not too often", async () => {
  const a = new FakeBackend();
  const { runner, lines } = running({ a });
  await runner.start();
  a.result = failedRun("overloaded", "no room");
  a.state = { ok: false, why: "gone" };
  await sleep(BACKEND_LIMITS.probeGapMs + 20);
  for (let i = 0; i < 5; i++) expect(await runner.run("a", new Uint8Array(), unhurried())).toBe(a.result);
  await sleep(1);
  expect(a.probes).toBe(2);
  expect(runner.warm).toEqual([]);
  expect(lines.slice(1, 3)).toEqual([
    "warn a run failed a | overloaded | no room | 1",
    "warn a model's backend does not answer a | gone",
  ]);
});

it("tells the log of one failure a second, and of how many there were", async () => {
  const a = new FakeBackend();
  a.result = failedRun("error", "broken");
  const { runner, lines } = running({ a });
  for (let i = 0; i < 5; i++) await runner.run("a", new Uint8Array(), unhurried());
  await sleep(BACKEND_LIMITS.failureLogMs + 20);
  await runner.run("a", new Uint8Array(), unhurried());
  expect(lines.filter((line) => line.includes("a run failed"))).toEqual([
    "warn a run failed a | error | broken | 1",
    "warn a run failed a | error | broken | 5",
  ]);
});

it("says nothing of a failure that was wanted, and knows no other models", async () => {
  const a = new FakeBackend();
  a.result = failedRun("error", "cancelled");
  const { runner, lines } = running({ a });
  await runner.run("a", new Uint8Array(), { ...unhurried(), signal: AbortSignal.abort() });
  expect(await runner.run("b", new Uint8Array(), unhurried())).toMatchObject({ ok: false });
  expect(lines).toEqual([]);
});

it("closes every backend", async () => {
  const [a, b] = [new FakeBackend(), new FakeBackend()];
  const { runner } = running({ a, b });
  await runner.start();
  await runner.close();
  expect([a.closed, b.closed]).toEqual([1, 1]);
});
