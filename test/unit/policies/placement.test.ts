import { describe, expect, it } from "vitest";
import { type Candidate, type PlacementSpec, placementOf } from "../../../policies/index.ts";
import { Random } from "../../../scheduler/shared/random.ts";
import { chiSquare } from "../shared/chi-square.ts";

interface Node extends Candidate {
  readonly name: string;
}

/** By default alone in its failure domain, warm, idle, with one slot and no queue. */
function node(name: string, changes: Partial<Candidate> & { readonly cold?: boolean } = {}): Node {
  const { cold = false, ...rest } = changes;
  const base = { operator: `operator of ${name}`, region: `region of ${name}`, load: 0, slots: 1, queueLimit: 0 };
  return { name, ...base, isWarm: (model) => model === "m" && !cold, ...rest };
}

/** Names chosen over many draws, with how often. */
function chosen(kind: PlacementSpec["kind"], nodes: readonly Node[], taken: readonly Node[] = [], draws = 200) {
  const placement = placementOf({ kind });
  const random = new Random(17);
  const counts = new Map<string, number>();
  for (let draw = 0; draw < draws; draw++) {
    const name = nodes[placement.choose(nodes, taken, "m", random)]?.name ?? "none";
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}

function onlyChosen(kind: PlacementSpec["kind"], nodes: readonly Node[], taken: readonly Node[] = []): string[] {
  return [...chosen(kind, nodes, taken).keys()].sort();
}

const BOTH = ["least-loaded", "random"] as const;

describe.each(BOTH)("placement %s", (kind) => {
  it("never chooses a node that is full, has no slots, or runs a copy of the race already", () => {
    const used = node("used");
    const nodes = [
      node("full", { load: 3, slots: 2, queueLimit: 1 }),
      node("overfull", { load: 9 }),
      node("no slots", { slots: 0, queueLimit: 9 }),
      used,
      node("last place", { load: 2, slots: 2, queueLimit: 1, cold: true }),
    ];
    expect(onlyChosen(kind, nodes, [used])).toEqual(["last place"]);
    expect(onlyChosen(kind, nodes.slice(0, 4), [used])).toEqual(["none"]);
    expect(onlyChosen(kind, [])).toEqual(["none"]);
  });

  it("chooses the same for the same state of the generator", () => {
    const nodes = Array.from({ length: 9 }, (_, index) => node(`${index}`));
    expect(chosen(kind, nodes)).toEqual(chosen(kind, nodes));
  });
});

describe("placement least-loaded", () => {
  const taken = [node("taken", { operator: "A", region: "x" })];

  it("prefers another operator, whatever it costs in region, load and warmth", () => {
    const nodes = [
      node("same operator", { operator: "A", slots: 8 }),
      node("other operator", { operator: "B", region: "x", load: 7, slots: 1, queueLimit: 9, cold: true }),
    ];
    expect(onlyChosen("least-loaded", nodes, taken)).toEqual(["other operator"]);
  });

  it("prefers among other operators another region, whatever it costs in load and warmth", () => {
    const nodes = [
      node("same region", { operator: "B", region: "x" }),
      node("other region", { operator: "C", region: "y", load: 7, queueLimit: 9, cold: true }),
    ];
    expect(onlyChosen("least-loaded", nodes, taken)).toEqual(["other region"]);
  });

  it("shares an operator when there is no other, rather than not to launch", () => {
    expect(onlyChosen("least-loaded", [node("same", { operator: "A" })], taken)).toEqual(["same"]);
  });

  it("counts how many copies of the race an operator has already", () => {
    const copies = [node("a1", { operator: "A" }), node("a2", { operator: "A" }), node("b1", { operator: "B" })];
    const nodes = [node("A again", { operator: "A" }), node("B again", { operator: "B", load: 5, queueLimit: 9 })];
    expect(onlyChosen("least-loaded", nodes, copies)).toEqual(["B again"]);
  });

  it("goes by load per slot", () => {
    const nodes = [node("half full", { load: 1, slots: 2 }), node("a quarter full", { load: 2, slots: 8 })];
    expect(onlyChosen("least-loaded", nodes)).toEqual(["a quarter full"]);
  });

  it("takes a warm node before a cold one, unless it would wait longer there than the model takes to load", () => {
    const busy = { queueLimit: 9 };
    const cold = node("cold", { cold: true });
    expect(onlyChosen("least-loaded", [cold, node("warm", { load: 1, ...busy })])).toEqual(["warm"]);
    expect(onlyChosen("least-loaded", [cold, node("warm", { load: 3, ...busy })])).toEqual(["cold"]);
  });

  it("breaks ties evenly", () => {
    const nodes = [...Array.from({ length: 6 }, (_, index) => node(`${index}`)), node("loaded", { load: 1, slots: 2 })];
    const counts = chosen("least-loaded", nodes, [], 6_000);
    expect(counts.size).toBe(6);
    expect(chiSquare([...counts.values()])).toBe("uniform");
  });
});

describe("placement random", () => {
  it("is uniform over the nodes that have room, whatever their domain, load and warmth", () => {
    const taken = [node("taken", { operator: "A", region: "x" })];
    const nodes = [
      node("same operator", { operator: "A" }),
      node("same region", { region: "x" }),
      node("loaded", { load: 5, queueLimit: 9 }),
      node("cold", { cold: true }),
      node("free", { slots: 64 }),
      node("full", { load: 1 }),
      ...taken,
    ];
    const counts = chosen("random", nodes, taken, 6_000);
    expect([...counts.keys()].sort()).toEqual(["cold", "free", "loaded", "same operator", "same region"]);
    expect(chiSquare([...counts.values()])).toBe("uniform");
  });

  it("is uniform, too, where only a few of very many have room, so that guessing does not find them", () => {
    const full = Array.from({ length: 300 }, (_, index) => node(`full ${index}`, { load: 1 }));
    const nodes = [node("first"), ...full, node("middle"), ...full, node("last")];
    const counts = chosen("random", nodes, [], 3_000);
    expect([...counts.keys()].sort()).toEqual(["first", "last", "middle"]);
    expect(chiSquare([...counts.values()])).toBe("uniform");
  });
});
