import { describe, expect, it } from "vitest";
import { scriptedContract } from "../../support/evm/scripted-evm.ts";
import { exampleContract } from "../../support/solidity.ts";
import { hexOf } from "./calldata.ts";

/** The examples' contracts with answers from a script; that real nodes give such is shown by the tests of the whole. */
const float32 = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);

describe("RiskRebalancer", () => {
  const market = Array.from({ length: 16 }, (_, index) => BigInt(index * 125_000 - 1_000_000));
  const position = "0x8081828384858687";

  async function rebalance(quick: number, proved: number) {
    const call = await scriptedContract(exampleContract("RiskRebalancer"), { valueWei: 1_280n });
    const done = await call("rebalance", [market, position], ({ mode }) =>
      mode === "tee" ? float32(quick) : Uint8Array.of(proved),
    );
    const kept = await call("safe", [], () => undefined);
    return { ...done, safe: kept.result };
  }

  it("asks an enclave first, and moves money on the proved score alone", async () => {
    const { asked, events, safe } = await rebalance(0.75, 191);
    expect(asked).toMatchObject([
      { model: "risk-small", mode: "tee", input: float32(...market.map((value) => Number(value) / 1e6)) },
      { model: "risk-tiny", mode: "zkml", input: Uint8Array.of(128, 129, 130, 131, 132, 133, 134, 135) },
    ]);
    expect(events).toEqual([{ probability: 750_000n }, { amountWei: 640n, probability: 750_000n, provedScore: 191n }]);
    expect(safe).toBe(640n);
  });

  it("asks for no proof while all is quiet, and moves nothing that the proof does not bear out", async () => {
    expect(await rebalance(0.25, 255)).toMatchObject({ asked: [{ mode: "tee" }], safe: 0n });
    expect(await rebalance(0.75, 127)).toMatchObject({ asked: [{ mode: "tee" }, { mode: "zkml" }], safe: 0n });
    expect(await rebalance(0.75, 255)).toMatchObject({ safe: 1_280n });
  });
});

describe("TwoStep", () => {
  it("asks about the first answer", async () => {
    const call = await scriptedContract(exampleContract("TwoStep"));
    const first = float32(...Array.from({ length: 32 }, (_, index) => index));
    const second = float32(...Array<number>(32).fill(7));
    const question = new Uint8Array(256);
    const { asked, events } = await call("run", [hexOf(question)], ({ input }) =>
      input.every((byte) => byte === 0) ? first : second,
    );
    expect(asked.map(({ input }) => input)).toEqual([question, new Uint8Array([...first, ...first])]);
    expect(events).toEqual([{ first: hexOf(first), second: hexOf(second) }]);
  });
});

describe("BatchOfTen", () => {
  it("asks ten questions at once", async () => {
    const call = await scriptedContract(exampleContract("BatchOfTen"));
    const cases = Array.from({ length: 10 }, (_, index) => float32(...Array<number>(16).fill(index / 16)));
    const { asked, events } = await call("run", [cases.map(hexOf)], ({ input }) => input.subarray(0, 4));
    expect(asked).toHaveLength(10);
    expect(events).toEqual([{ scores: cases.map((_, index) => (BigInt(index) * 10n ** 18n) / 16n) }]);
  });
});
