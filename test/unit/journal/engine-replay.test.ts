import { describe, expect, it } from "vitest";
import { replayStepper, runReplay } from "../../../scheduler/cli/replay.ts";
import type { EngineConfig } from "../../../scheduler/engine/config.ts";
import { DEFAULT_CONFIG } from "../../../scheduler/engine/config.ts";
import { Engine } from "../../../scheduler/engine/engine.ts";
import type { EngineEvent } from "../../../scheduler/engine/events.ts";
import type { Command } from "../../../scheduler/engine/recorder.ts";
import { Recorder } from "../../../scheduler/engine/recorder.ts";
import type { CallTerms } from "../../../scheduler/shared/vocabulary.ts";
import { digestCommands } from "../../../scheduler/live/journal-format.ts";
import { engineStepper } from "../../../scheduler/live/journal-replay.ts";
import { openJournal } from "../../../scheduler/live/journal.ts";
import { freshDirectory, toyOptions } from "./toy.ts";

const CONFIG: EngineConfig = { ...DEFAULT_CONFIG, policy: { kind: "fixed", copies: 2 } };

function nodeJoined(i: number): EngineEvent {
  const place = { operator: `operator-${i}`, region: "eu", hardware: "h100" };
  const offers = [{ model: "llama", mode: "vanilla", priceGwei: 10 } as const];
  return { kind: "node-joined", node: { id: `node-${i}`, key: `${i}`, ...place, slots: 4, queueLimit: 4, offers } };
}

function callOf(nonce: number): CallTerms {
  const work = { model: "llama", mode: "vanilla", tokensIn: 10, tokensOut: 20 } as const;
  const terms = { ...work, digest: `d${nonce}`, inputHash: `i${nonce}`, maxFeeGwei: 1_000, validityBlocks: 20 };
  return { ...terms, conflict: { kind: "first-valid" } };
}

function submitted(nonce: number): EngineEvent {
  const signed = { hash: `t${nonce}`, sender: "alice", nonce, gasPriceGwei: 5, ttlBlocks: 20, escrowGwei: 1_000 };
  return { kind: "submitted", transaction: { ...signed, calls: [callOf(nonce)] } };
}

/** What the world says to a command: transactions ask for one call, half of the copies answer, answers are accepted. */
function reply(command: Command): EngineEvent[] {
  if (command.kind === "preExecute") {
    const { id: tx, round, nonce, calls } = command.transaction;
    if (calls.length === 0) return [{ kind: "calls-discovered", tx, round, calls: [callOf(nonce)] }];
    return [{ kind: "pre-executed", tx, round, readSet: ["key"] }];
  }
  if (command.kind !== "dispatch" && command.kind !== "verify") return [];
  const { id: copy, node } = command.copy;
  if (command.kind === "verify") return [{ kind: "verdict", copy, accepted: true, reason: "" }];
  // The other copy of each pair is a straggler, to be cancelled.
  if (copy % 2 === 1) return [];
  return [{ kind: "copy-answered", copy, node: node.id, outputHash: "out", answerHash: `answer of ${node.id}` }];
}

/** Sixty transactions through a real engine, sealed in blocks, with every batch in the journal. */
async function journalOfEngine(directory: string): Promise<ReadonlySet<string>> {
  const { journal } = await openJournal(toyOptions(directory, { config: CONFIG }));
  const engine = new Engine(CONFIG);
  const recorder = new Recorder();
  const kinds = new Set<string>();
  let last: readonly Command[] = [];
  const step = async (atUs: number, events: readonly EngineEvent[]) => {
    for (const event of events) engine.step(atUs, event, recorder);
    const commands = recorder.take();
    for (const { kind } of commands) kinds.add(kind);
    last = commands;
    const digest = digestCommands(commands);
    await journal.append({ n: journal.nextBatch, atUs, events, commands: commands.length, digest });
  };
  await step(1, [{ kind: "deposited", account: "alice", amountGwei: 1_000_000 }, ...[1, 2, 3, 4].map(nodeJoined)]);
  for (let height = 1; height <= 20; height += 1) {
    const openUs = height * 500_000;
    await step(openUs, [{ kind: "block-opened", height, sealAtUs: openUs + 500_000 }]);
    await step(
      openUs + 10,
      [0, 1, 2].map((i) => submitted((height - 1) * 3 + i)),
    );
    for (let round = 0; round < 6; round += 1) await step(openUs + 1_000 * (round + 1), last.flatMap(reply));
    await step(openUs + 400_000, [{ kind: "woken" }]);
    await step(openUs + 500_000 - 1, [{ kind: "seal-requested", height, maxTransactions: 100, order: "gas" }]);
    await step(openUs + 500_000 - 1, [{ kind: "block-committed", height }]);
  }
  await journal.close({ atUs: 20_000_000 });
  return kinds;
}

describe("the engine's own journal (P13)", () => {
  it("gives identical commands when it is replayed, and others under another configuration", async () => {
    const directory = await freshDirectory();
    const kinds = await journalOfEngine(directory);
    for (const kind of ["accepted", "dispatch", "verify", "decided", "cancel", "sealed", "moved"])
      expect(kinds).toContain(kind);
    let text = "";
    const write = (part: string) => {
      text += part;
    };
    const command = { directory, json: true, program: "0.0.0-test", write };
    expect(await runReplay({ ...command, stepper: replayStepper }), text).toBe(0);
    expect(JSON.parse(text)).toMatchObject({ status: "same", counts: { batches: 221 } });

    text = "";
    const other = engineStepper((config) => {
      return new Engine({ ...(config as EngineConfig), policy: { kind: "fixed", copies: 3 } });
    });
    expect(await runReplay({ ...command, stepper: other })).toBe(1);
    // The first batch in which jobs are raced.
    expect(JSON.parse(text)).toMatchObject({
      status: "differs",
      difference: { batch: 4, eventKinds: { "calls-discovered": 3 } },
    });
  });
});
