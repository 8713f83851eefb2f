import { describe, expect, it } from "vitest";
import { TRANSACTION_STATES } from "../../../mempool/transaction-states.ts";
import { COPY_STATES } from "../../../scheduler/engine/copy-states.ts";
import { advance, diagramOf, type Transitions } from "../../../scheduler/shared/transitions.ts";

const DOOR: Transitions<"open" | "closed" | "gone", "push" | "pull" | "burn"> = {
  open: { push: "closed", pull: "same", burn: "gone" },
  closed: { pull: "open", burn: "gone" },
  gone: {},
};

/** Each pair of the table that leads somewhere, as `state event → next`. */
function ways(table: object): string[] {
  return Object.entries(table).flatMap(([state, row]) =>
    Object.entries(row as object)
      .filter(([, next]) => next !== "same")
      .map(([event, next]) => `${state} ${event} → ${next}`),
  );
}

function terminal(table: object): string[] {
  return Object.entries(table).flatMap(([state, row]) => (Object.keys(row as object).length === 0 ? [state] : []));
}

function reachable(table: object, initial: string): Set<string> {
  const found = new Set([initial]);
  for (const state of found) {
    const row = (table as Record<string, Record<string, string>>)[state] ?? {};
    for (const next of Object.values(row)) if (next !== "same") found.add(next);
  }
  return found;
}

describe("a table of transitions", () => {
  it("advances along legal pairs, and stops on a pair that is absent or that changes nothing", () => {
    expect(advance(DOOR, "open", "push")).toBe("closed");
    expect(advance(DOOR, "closed", "pull")).toBe("open");
    expect(() => advance(DOOR, "closed", "push")).toThrow("illegal transition");
    expect(() => advance(DOOR, "open", "pull")).toThrow("illegal transition");
    expect(() => advance(DOOR, "gone", "pull")).toThrow("illegal transition");
  });

  it("draws itself, without the pairs that change nothing", () => {
    expect(diagramOf(DOOR, "closed").split("\n")).toEqual([
      "stateDiagram-v2",
      "  [*] --> closed",
      "  open --> closed: push",
      "  open --> gone: burn",
      "  closed --> open: pull",
      "  closed --> gone: burn",
      "  gone --> [*]",
    ]);
  });
});

describe("the life of a copy", () => {
  it("ends in eight ways, from which nothing leads back", () => {
    expect(terminal(COPY_STATES)).toEqual([
      "won",
      "supported",
      "outvoted",
      "outrun",
      "rejected",
      "failed",
      "expired",
      "cancelled",
    ]);
    expect(reachable(COPY_STATES, "sent")).toEqual(new Set(Object.keys(COPY_STATES)));
  });

  it("is won only by a verdict on an answer (P2)", () => {
    expect(ways(COPY_STATES).filter((way) => way.endsWith("→ won"))).toEqual([
      "verifying verified → won",
      "held verified → won",
    ]);
    expect(ways(COPY_STATES).filter((way) => way.endsWith("→ held"))).toEqual(["verifying hold → held"]);
    expect(ways(COPY_STATES).filter((way) => way.endsWith("→ verifying"))).toEqual([
      "sent answer → verifying",
      "running answer → verifying",
    ]);
  });

  it("needs no Cancel once it has answered (P9)", () => {
    expect(ways(COPY_STATES).filter((way) => way.endsWith("→ cancelled"))).toEqual([
      "sent cancel → cancelled",
      "running cancel → cancelled",
    ]);
  });
});

describe("the life of a transaction", () => {
  it("ends refunded, replaced or withdrawn, from which nothing leads back; a commit can be taken back", () => {
    expect(terminal(TRANSACTION_STATES)).toEqual(["refunded", "replaced", "withdrawn"]);
    expect(ways(TRANSACTION_STATES).filter((way) => way.startsWith("committed"))).toEqual([
      "committed revert → discovering",
    ]);
    expect(reachable(TRANSACTION_STATES, "discovering")).toEqual(new Set(Object.keys(TRANSACTION_STATES)));
  });

  it("is sealed from ready alone, and ready after a complete pre-execution alone (P10)", () => {
    expect(ways(TRANSACTION_STATES).filter((way) => /→ (sealed|ready)$/.test(way))).toEqual([
      "discovering complete → ready",
      "ready seal → sealed",
    ]);
  });

  it("is refunded, replaced or withdrawn only while it is in no block", () => {
    const leaving = ways(TRANSACTION_STATES).filter((way) => /→ (refunded|replaced|withdrawn)$/.test(way));
    expect(new Set(leaving.map((way) => way.split(" ")[0]))).toEqual(new Set(["discovering", "racing", "ready"]));
    expect(leaving).toHaveLength(9);
  });
});
