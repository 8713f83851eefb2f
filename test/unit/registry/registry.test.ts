import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { outputNumber, NUMBER_ENCODINGS } from "../../../scheduler/proofs/output-number.ts";
import { describeCallRefusal } from "../../../scheduler/registry/call-check.ts";
import { type RegisteredModel, Registry } from "../../../scheduler/registry/registry.ts";
import type { NodeTerms, Offer } from "../../../scheduler/shared/vocabulary.ts";

const KEY = "11".repeat(32);

function model(id: string, changes: Partial<RegisteredModel> = {}): RegisteredModel {
  const limits = { inputBytes: 64, tokensIn: 16, tokensOut: 8 };
  const rules = { digest: "00".repeat(32), output: "bytes" } as const;
  return { id, modes: ["vanilla", "optimistic"], limits, equivalence: "any", rules, ...changes };
}

const labels = new Map([
  ["h100", "cuda"],
  ["a100", "cuda"],
  ["mi300", "rocm"],
]);
const number = { digest: "00".repeat(32), output: { number: "float32-le", element: 0 } } as const;
const models = [
  model("any"),
  model("same", { equivalence: "hardware" }),
  model("labelled", { equivalence: labels, rules: number }),
];
const listed = { id: "alder-1", key: KEY, operator: "alder", region: "eu-west", hardware: "h100", bondGwei: 5 };

function registryOf(admission: "open" | "listed", offersPerNode = 8): Registry {
  return new Registry({ admission, offersPerNode, models, roots: [], nodes: [listed] });
}

function offer(name: string, mode: Offer["mode"] = "vanilla", priceGwei = 1): Offer {
  return { model: name, mode, priceGwei };
}

function terms(offers: readonly Offer[], changes: Partial<NodeTerms> = {}): NodeTerms {
  const node = { id: "alder-1", key: KEY, operator: "alder", region: "eu-west", hardware: "h100" };
  return { ...node, slots: 4, queueLimit: 8, offers, ...changes };
}

function admitted(registry: Registry, node: NodeTerms) {
  const admission = registry.admit(node);
  if (!admission.ok) throw new Error(`not admitted: ${admission.advice}`);
  return admission;
}

describe("who may join", () => {
  it("is, where admission is listed, only whom the registry lists, under its key", () => {
    const registry = registryOf("listed");
    expect(registry.admit(terms([], { id: "elm-1" }))).toMatchObject({ ok: false, reason: "not-listed" });
    expect(registry.admit(terms([], { key: "22".repeat(32) }))).toMatchObject({ ok: false, reason: "wrong-key" });
    expect(registry.admit(terms([])).ok).toBe(true);
  });

  it("is anybody where it is open, but not under a listed node's name", () => {
    const registry = registryOf("open");
    expect(admitted(registry, terms([], { id: "elm-1", operator: "elm" })).terms.operator).toBe("elm");
    expect(registry.admit(terms([], { key: "22".repeat(32) }))).toMatchObject({ ok: false, reason: "wrong-key" });
  });

  it("cannot make up operators: the registry's word counts, not the node's", () => {
    const claims = { operator: "somebody-else", region: "moon", hardware: "mi300" };
    for (const admission of ["open", "listed"] as const) {
      const { operator, region, hardware } = admitted(registryOf(admission), terms([], claims)).terms;
      expect({ operator, region, hardware }).toEqual({ operator: "alder", region: "eu-west", hardware: "h100" });
    }
  });
});

describe("what a node may offer", () => {
  it("is models of the registry in modes of theirs, each once", () => {
    const asked = [offer("any"), offer("made-up"), offer("any", "tee"), offer("any", "vanilla", 2), offer("same")];
    const { terms: node, stripped } = admitted(registryOf("listed"), terms(asked));
    expect(node.offers).toEqual([offer("any"), { ...offer("same"), equivalence: "h100" }]);
    expect(stripped.map(({ reason }) => reason)).toEqual(["unknown-model", "mode-not-allowed", "offered-twice"]);
  });

  it("is bounded: made-up models take none of the engine's classes, real ones only so many", () => {
    const made = Array.from({ length: 200 }, (_, i) => offer(`made-up-${i}`));
    expect(admitted(registryOf("open"), terms(made, { id: "elm-1" })).terms.offers).toEqual([]);
    const { terms: node, stripped } = admitted(registryOf("listed", 1), terms([offer("any"), offer("same")]));
    expect(node.offers).toEqual([offer("any")]);
    expect(stripped).toEqual([{ model: "same", mode: "vanilla", reason: "too-many-offers" }]);
  });

  it.each([
    ["h100", "cuda"],
    ["a100", "cuda"],
    ["mi300", "rocm"],
  ])("bears the registry's label for its hardware: %s %s", (hardware, equivalence) => {
    const lie = { ...offer("labelled"), equivalence: "whatever-the-others-have" };
    const { terms: node } = admitted(registryOf("open"), terms([lie], { id: "elm-1", hardware }));
    expect(node.offers).toEqual([{ ...offer("labelled"), equivalence }]);
  });

  it("is not a model whose outputs on its hardware nobody knows", () => {
    const node = terms([offer("labelled"), offer("any")], { id: "elm-1", hardware: "tpu" });
    const { terms: taken, stripped } = admitted(registryOf("open"), node);
    expect(taken.offers).toEqual([offer("any")]);
    expect(stripped).toEqual([{ model: "labelled", mode: "vanilla", reason: "unknown-hardware" }]);
  });

  it("has no label where all nodes are alike, whatever the node says", () => {
    const [taken] = admitted(registryOf("listed"), terms([{ ...offer("any"), equivalence: "mine" }])).terms.offers;
    expect(taken).toEqual(offer("any"));
  });
});

