import { describe, expect, it } from "vitest";
import { type EvmOutcome, Outcomes } from "../../../scheduler/evm/outcomes.ts";

const dropped = (reason: string): EvmOutcome => ({ state: "dropped", reason, advice: "Sign it again." });

describe("outcomes", () => {
  it("are the latest of each transaction, as many as are kept, the oldest forgotten first", () => {
    const outcomes = new Outcomes(2);
    outcomes.note("one", dropped("first"));
    outcomes.note("two", dropped("second"));
    // It is the youngest now.
    outcomes.note("one", dropped("once more"));
    outcomes.note("three", dropped("third"));
    expect(outcomes.get("one")).toEqual(dropped("once more"));
    expect(outcomes.get("two")).toBeUndefined();
    expect(outcomes.get("three")).toEqual(dropped("third"));
  });

  it("say why the last run failed where nothing else is said, once", () => {
    const outcomes = new Outcomes(4);
    outcomes.failed("one", "ran for more than 300 ms");
    expect(outcomes.get("one")).toBeUndefined();
    outcomes.note("one", { state: "refunded", reason: "", advice: "" });
    expect(outcomes.get("one")).toEqual({ state: "refunded", reason: "ran for more than 300 ms", advice: "" });
    outcomes.note("one", { state: "refunded", reason: "", advice: "" });
    expect(outcomes.get("one")?.reason).toBe("");
  });

  it("keep what is said over what a run before it failed of", () => {
    const outcomes = new Outcomes(4);
    outcomes.failed("one", "an old failure");
    outcomes.note("one", dropped("its nonce is used"));
    expect(outcomes.get("one")?.reason).toBe("its nonce is used");
  });

  it("are gone, with failures, when the transaction is known again", () => {
    const outcomes = new Outcomes(4);
    outcomes.note("one", dropped("gone"));
    outcomes.failed("one", "failed");
    outcomes.forget("one");
    expect(outcomes.get("one")).toBeUndefined();
    outcomes.note("one", { state: "refunded", reason: "", advice: "" });
    expect(outcomes.get("one")?.reason).toBe("");
  });

  it("keep as many failures as outcomes", () => {
    const outcomes = new Outcomes(1);
    outcomes.failed("one", "first");
    outcomes.failed("two", "second");
    outcomes.note("one", { state: "refunded", reason: "", advice: "" });
    expect(outcomes.get("one")?.reason).toBe("");
    outcomes.note("two", { state: "refunded", reason: "", advice: "" });
    expect(outcomes.get("two")?.reason).toBe("second");
  });
});
