import { describe, expect, it } from "vitest";
import { formatQuote } from "../../../scheduler/cli/quote-text.ts";
import { questionOf } from "../../../scheduler/cli/command-quote.ts";
import { type ModeQuote, type Quote, type QuoteQuestion, quoteOf } from "../../../scheduler/live/quote.ts";
import { type RegisteredModel, Registry } from "../../../scheduler/registry/registry.ts";
import type { Mode, Offer } from "../../../scheduler/shared/vocabulary.ts";
import { Bench } from "../engine/bench.ts";

const MODEL: RegisteredModel = {
  id: "m",
  modes: ["vanilla", "optimistic", "tee", "zkml"],
  limits: { inputBytes: 64, tokensIn: 16, tokensOut: 8 },
  equivalence: "any",
  rules: {
    digest: "00".repeat(32),
    output: { number: "uint8", element: 0 },
    tee: { measurements: [], maxAgeMs: 1 },
    zkml: { system: "s", verificationKey: JSON.stringify({ setup: "test setup" }), keyHash: "00".repeat(32) },
  },
};
const root = { pem: "", fingerprint: "00".repeat(32), emulator: true };
const about = { admission: "open", offersPerNode: 8, nodes: [] } as const;
const registry = new Registry({ ...about, models: [MODEL], roots: [root] });

const QUESTION: QuoteQuestion = { model: "m", tokensIn: 1, tokensOut: 1, ttlBlocks: 4 };

/** Offers of the model, each at a price in a mode. */
function offers(prices: Partial<Record<Mode, number>>, equivalence?: string): readonly Offer[] {
  return Object.entries(prices).map(([mode, priceGwei]) => {
    const offer = { model: "m", mode: mode as Mode, priceGwei };
    return equivalence === undefined ? offer : { ...offer, equivalence };
  });
}

function ask(bench: Bench, changes: Partial<QuoteQuestion> = {}): Quote {
  return quoteOf(bench.engine, registry, { ...QUESTION, ...changes }, bench.nowUs);
}

function inMode(quote: Quote, mode: Mode): ModeQuote {
  const found = quote.modes.find((one) => one.mode === mode);
  if (found === undefined) throw new Error(`no quote for ${mode}`);
  return found;
}

const agree = (k: number) => ({ conflict: { kind: "agree", k } }) as const;

/** Four operators at rising prices. */
function four(): Bench {
  const bench = new Bench({ nodes: [] });
  for (const [index, id] of ["a", "b", "c", "d"].entries()) {
    bench.join(id, { offers: offers({ vanilla: 10 + index, optimistic: 20 + index }) });
  }
  return bench;
}

describe("what a call costs", () => {
  it("is the max fee that the cheapest, half, and all of the nodes take", () => {
    expect(inMode(ask(four()), "vanilla").maxFeeGwei).toEqual({ least: 10, median: 11, most: 13 });
  });

  it("is, with a quorum, its share for each: the k-th cheapest operator must take it", () => {
    const bench = four();
    expect(inMode(ask(bench, agree(2)), "vanilla").maxFeeGwei).toEqual({ least: 22, median: 22, most: 26 });
    expect(inMode(ask(bench, agree(4)), "vanilla").maxFeeGwei).toEqual({ least: 52, median: 52, most: 52 });
  });

  it("counts an operator once, however many nodes it has", () => {
    const bench = four();
    for (const id of ["a2", "a3"]) bench.join(id, { operator: "a", offers: offers({ vanilla: 1 }) });
    const vanilla = inMode(ask(bench, agree(2)), "vanilla");
    expect(vanilla).toMatchObject({ nodes: 6, operators: 4, maxFeeGwei: { least: 22 } });
  });

  it("counts for a quorum only operators whose answers can be compared", () => {
    const bench = new Bench({ nodes: [] });
    for (const [id, label] of [
      ["a", "cuda"],
      ["b", "rocm"],
      ["c", "rocm"],
    ] as const) {
      bench.join(id, { offers: offers({ vanilla: id === "a" ? 1 : 9 }, label) });
    }
    expect(inMode(ask(bench, agree(2)), "vanilla").maxFeeGwei?.least).toBe(18);
    const three = inMode(ask(bench, agree(3)), "vanilla");
    expect(three).toMatchObject({ available: false, maxFeeGwei: undefined });
    expect(three.advice).toBe("3 operators must answer, and only 2 can be compared. Ask fewer.");
    expect(three.seal.map(({ probability }) => probability)).toEqual([0, 0, 0, 0]);
  });
});

describe("who can be asked", () => {
  it("is, in mode optimistic, only who has a bond that covers it", () => {
    const bench = four();
    const { bondPerFee } = bench.engine.config.optimistic;
    expect(inMode(ask(bench), "optimistic")).toMatchObject({ available: false, nodes: 0, maxFeeGwei: undefined });
    bench.tell({ kind: "bond-changed", node: "b", bondGwei: 21 * bondPerFee });
    bench.tell({ kind: "bond-changed", node: "c", bondGwei: 22 * bondPerFee - 1 });
    const optimistic = inMode(ask(bench), "optimistic");
    expect(optimistic).toMatchObject({ available: true, nodes: 1, maxFeeGwei: { least: 21, median: 21, most: 21 } });
    expect(optimistic.trustGapBlocks).toBe(bench.engine.config.optimistic.challengeBlocks);
    expect(inMode(ask(bench), "vanilla").trustGapBlocks).toBe(0);
  });

  it("is nobody in a mode that nobody offers, and the quote says so", () => {
    const tee = inMode(ask(four()), "tee");
    expect(tee).toMatchObject({ available: false, nodes: 0, latency: { source: "prior" } });
    expect(tee.advice).toContain("No node offers it now.");
  });

  it("is not a question of modes that the registry does not have for the model", () => {
    const vanilla = new Registry({ ...about, models: [{ ...MODEL, modes: ["vanilla"] }], roots: [] });
    const bench = four();
    expect(quoteOf(bench.engine, vanilla, QUESTION, bench.nowUs).modes.map(({ mode }) => mode)).toEqual(["vanilla"]);
    expect(ask(bench, { model: "oracle" }).modes).toEqual([]);
  });

  it("nobody when the registry refuses the call", () => {
    const long = inMode(ask(four(), { tokensOut: 9 }), "vanilla");
    expect(long).toMatchObject({ available: false });
    expect(long.advice).toContain("m takes at most 8");
  });
});

