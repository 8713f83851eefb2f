import fc from "fast-check";
import { build, encodeIntoCompressedBase64 } from "hdr-histogram-js";
import { describe, expect, it } from "vitest";
import { parseExperimentFile } from "../../../sim/experiment/parse.ts";
import { coarser, racesOf, survivalOf } from "../../../sim/report/curves.ts";
import { compareExperiments } from "../../../sim/report/dimensions.ts";
import { experimentText } from "../../../sim/report/experiment-text.ts";
import { paretoFrontier } from "../../../sim/report/frontier.ts";
import { embeddedJson, embeddedScript, html } from "../../../sim/report/markup.ts";
import type { Experiment } from "../../../sim/experiment/types.ts";
import { sweepOf } from "../../../sim/report/points.ts";
import { estimateText, metricLabel, policyName } from "../../../sim/report/wording.ts";
import { recordsOf, SMALL_SWEEP } from "../../support/report-records.ts";

describe("markup", () => {
  it("leaves nothing of a text that HTML would take for more than text", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const { text: page } = html`<p title="${text}">${text}</p>`;
        expect(page.slice(3, -4)).not.toMatch(/<|(?<!title=)"(?!>)/);
        const unescaped = page
          .slice(page.indexOf('">') + 2, -4)
          .replaceAll("&lt;", "<")
          .replaceAll("&gt;", ">")
          .replaceAll("&quot;", '"')
          .replaceAll("&#39;", "'")
          .replaceAll("&amp;", "&");
        expect(unescaped).toBe(text);
      }),
    );
  });

  it("embeds any data so that a JSON parser gives it back, and no element ends in it", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom("</script>", "<!--", "<script>", ""), (value, hostile) => {
        const data = { value, [hostile]: hostile };
        const { text } = embeddedJson("data", data);
        const inside = text.slice(text.indexOf(">") + 1, text.lastIndexOf("</script>"));
        expect(inside).not.toContain("<");
        expect(JSON.parse(inside)).toEqual(JSON.parse(JSON.stringify(data)));
      }),
    );
  });

  it("keeps a program's literals what they were", () => {
    const { text } = embeddedScript('const end = "</script>";', "classic");
    expect(text).toBe('<script>const end = "<\\/script>";</script>');
  });
});

describe("what experiments share", () => {
  it("is taken apart key by key in sections that are alike, and as a whole in others", () => {
    const base = { jobs: 1, arrivals: { kind: "poisson", ratePerS: 2 }, policy: { kind: "fixed", copies: 1 } };
    const other = {
      ...base,
      arrivals: { kind: "poisson", ratePerS: 3 },
      policy: { kind: "hedge", delayMs: 5, maxCopies: 2 },
    };
    expect(compareExperiments([base, other])).toEqual({
      common: { jobs: 1, arrivals: { kind: "poisson" } },
      paths: ["arrivals.ratePerS", "policy"],
      differing: [
        { "arrivals.ratePerS": 2, policy: base.policy },
        { "arrivals.ratePerS": 3, policy: other.policy },
      ],
    });
  });

  it("leaves out what an experiment does not have, and does not mind the order of keys", () => {
    const found = compareExperiments([
      { a: 1, deadlineMs: 5, b: { x: 1, y: 2 } },
      { b: { y: 2, x: 1 }, a: 1 },
    ]);
    expect(found).toEqual({
      common: { a: 1, b: { x: 1, y: 2 } },
      paths: ["deadlineMs"],
      differing: [{ deadlineMs: 5 }, {}],
    });
  });
});

describe("the experiment file of a report", () => {
  /** Points that differ in whole sections, and in keys that some of them lack. */
  const unlike = `sweep:
  list:
    - { arrivals: { kind: gamma, ratePerS: 2, cv: 3 }, deadlineMs: none }
    - { blocks: none, budget: { ratio: 0.2, burstMs: 5000 } }
    - { service.meanMs: 2000, seed: 7, policy: { kind: hedge, delayMs: 700, maxCopies: 3 } }
`;

  it.each([
    ["a grid", SMALL_SWEEP],
    ["unlike points", SMALL_SWEEP.slice(0, SMALL_SWEEP.indexOf("sweep:")) + unlike],
  ])("of %s gives every point again", (_, text) => {
    const records = recordsOf(text);
    const parsed = parseExperimentFile(experimentText(sweepOf(records)), "/");
    expect(parsed).toMatchObject({ ok: true });
    if (!parsed.ok) return;
    // The page has an order of its own.
    const inOrder = (experiments: readonly Experiment[]) =>
      experiments.map((experiment) => [JSON.stringify([experiment.arrivals, experiment.policy]), experiment]).sort();
    expect(inOrder(parsed.value.points.map(({ experiment }) => experiment))).toEqual(
      inOrder(records.map(({ experiment }) => experiment)),
    );
  });

  it("of a single point has no sweep", () => {
    const [record] = recordsOf();
    const parsed = parseExperimentFile(experimentText(sweepOf([record as never])), "/");
    expect(parsed).toMatchObject({ ok: true, value: { points: [], experiment: record?.experiment } });
  });
});

