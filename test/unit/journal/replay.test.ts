import { readFile, truncate, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { runReplay } from "../../../scheduler/cli/replay.ts";
import type { ReplayStepper } from "../../../scheduler/live/journal-replay.ts";
import { engineStepper, replayJournal } from "../../../scheduler/live/journal-replay.ts";
import { digestCommands } from "../../../scheduler/live/journal-format.ts";
import { openJournal } from "../../../scheduler/live/journal.ts";
import { writeManifest } from "../../../scheduler/live/records-manifest.ts";
import { appendGarbage, freshDirectory, ToyEngine, toyOptions, toyStepper, writeToyJournal } from "./toy.ts";

const LIMITS = { maxSegmentBytes: 2_000, maxBacklogBytes: 100_000 };

/** The toy engine, but for one command of one batch; or it stops on a bug there. */
function mutant(batch: number, change: "other" | "missing" | "throw"): ReplayStepper {
  return {
    fresh(header) {
      const engine = toyStepper.fresh(header);
      return {
        step(atUs, events) {
          const commands = engine.step(atUs, events);
          if (atUs !== batch * 1_000) return commands;
          if (change === "throw") throw new RangeError("a planted bug");
          return change === "missing" ? commands.slice(1) : commands.map((command) => ({ ...command, sum: 0 }));
        },
      };
    },
  };
}

async function run(directory: string, stepper: ReplayStepper, json: boolean) {
  let text = "";
  const write = (part: string) => {
    text += part;
  };
  const code = await runReplay({ directory, stepper, json, program: "0.0.0-test", write });
  return { code, text };
}

describe("replay (P13)", () => {
  it("gives the same commands, over segments, restarts and clean ends", async () => {
    const directory = await freshDirectory();
    await writeToyJournal(directory, 30, { limits: LIMITS });
    const { journal } = await openJournal(toyOptions(directory, { limits: LIMITS, program: "0.0.1-test" }));
    await journal.close({ atUs: 40_000 });
    const outcome = await replayJournal({ directory, stepper: toyStepper, mustBeClosed: true });
    expect(outcome).toMatchObject({
      status: "same",
      closedCleanly: true,
      tornTail: undefined,
      programs: ["0.0.0-test", "0.0.1-test"],
      counts: { batches: 30, events: 60, commands: 60 },
    });
    expect(await run(directory, toyStepper, false)).toMatchObject({ code: 0, text: expect.stringMatching(/^SAME/) });
  });

  it("finds the first batch that differs, and tells what it can", async () => {
    const directory = await freshDirectory();
    await writeToyJournal(directory, 20, { limits: LIMITS });
    for (const change of ["other", "missing", "throw"] as const) {
      const outcome = await replayJournal({ directory, stepper: mutant(14, change), mustBeClosed: false });
      if (outcome.status !== "differs") expect.fail(outcome.status);
      expect(outcome.difference).toMatchObject({ batch: 14, atUs: 14_000, journalled: { commands: 4 } });
      const { code, text } = await run(directory, mutant(14, change), false);
      expect(code).toBe(1);
      expect(text).toMatch(/^DIFFERS at batch 14\n/);
      expect(text).toContain(outcome.difference?.journalled.digest);
      expect(text).toContain("4 copy-progressed");
      if (change === "throw") expect(text).toContain("RangeError: a planted bug");
    }
  });

  it("prints one line of JSON when asked for", async () => {
    const directory = await freshDirectory();
    await writeToyJournal(directory, 5);
    const same = await run(directory, toyStepper, true);
    expect(same.code).toBe(0);
    expect(JSON.parse(same.text)).toMatchObject({ status: "same", manifest: "none", counts: { batches: 5 } });
    const differs = await run(directory, mutant(2, "other"), true);
    expect(differs.code).toBe(1);
    expect(JSON.parse(differs.text)).toMatchObject({ status: "differs", difference: { batch: 2 } });
    const missing = await run(join(directory, "nothing"), toyStepper, true);
    expect(missing.code).toBe(2);
    expect(JSON.parse(missing.text)).toMatchObject({ status: "unreadable", error: { code: "unreadable" } });
    const empty = await run(await freshDirectory(), toyStepper, false);
    expect(empty).toMatchObject({ code: 2, text: expect.stringContaining("there is no journal") });
  });

  it("tolerates a torn tail only where nothing says that the journal was closed", async () => {
    const directory = await freshDirectory();
    await writeToyJournal(directory, 6);
    const file = join(directory, "segment-000001.jsonl");
    await appendGarbage(file, '{"kind":"opened"');
    expect(await run(directory, toyStepper, false)).toMatchObject({ code: 2 });
    const lines = (await readFile(file, "utf8")).split("\n");
    await writeFile(file, lines.slice(0, -2).join("\n"));
    const torn = await replayJournal({ directory, stepper: toyStepper, mustBeClosed: false });
    expect(torn).toMatchObject({ status: "same", closedCleanly: false, counts: { batches: 5 } });
    expect(torn).toHaveProperty("tornTail.line", lines.length - 2);
    expect((await replayJournal({ directory, stepper: toyStepper, mustBeClosed: true })).status).toBe("unreadable");
  });

  it("refuses a changed record and a journal without its beginning", async () => {
    const directory = await freshDirectory();
    await writeToyJournal(directory, 30, { limits: LIMITS });
    const file = join(directory, "segment-000002.jsonl");
    const sound = await readFile(file, "utf8");
    await writeFile(file, sound.replace('"tokens":1', '"tokens":2'));
    const { code, text } = await run(directory, toyStepper, false);
    expect(code).toBe(2);
    expect(text).toContain("segment-000002.jsonl, line");
    await writeFile(file, sound);
    await unlink(join(directory, "segment-000001.jsonl"));
    expect(await run(directory, toyStepper, false)).toMatchObject({
      code: 2,
      text: expect.stringContaining("its beginning was deleted"),
    });
  });

  it("checks the manifest of a record directory first", async () => {
    const directory = await freshDirectory();
    await writeToyJournal(join(directory, "journal"), 6);
    await writeManifest(directory);
    expect(JSON.parse((await run(directory, toyStepper, true)).text)).toMatchObject({ status: "same", manifest: "ok" });
    const file = join(directory, "journal", "segment-000001.jsonl");
    const { length } = await readFile(file);
    await truncate(file, length - 20);
    const { code, text } = await run(directory, toyStepper, false);
    expect(code).toBe(2);
    expect(text).toContain("journal/segment-000001.jsonl is not the file that was listed");
  });

  it("steps engines event by event and takes their commands in the recorder's form", async () => {
    const directory = await freshDirectory();
    const { journal } = await openJournal(toyOptions(directory));
    const commands = [
      { kind: "committed", height: 3 },
      { kind: "reverted", height: 4 },
    ];
    const events = [{ kind: "block-committed", height: 3 } as const, { kind: "block-reverted", height: 4 } as const];
    await journal.append({ n: 1, atUs: 5, events, commands: 2, digest: digestCommands(commands) });
    await journal.close({ atUs: 6 });
    const seeds: unknown[] = [];
    const stepper = engineStepper((config) => {
      seeds.push(config);
      return {
        step(_nowUs, event, sink) {
          if (event.kind === "block-committed") sink.committed(event.height);
          if (event.kind === "block-reverted") sink.reverted(event.height);
        },
      };
    });
    expect((await replayJournal({ directory, stepper, mustBeClosed: true })).status).toBe("same");
    expect(seeds).toEqual([{ seed: 7 }]);
  });

  it("is the same engine each time: the toy's own determinism, on which these tests rest", () => {
    const events = [{ kind: "woken" } as const];
    expect(new ToyEngine(7).step(5, events)).toEqual(new ToyEngine(7).step(5, events));
  });
});
