import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Candidate,
  NodeRecord,
  PLACEMENT_BOUNDS,
  PLACEMENT_DEFAULTS,
  type PlacementSpec,
  placementOf,
  requirePlacement,
} from "../../../policies/index.ts";
import { Random } from "../../../scheduler/shared/random.ts";
import { chiSquare } from "../shared/chi-square.ts";

interface Node extends Candidate {
  readonly name: string;
}

interface Changes extends Partial<Omit<Candidate, "record" | "priceGwei">> {
  readonly cold?: boolean;
  readonly price?: number;
  readonly record?: Partial<NodeRecord>;
}

/** By default alone in its failure domain, warm, idle, unknown, with one slot and no queue. */
function node(name: string, { cold = false, price = 10, record, ...rest }: Changes = {}): Node {
  const base = { operator: `operator of ${name}`, region: `region of ${name}`, load: 0, slots: 1, queueLimit: 0 };
  const known = Object.assign(new NodeRecord(), record);
  return {
    name,
    ...base,
    outstanding: rest.load ?? 0,
    isWarm: (model) => model === "m" && !cold,
    priceGwei: () => price,
    ...rest,
    record: known,
  };
}

/** A node known to take so many times as long as usual. */
function paced(name: string, pace: number, changes: Changes = {}): Node {
  return node(name, { queueLimit: 99, record: { response: pace, service: pace, seen: 9, askedUs: 1 }, ...changes });
}

type Kind = PlacementSpec["kind"] | PlacementSpec;
const ASKED = { model: "m", mode: "vanilla" } as const;

