import { createEVM, type ExecResult, getActivePrecompiles, type PrecompileInput } from "@ethereumjs/evm";
import fc from "fast-check";
import { expect, it } from "vitest";
import { modexp, modexpWork } from "../../../mempool/evm/modexp.ts";
import { sharedCommon } from "../../../mempool/evm/transaction.ts";
import { bytesOf, newChain, NO_RESULTS, transaction } from "../../support/evm-chain.ts";
import { DEFAULT_EVM_LIMITS } from "../../../mempool/evm/chain.ts";
import { holds } from "../../support/reproducible.ts";

const common = sharedCommon(1n);
// Gives it the prices of the machine's parts.
await createEVM({ common });
const PLENTY = 10n ** 9n;

function library(data: Uint8Array): { readonly gas: bigint; readonly output: string } {
  const run = getActivePrecompiles(common).get("5".padStart(40, "0"));
  if (run === undefined) throw new Error("there is no such precompile");
  const input = { data, gasLimit: PLENTY, common, _EVM: {} } as unknown as PrecompileInput;
  const { executionGasUsed, returnValue } = run(input) as ExecResult;
  return { gas: executionGasUsed, output: Buffer.from(returnValue).toString("hex") };
}

function own(data: Uint8Array) {
  return { gas: modexpWork(data).gas, output: Buffer.from(modexp(data)).toString("hex") };
}

function word(value: number): string {
  return value.toString(16).padStart(64, "0");
}

const bytes = fc.uint8Array({ maxLength: 40 });

it("computes what the library does, with numbers that are cut off too", () => {
  holds(
    "test/unit/evm/modexp.test.ts",
    "computes what the library does",
    { runs: 300, seconds: 20 },
    fc.record({ base: bytes, exponent: fc.uint8Array({ maxLength: 70 }), modulus: bytes, cut: fc.nat(20) }),
    ({ base, exponent, modulus, cut }) => {
      const lengths = [base, exponent, modulus].map(({ length }) => word(length)).join("");
      const data = Buffer.concat([Buffer.from(lengths, "hex"), base, exponent, modulus]);
      const sent = new Uint8Array(data.subarray(0, data.length - cut));
      const [theirs, ours] = [library(sent), own(sent)];
      return theirs.gas === ours.gas && theirs.output === ours.output ? [] : [`${ours.output}, not ${theirs.output}`];
    },
  );
});

it("ends at once where the exponent is megabytes of zeros that were never sent", async () => {
  const chain = await newChain({}, DEFAULT_EVM_LIMITS);
  const data = `0x${word(8)}${word(2_900_000)}${word(8)}${"ff".repeat(9)}`;
  const tx = await transaction({ to: `0x${"5".padStart(40, "0")}`, data, gas: 8_000_000n });
  const env = chain.nextEnvironment(2_000);
  expect(await chain.preExecute(tx, NO_RESULTS, env)).toMatchObject({ kind: "invalid", reason: "too-slow" });
});

it("stops before pairings for which there is no time", async () => {
  const chain = await newChain({}, DEFAULT_EVM_LIMITS);
  const pairing = await transaction({
    to: `0x${"8".padStart(40, "0")}`,
    data: `0x${"00".repeat(192 * 200)}`,
    gas: 8_000_000n,
  });
  const env = chain.nextEnvironment(2_000);
  expect(await chain.preExecute(pairing, NO_RESULTS, env)).toMatchObject({ kind: "invalid", reason: "too-slow" });
});

it("costs a contract what the library's costs", async () => {
  const data = bytesOf(`${word(1)}${word(1)}${word(1)}030507`);
  expect(own(data)).toEqual({ gas: 200n, output: "05" });
});