describe("which calls are raced", () => {
  const call = {
    callIndex: 3,
    model: "any",
    mode: "vanilla",
    tokensIn: 16,
    tokensOut: 8,
    inputBytes: 64,
    conflict: { kind: "first-valid" },
  } as const;
  const registry = registryOf("open");
  const median = { kind: "median", k: 3, tolerance: 0 } as const;

  it("is those within the limits, which are included", () => {
    expect(registry.refuse(call)).toBeUndefined();
    expect(registry.refuse({ ...call, model: "labelled", conflict: median })).toBeUndefined();
    expect(registry.refuse({ ...call, conflict: { kind: "agree", k: 2 } })).toBeUndefined();
  });

  it.each([
    [{ model: "oracle" }, "unknown-model", "Call 3 asks the model oracle, which is not in the registry."],
    [{ mode: "tee" }, "mode-not-allowed", "It is offered in mode vanilla, optimistic: choose one of these."],
    [{ inputBytes: 65 }, "beyond-limit", "Call 3 has 65 bytes of input; any takes at most 64."],
    [{ tokensIn: 17 }, "beyond-limit", "Call 3 has 17 tokens of input; any takes at most 16."],
    [{ tokensOut: 9 }, "beyond-limit", "Call 3 has 9 tokens of output; any takes at most 8."],
    [{ conflict: median }, "no-number", "what any gives is no number. Ask with first-valid or agree."],
  ] as const)("is not one with %j", (changes, reason, advice) => {
    const refusal = registry.refuse({ ...call, ...changes });
    expect(refusal?.reason).toBe(reason);
    expect(refusal && describeCallRefusal(refusal)).toContain(advice);
  });
});

describe("the number that an output holds", () => {
  const writers = {
    "float32-le": (view: DataView, at: number, value: number) => view.setFloat32(at, value, true),
    "float64-le": (view: DataView, at: number, value: number) => view.setFloat64(at, value, true),
    int8: (view: DataView, at: number, value: number) => view.setInt8(at, value),
    uint8: (view: DataView, at: number, value: number) => view.setUint8(at, value),
    "int16-le": (view: DataView, at: number, value: number) => view.setInt16(at, value, true),
    "int32-le": (view: DataView, at: number, value: number) => view.setInt32(at, value, true),
  };
  const sizes = { "float32-le": 4, "float64-le": 8, int8: 1, uint8: 1, "int16-le": 2, "int32-le": 4 };

  it.each(NUMBER_ENCODINGS)("is the element of that index: %s", (encoding) => {
    fc.assert(
      fc.property(fc.nat(5), fc.integer({ min: 0, max: 127 }), fc.nat(3), (element, value, lead) => {
        // A view into a larger buffer, as payloads often are.
        const bytes = new Uint8Array(lead + 6 * sizes[encoding]).subarray(lead);
        const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
        writers[encoding](view, element * sizes[encoding], value);
        expect(outputNumber({ number: encoding, element }, bytes)).toBe(value);
        expect(outputNumber({ number: encoding, element: 6 }, bytes)).toBeUndefined();
      }),
    );
  });

  it("is none of bytes, of an output too short, or of what is no finite number; and never minus zero", () => {
    const form = { number: "float32-le", element: 0 } as const;
    const of = (value: number) => outputNumber(form, new Uint8Array(new Float32Array([value]).buffer));
    expect([of(Number.NaN), of(Number.POSITIVE_INFINITY), of(Number.NEGATIVE_INFINITY)]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(of(-0)).toBe(0);
    expect(outputNumber(form, new Uint8Array(3))).toBeUndefined();
    expect(outputNumber("bytes", new Uint8Array(64))).toBeUndefined();
  });
});