/** Names chosen over many draws, with how often. */
function chosen(kind: Kind, nodes: readonly Node[], taken: readonly Node[] = [], draws = 200) {
  const placement = placementOf(typeof kind === "string" ? ({ kind } as PlacementSpec) : kind);
  const random = new Random(17);
  const counts = new Map<string, number>();
  for (let draw = 0; draw < draws; draw++) {
    const name = nodes[placement.choose(nodes, taken, ASKED, random)]?.name ?? "none";
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}

function onlyChosen(kind: Kind, nodes: readonly Node[], taken: readonly Node[] = []): string[] {
  return [...chosen(kind, nodes, taken).keys()].sort();
}

const ALL = ["least-loaded", "random", "power-of-d", "c3", "prequal", "price-aware"] as const;
/** Without the nodes that only exploration would choose. */
const C3 = { kind: "c3", explore: 0 } as const;
const PREQUAL = { kind: "prequal", explore: 0 } as const;
const PRICE = { kind: "price-aware", explore: 0 } as const;

describe.each(ALL)("placement %s", (kind) => {
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

describe.each([{ kind: "power-of-d", choices: 64 }, C3, PREQUAL, PRICE] as const)("placement $kind", (spec) => {
  const taken = [node("taken", { operator: "A", region: "x" })];

  it("takes another operator if there is one with room, and among those another region, whatever speaks against it", () => {
    const bad = { load: 7, queueLimit: 9, cold: true, price: 99 };
    const nodes = [
      node("same operator", { operator: "A" }),
      node("same region", { operator: "B", region: "x", ...bad }),
      node("elsewhere", { operator: "C", region: "y", ...bad }),
    ];
    expect(onlyChosen(spec, nodes, taken)).toEqual(["elsewhere"]);
    expect(onlyChosen(spec, nodes.slice(0, 2), taken)).toEqual(["same region"]);
    expect(onlyChosen(spec, nodes.slice(0, 1), taken)).toEqual(["same operator"]);
  });

  it("goes round a loaded node, and takes a warm one before a cold one", () => {
    const nodes = [
      node("loaded", { load: 1, slots: 2 }),
      node("cold", { cold: true, slots: 2 }),
      node("free", { slots: 2 }),
    ];
    if (spec.kind !== "prequal" && spec.kind !== "price-aware") expect(onlyChosen(spec, nodes)).toEqual(["free"]);
    expect(onlyChosen(spec, nodes)).not.toContain("cold");
  });
});

describe("placement power-of-d", () => {
  const nodes = Array.from({ length: 10 }, (_, index) => node(`${index}`, { load: index, queueLimit: 99 }));

  it("takes the better of two that are drawn at random, so that the best of ten gets two in ten, and the worst none", () => {
    const counts = chosen("power-of-d", nodes, [], 9_000);
    // Of the 45 pairs, 9 − i have node i as their better one.
    const expected = nodes.map((_, index) => 200 * (9 - index));
    for (const [index, count] of expected.entries()) expect(counts.get(`${index}`) ?? 0).toBeCloseTo(count, -2.3);
  });

  it("draws from the freest domains only, in small and in large fleets", () => {
    const crowd = Array.from({ length: 200 }, (_, index) => node(`same ${index}`, { operator: "A" }));
    const taken = [node("taken", { operator: "A" })];
    const other = node("other", { load: 5, queueLimit: 9 });
    expect(onlyChosen("power-of-d", [...crowd, other], taken)).toEqual(["other"]);
    expect(onlyChosen("power-of-d", [crowd[0] as Node, other], taken)).toEqual(["other"]);
  });
});

describe("placement c3", () => {
  it("takes the faster of two that are free, and leaves it alone when its queue's cube outweighs that", () => {
    const fast = (load: number): Node => paced("fast", 0.5, { load });
    const slow = paced("slow", 3);
    expect(onlyChosen(C3, [fast(0), slow])).toEqual(["fast"]);
    // (1 + 1)³ · 0.5 = 4 > 3.
    expect(onlyChosen(C3, [fast(1), slow])).toEqual(["slow"]);
  });

  it("counts what it sent for each scheduler, and what the node reports besides once", () => {
    const sent = paced("sent", 1, { load: 2, outstanding: 2 });
    const reported = paced("reported", 1, { load: 2, outstanding: 0 });
    expect(onlyChosen(C3, [sent, reported])).toEqual(["reported", "sent"]);
    expect(onlyChosen({ ...C3, schedulers: 3 }, [sent, reported])).toEqual(["reported"]);
  });

  it("adds what a node's answers took beyond its service", () => {
    const far = paced("far", 1, { record: { response: 1.5, service: 1 } });
    expect(onlyChosen(C3, [far, paced("near", 1)])).toEqual(["near"]);
  });
});

describe("placement prequal", () => {
  const busy = Array.from({ length: 8 }, (_, index) => paced(`busy ${index}`, 1, { load: 2 }));

  it("takes the fastest of those that are not hot", () => {
    expect(onlyChosen(PREQUAL, [...busy, paced("fast", 0.5, { load: 2 })])).toEqual(["fast"]);
    expect(onlyChosen(PREQUAL, [...busy, paced("fast but hot", 0.01, { load: 3 })])).not.toContain("fast but hot");
  });

  it("counts the queue in front of a copy as time", () => {
    const nodes = [...busy, paced("quick with a queue", 0.9, { load: 4 }), paced("hot", 9, { load: 9 })];
    expect(onlyChosen({ ...PREQUAL, hotQuantile: 0.95 }, nodes)).not.toContain("quick with a queue");
  });

  it("looks at latency alone with quantile 1, at requests in flight first with quantile 0", () => {
    const nodes = [paced("idle", 9), ...busy, paced("fast", 0.01, { load: 5 })];
    expect(onlyChosen({ ...PREQUAL, hotQuantile: 1 }, nodes)).toEqual(["fast"]);
    expect(onlyChosen({ ...PREQUAL, hotQuantile: 0 }, nodes)).toEqual(["idle"]);
  });
});

describe("placement price-aware", () => {
  const dear = paced("dear and quick", 0.4, { price: 15 });
  const cheap = paced("cheap and slow", 1.5, { price: 10 });

  it("weighs price against time", () => {
    expect(onlyChosen({ ...PRICE, weight: 0 }, [dear, cheap])).toEqual(["cheap and slow"]);
    // 1.5 + 0.4 = 1.9 against 1 + 1.5 = 2.5.
    expect(onlyChosen(PRICE, [dear, cheap])).toEqual(["dear and quick"]);
    expect(onlyChosen({ ...PRICE, weight: 0.4 }, [dear, cheap])).toEqual(["cheap and slow"]);
  });

  it("can weigh what costs nothing", () => {
    expect(onlyChosen(PRICE, [paced("free", 1, { price: 0 }), paced("one gwei", 1, { price: 1 })])).toEqual(["free"]);
  });
});

describe("nodes that fail at once", () => {
  it.each([C3, PREQUAL, PRICE])("do not draw copies in with $kind", (spec) => {
    const sink = node("sink", { queueLimit: 99 });
    for (let copy = 0; copy < 12; copy++) sink.record.failed();
    const busy = Array.from({ length: 9 }, (_, index) => paced(`busy ${index}`, 1, { load: 2 }));
    expect(onlyChosen(spec, [sink, ...busy])).not.toContain("sink");
    for (let copy = 0; copy < 20; copy++) sink.record.succeeded();
    expect(onlyChosen(spec, [sink, ...busy])).toEqual(["sink"]);
  });
});

describe("exploration", () => {
  it("gives its share, and no more, to who was asked least recently: newcomers first", () => {
    const nodes = [paced("fast", 0.1), paced("slow", 9), node("new", { record: { service: 9, response: 9 } })];
    for (const spec of [C3, PREQUAL, PRICE]) {
      const counts = chosen({ ...spec, explore: 0.1 }, nodes, [], 5_000);
      expect([...counts.keys()].sort()).toEqual(["fast", "new"]);
      expect((counts.get("new") ?? 0) / 5_000).toBeCloseTo(0.1, 1.5);
    }
  });
});

describe("what is no placement", () => {
  it.each([
    [{ kind: "best" }, "there are least-loaded, random, power-of-d"],
    [{ kind: "power-of-d", choices: 1.5 }, "choices must be a whole number from 1 to 64"],
    [{ kind: "prequal", hotQuantile: 84 }, "hotQuantile must be a number from 0 to 1"],
    [{ kind: "c3", explore: "often" }, "explore must be a number from 0 to 1"],
    [{ kind: "random", explore: 0.1 }, "random has no explore"],
  ])("%j is told why", (spec, reason) => {
    expect(() => requirePlacement(spec as PlacementSpec)).toThrow(reason);
  });

  it("is not what the defaults say", () => {
    for (const [name, [least, most]] of Object.entries(PLACEMENT_BOUNDS)) {
      const usual = PLACEMENT_DEFAULTS[name as keyof typeof PLACEMENT_DEFAULTS];
      expect(usual >= least && usual <= most).toBe(true);
    }
    for (const kind of ALL) expect(() => requirePlacement({ kind })).not.toThrow();
  });
});

describe("any placement", () => {
  const nodes = fc.record({
    operator: fc.constantFrom("A", "B", "C", "D"),
    region: fc.constantFrom("x", "y"),
    load: fc.nat(4),
    slots: fc.nat(3),
    queueLimit: fc.nat(2),
    cold: fc.boolean(),
    price: fc.nat(30),
    record: fc.record({
      response: fc.double({ min: 0, max: 50, noNaN: true }),
      service: fc.double({ min: 0, max: 50, noNaN: true }),
      failures: fc.double({ min: 0, max: 1, noNaN: true }),
      askedUs: fc.nat(3),
    }),
  });
  const specs = fc.constantFrom<PlacementSpec[]>(
    { kind: "least-loaded" },
    { kind: "random" },
    { kind: "power-of-d" },
    { kind: "power-of-d", choices: 1 },
    { kind: "c3", explore: 0.5 },
    { kind: "prequal", explore: 0.5, pool: 3, hotQuantile: 0 },
    { kind: "price-aware", explore: 0.5, weight: 0 },
  );

  it("chooses a node that has room and that the race does not use, of another operator if it can, if there is one", () => {
    const drawn = fc.record({
      spec: specs,
      fleet: fc.array(nodes, { maxLength: 90 }),
      used: fc.array(fc.nat(9)),
      seed: fc.nat(),
    });
    const check = ({ spec, fleet, used, seed }: typeof drawn extends fc.Arbitrary<infer T> ? T : never): void => {
      const all = fleet.map((changes, index) => node(`${index}`, changes));
      const taken = all.filter((_, index) => used.includes(index));
      const free = all.filter((one) => one.slots > 0 && one.load < one.slots + one.queueLimit && !taken.includes(one));
      const choice = all[placementOf(spec).choose(all, taken, ASKED, new Random(seed))];
      if (free.length === 0) expect(choice).toBeUndefined();
      else expect(free).toContain(choice);
      if (spec.kind === "random" || choice === undefined) return;
      const elsewhere = free.filter(({ operator }) => taken.every((other) => other.operator !== operator));
      if (elsewhere.length > 0) expect(elsewhere).toContain(choice);
      const apart = elsewhere.filter(({ region }) => taken.every((other) => other.region !== region));
      if (apart.length > 0) expect(apart).toContain(choice);
    };
    fc.assert(fc.property(drawn, check), { numRuns: 1_000 });
  });
});
