import { describe, expect, it } from "vitest";
import type { EngineEvent } from "../../../scheduler/engine/events.ts";
import { engineMaker } from "../../../sim/swarm/engine-machine.ts";
import { planOf } from "../../../sim/swarm/plan.ts";
import { engineConfig } from "../../../sim/swarm/scenario.ts";
import { Shell } from "../../../sim/swarm/shell.ts";

const CONFIG = engineConfig(planOf(1));

function deposit(amountGwei: number): EngineEvent {
  return { kind: "deposited", account: "ann", amountGwei };
}

/** A shell with three deposits, the first acknowledged. */
function shell(complaints: string[] = []): Shell {
  const made = new Shell(engineMaker(CONFIG), (message) => complaints.push(message));
  made.step(10, deposit(1));
  made.acknowledge();
  made.step(20, deposit(2));
  made.step(30, deposit(4));
  return made;
}

const amounts = (steps: readonly { readonly event: EngineEvent }[]): number[] =>
  steps.map(({ event }) => (event.kind === "deposited" ? event.amountGwei : 0));

describe("the modelled shell", () => {
  it.each([
    { durable: 0, torn: false, kept: [], lost: [2, 4] },
    { durable: 0, torn: true, kept: [], lost: [2, 4] },
    { durable: 1, torn: true, kept: [2], lost: [4] },
    { durable: 2, torn: true, kept: [2, 4], lost: [] },
    { durable: 9, torn: false, kept: [2, 4], lost: [] },
  ])("comes back with $durable unacknowledged records, torn: $torn", ({ durable, torn, kept, lost }) => {
    const complaints: string[] = [];
    const crashed = shell(complaints);
    const salvage = crashed.crash(durable, torn);
    expect([amounts(salvage.kept), amounts(salvage.lost)]).toEqual([kept, lost]);
    expect(balanceOf(crashed)).toBe(1 + kept.reduce((sum, amount) => sum + amount, 0));
    expect(complaints).toEqual([]);
  });

  it("starts again from its snapshot", () => {
    const crashed = shell();
    crashed.acknowledge();
    crashed.takeSnapshot();
    crashed.step(40, deposit(8));
    expect(amounts(crashed.crash(0, true).lost)).toEqual([8]);
    expect(balanceOf(crashed)).toBe(7);
  });

  it("takes no snapshot of what may still be lost", () => {
    expect(() => shell().takeSnapshot()).toThrow("may still be lost");
  });

  it("complains about a machine that does not do the same again", () => {
    let seed = 0;
    const complaints: string[] = [];
    const moody = {
      make: () => engineMaker({ ...CONFIG, limits: { ...CONFIG.limits, maxAccounts: seed++ === 0 ? 10 : 1 } }).make(),
      restore: engineMaker(CONFIG).restore,
    };
    const made = new Shell(moody, (message) => complaints.push(message));
    made.step(10, deposit(1));
    made.step(10, { kind: "deposited", account: "bob", amountGwei: 1 });
    made.acknowledge();
    made.takeSnapshot();
    expect(complaints.join("\n")).toMatch("replay of deposited gives");
  });

  it("dates steps by the latest time that any clock showed", () => {
    const made = new Shell(engineMaker(CONFIG), undefined);
    expect([50, 20, 60].map((nowUs) => made.step(nowUs, deposit(1)).atUs)).toEqual([50, 50, 60]);
  });
});

/** What the engine says is left, by asking for more than that. */
function balanceOf(made: Shell): number {
  const { commands } = made.step(100, {
    kind: "submitted",
    transaction: {
      hash: "0x1",
      sender: "ann",
      nonce: 0,
      gasPriceGwei: 1,
      ttlBlocks: 4,
      escrowGwei: 1_000,
      calls: undefined,
    },
  });
  const [answer] = commands;
  if (answer?.kind !== "rejected" || answer.rejection.reason !== "underfunded") return Number.NaN;
  return answer.rejection.availableGwei;
}