describe("the Pareto frontier", () => {
  it("is what no other choice dominates", () => {
    const choice = fc.record({ cost: fc.nat(20), gain: fc.nat(20) });
    fc.assert(
      fc.property(fc.array(choice, { maxLength: 40 }), (choices) => {
        const dominated = (a: (typeof choices)[number]): boolean =>
          choices.some((b) => b.cost <= a.cost && b.gain >= a.gain && (b.cost < a.cost || b.gain > a.gain));
        const expected = choices.filter((one) => !dominated(one));
        expect(new Set(paretoFrontier(choices))).toEqual(new Set(expected));
      }),
    );
  });
});

describe("the curve of response times", () => {
  it("says of each time which share of the jobs took longer, to three digits", () => {
    const times = fc.array(fc.integer({ min: 1, max: 10_000_000 }), { minLength: 1, maxLength: 300 });
    fc.assert(
      fc.property(times, (responsesUs) => {
        const histogram = build({
          highestTrackableValue: 3_600_000_000,
          numberOfSignificantValueDigits: 3,
          bitBucketSize: 32,
        });
        for (const us of responsesUs) histogram.recordValue(us);
        const { ms, share, jobs } = survivalOf(encodeIntoCompressedBase64(histogram));
        expect(jobs).toBe(responsesUs.length);
        for (const [index, time] of ms.entries()) {
          // What the histogram takes for the same time lies within a thousandth.
          const longer = (us: number): number => responsesUs.filter((one) => one > us).length / jobs;
          expect(share[index]).toBeLessThanOrEqual(longer(time * 1_000 * 0.999 - 1));
          expect(share[index]).toBeGreaterThanOrEqual(longer(time * 1_000 * 1.001 + 1));
        }
        expect(share).toEqual(share.toSorted((a, b) => b - a));
      }),
    );
  });
});

describe("what is thinned", () => {
  it("keeps the sums of blocks in fewer stretches", () => {
    const counts = fc.array(fc.nat(9), { minLength: 1, maxLength: 100 });
    fc.assert(
      fc.property(counts, fc.integer({ min: 1, max: 40 }), (sealed, most) => {
        const series = { stretchUs: 5, blocks: sealed, sealed, blocksLate: sealed, refunded: sealed, lateness: [1] };
        const coarse = coarser(series, most);
        expect(coarse.sealed.length).toBeLessThanOrEqual(most);
        const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
        expect(sum(coarse.sealed)).toBe(sum(sealed));
        expect(coarse.stretchUs * coarse.blocks.length).toBeGreaterThanOrEqual(5 * sealed.length);
      }),
    );
  });

  it("takes the first races to come", () => {
    const races = [3, 1, 2].map((job) => ({ job, openedUs: job * 1_000, decidedUs: job * 1_000 + 500, copies: [] }));
    expect(racesOf(races, 2)).toEqual([
      { job: 1, openedMs: 1, decidedMs: 0.5, copies: [] },
      { job: 2, openedMs: 2, decidedMs: 0.5, copies: [] },
    ]);
  });
});

describe("words and figures", () => {
  it.each([
    [0.987654, [0.98712, 0.98812], { mean: "0.98765", ends: ["0.98712", "0.98812"] }],
    [2_882.008, [2_853.37, 2_910.64], { mean: "2882", ends: ["2853", "2911"] }],
    [12_345.6, [12_000, 12_700], { mean: "12,346", ends: ["12,000", "12,700"] }],
    [1, [1, 1], { mean: "1", ends: ["1", "1"] }],
  ] as const)("%d in %j has the digits that its interval allows", (mean, ci95, expected) => {
    expect(estimateText(mean, ci95)).toEqual(expected);
  });

  it("has no interval where there is none", () => {
    expect(estimateText(5.5, null)).toEqual({ mean: "5.5", ends: [] });
  });

  it("names policies, known metrics and metrics yet unknown", () => {
    expect(policyName({ kind: "fixed", copies: 1 })).toBe("1 copy");
    expect(policyName({ kind: "hedge", delayMs: 2_500, maxCopies: 3 })).toBe("hedge at 2.5 s, up to 3");
    expect(policyName({ kind: "learned", target: 0.99 } as never)).toBe("learned target 0.99");
    expect(["onTime", "goldPerJob"].map(metricLabel)).toEqual(["on time", "goldPerJob"]);
  });
});
