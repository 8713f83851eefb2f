import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Command } from "../../scheduler/engine/recorder.ts";
import { scenarios } from "../support/arbitraries.ts";
import { engineMaker } from "../../sim/swarm/engine-machine.ts";
import { play } from "../../sim/swarm/harness.ts";
import { engineConfig } from "../../sim/swarm/scenario.ts";

/** What a checker cannot see happen it cannot check: the drawn scenarios must lead everywhere. */
describe("the drawn scenarios", () => {
  const seen = new Map<string, number>();
  const count = (what: string): void => void seen.set(what, (seen.get(what) ?? 0) + 1);
  for (const scenario of fc.sample(scenarios, { numRuns: 500, seed: 7 })) {
    for (const { event, commands } of play(scenario, engineMaker(engineConfig(scenario))).trace) {
      count(`event ${event.kind}`);
      for (const command of JSON.parse(commands) as Command[]) for (const what of describeCommand(command)) count(what);
    }
  }

  it.each([
    [
      "event",
      [
        "submitted",
        "withdrawn",
        "deposited",
        "calls-discovered",
        "pre-executed",
        "pre-execution-failed",
        "state-changed",
        "node-joined",
        "node-left",
        "node-reported",
        "copy-accepted",
        "copy-progressed",
        "copy-answered",
        "copy-failed",
        "verdict",
        "block-opened",
        "seal-requested",
        "block-committed",
        "block-reverted",
        "policy-changed",
        "restarted",
        "woken",
      ],
    ],
    [
      "command",
      [
        "accepted",
        "rejected",
        "ordered",
        "preExecute",
        "dispatch",
        "cancel",
        "verify",
        "decided",
        "moved",
        "sealed",
        "sealRefused",
        "committed",
        "reverted",
        "notify",
        "evidence",
        "alarm",
      ],
    ],
    [
      "rejection",
      [
        "duplicate",
        "nonce-used",
        "nonce-gap",
        "underpriced-replacement",
        "underfunded",
        "fee-too-low",
        "sender-limit",
        "pool-full",
        "unknown-model",
        "infeasible",
        "out-of-range",
      ],
    ],
    ["cancel", ["race-decided", "lease-expired", "transaction-left", "node-left", "budget"]],
    ["entry", ["admitted", "queued", "launched", "dequeued", "left", "returned"]],
    ["movement", ["deposited", "escrowed", "refunded", "paid", "unpaid"]],
    ["state", ["discovering", "racing", "ready", "sealed", "committed", "refunded", "replaced", "withdrawn"]],
    ["refund", ["expired", "pre-execution-failed", "withdrawn", "replaced"]],
    ["slow", ["redundancy-collapsed", "race-exhausted", "out-of-time"]],
    ["alarm", ["redundancy", "budget-exhausted", "node-quarantined"]],
    ["refusal", ["not-open", "bad-limit", "too-many-uncommitted"]],
    ["rival", ["outrun", "rejected", "failed", "expired", "cancelled"]],
    ["copy", ["speculative", "primary"]],
    ["winner", ["speculative", "primary", "slow"]],
    ["block", ["with calls", "without calls", "slow"]],
  ])("reach every %s", (family, names) => {
    expect(names.filter((name) => (seen.get(`${family} ${name}`) ?? 0) === 0)).toEqual([]);
  });
});

function describeCommand(command: Command): string[] {
  const kind = `command ${command.kind}`;
  switch (command.kind) {
    case "rejected":
      return [kind, `rejection ${command.rejection.reason}`];
    case "cancel":
      return [kind, `cancel ${command.reason}`];
    case "ordered":
      return [kind, `entry ${command.entry.entry}`];
    case "moved":
      return [kind, `movement ${command.movement.kind}`];
    case "notify": {
      const { state, refundReason, slowReason } = command.transaction;
      return [kind, `state ${state}`, `refund ${refundReason}`, `slow ${slowReason}`];
    }
    case "alarm":
      return [kind, `alarm ${command.alarm.kind}`];
    case "sealRefused":
      return [kind, `refusal ${command.refusal.reason}`];
    case "dispatch":
      return [kind, `copy ${command.copy.speculative ? "speculative" : "primary"}`];
    case "decided": {
      const { speculative, lane, rivals } = command.result;
      return [
        kind,
        `winner ${speculative ? "speculative" : "primary"}`,
        `winner ${lane}`,
        ...rivals.map(({ end }) => `rival ${end}`),
      ];
    }
    case "sealed":
      return [
        kind,
        ...command.block.transactions.flatMap(({ calls, lane }) => [
          `block ${calls.length > 0 ? "with" : "without"} calls`,
          `block ${lane}`,
        ]),
      ];
    default:
      return [kind];
  }
}