describe("how long it takes", () => {
  it("is what was learned, where anything was, and else it says that nothing is known", () => {
    const bench = new Bench();
    expect(inMode(ask(bench), "vanilla").latency).toEqual({ source: "prior" });
    const copies = bench.race();
    bench.wait(700);
    const [first] = copies;
    if (first === undefined) throw new Error("no copy was sent");
    bench.win(first);
    const { latency, seal, sealedBy } = inMode(ask(bench), "vanilla");
    if (latency.source !== "learned") throw new Error("nothing was learned");
    expect(latency.observations).toBeGreaterThanOrEqual(1);
    // Within one bucket of 8 %.
    expect(latency.p50Ms).toBeGreaterThanOrEqual(700);
    expect(latency.p50Ms).toBeLessThan(700 * 1.08 ** 2);
    expect(seal.map(({ height }) => height)).toEqual([1, 2, 3, 4]);
    // Half a second per block: the open one is over before an answer can come.
    expect(seal[0]?.probability).toBe(0);
    const by90 = seal.find(({ probability }) => probability >= 0.9)?.height;
    expect(sealedBy.p90).toBe(by90);
  });

  it("is the same that an estimate says of the transaction", () => {
    const bench = four();
    const calls = [{ digest: "d", inputHash: "i", maxFeeGwei: 99, validityBlocks: 8, tokensIn: 1, tokensOut: 1 }].map(
      (call) => ({ ...call, model: "m", mode: "vanilla", conflict: { kind: "first-valid" } }) as const,
    );
    const terms = { hash: "h", sender: "s", nonce: 0, gasPriceGwei: 1, ttlBlocks: 4, escrowGwei: 99, calls };
    expect(inMode(ask(bench), "vanilla").seal).toEqual(bench.engine.estimate(terms, bench.nowUs));
  });

  it.each([0, -1, 1.5, 1_025, Number.NaN])("cannot be asked for %d blocks", (ttlBlocks) => {
    expect(() => ask(four(), { ttlBlocks })).toThrow(RangeError);
  });
});

describe("what it is worth", () => {
  it("is said in a sentence, with what it is not worth here", () => {
    const quote = ask(four());
    expect(new Set(quote.modes.map(({ guarantee }) => guarantee)).size).toBe(4);
    expect(inMode(quote, "tee").caveat).toContain("emulated here, which protects nothing");
    expect(inMode(quote, "zkml").caveat).toContain("test setup");
    expect(inMode(quote, "vanilla").caveat).toBeUndefined();
    const real = new Registry({ ...about, models: [MODEL], roots: [{ ...root, emulator: false }] });
    expect(inMode(quoteOf(four().engine, real, QUESTION, 0), "tee").caveat).toBeUndefined();
  });
});

describe("the table", () => {
  it("has a column for each mode, within 80 columns", () => {
    const text = formatQuote(ask(four()), { source: "as it was left" });
    const table = text.slice(0, text.indexOf("\n\n", text.indexOf("vanilla")));
    expect(table.split("\n").filter((line) => line.length > 80)).toEqual([]);
    expect(table).toMatch(/^ +vanilla +optimistic +tee +zkml$/m);
    expect(table).toMatch(/^ {2}nodes \(operators\) +4 \(4\) +0 \(0\) +0 \(0\) +0 \(0\)$/m);
    expect(table).toMatch(/^ {2}max fee: lowest, gwei +10 +– +– +–$/m);
    expect(table).toMatch(/^ {2}sealed, 90 % sure, by +\+0 +not in time/m);
    expect(text).toContain("NOT AVAILABLE: No node that is here has a free bond for it.");
    expect(text.startsWith("m, the first valid answer wins; as it was left\n")).toBe(true);
  });
});

describe("a question on the command line", () => {
  const given = { model: "m", tokensIn: 16, tokensOut: 16, conflict: "first-valid", ttl: 24 };

  it.each([
    ["first-valid", { kind: "first-valid" }],
    ["agree:2", { kind: "agree", k: 2 }],
    ["median:3:0.05", { kind: "median", k: 3, tolerance: 0.05 }],
    ["median:5:0", { kind: "median", k: 5, tolerance: 0 }],
  ])("reads the rule %s", (conflict, rule) => {
    expect(questionOf({ ...given, conflict })).toMatchObject({ conflict: rule, ttlBlocks: 24 });
  });

  it.each([
    [{ conflict: "agree" }, '--conflict: "agree" is no rule.'],
    [{ conflict: "agree:0" }, "with 1 to 5 operators"],
    [{ conflict: "agree:6" }, "with 1 to 5 operators"],
    [{ conflict: "median:3" }, "is no rule"],
    [{ conflict: "median:3:-1" }, "is no rule"],
    [{ conflict: "median:3:1e9" }, "is no rule"],
    [{ ttl: 0 }, "--ttl 0 is out of range: give 1 to 1024."],
    [{ tokensIn: -1 }, "--tokens-in -1 is out of range"],
  ])("refuses %j with what would be right", (changes, message) => {
    expect(questionOf({ ...given, ...changes })).toContain(message);
  });
});
