import type { Common } from "@ethereumjs/common";
import { EVMError, type ExecResult, getActivePrecompiles, type PrecompileInput } from "@ethereumjs/evm";
import { Address } from "@ethereumjs/util";
import { modexp, modexpWork } from "./modexp.ts";

/**
 * Ethereum's precompiles that compute for long in one go, behind a look at the clock: their gas is what they cost in native code,
 * which is up to a hundred times faster than here, and nothing else stops them. `look` throws when so many milliseconds are not
 * there. What they give is Ethereum's.
 */
export function dearPrecompiles(common: Common, look: (ms: number) => void) {
  const active = getActivePrecompiles(common);
  const guarded = [...DEAR].flatMap(([name, msOf]) => {
    const run = active.get(name.padStart(40, "0"));
    if (run === undefined) return [];
    return {
      address: new Address(new Uint8Array(Buffer.from(name.padStart(40, "0"), "hex"))),
      function: (input: PrecompileInput): Promise<ExecResult> | ExecResult => {
        look(msOf(input.data));
        return run(input);
      },
    };
  });
  return [...guarded, { address: new Address(new Uint8Array(20).fill(5, 19)), function: modexpWith(look) }];
}

/** Milliseconds that a call takes by its input, on a machine of 2020; what is refused for its length costs nothing. */
const DEAR: ReadonlyMap<string, (data: Uint8Array) => number> = new Map([
  // Pairings of BN254, each of 192 bytes.
  ["08", ({ length }) => (length / 192) * 12],
  // Blake2b's compression, in rounds, which its first four bytes count.
  ["09", (data) => (data.length === 213 ? Buffer.from(data.subarray(0, 4)).readUInt32BE() * 0.000_5 : 0)],
  // Multiplications and pairings of BLS12-381.
  ["0c", ({ length }) => (length / 160) * 1.5],
  ["0e", ({ length }) => (length / 288) * 4],
  ["0f", ({ length }) => (length / 384) * 20],
]);

function modexpWith(look: (ms: number) => void): (input: PrecompileInput) => ExecResult {
  return ({ data, gasLimit }) => {
    const { gas, ms } = modexpWork(data);
    if (gas > gasLimit) {
      const exceptionError = new EVMError(EVMError.errorMessages.OUT_OF_GAS);
      return { executionGasUsed: gasLimit, returnValue: new Uint8Array(0), exceptionError };
    }
    look(ms);
    return { executionGasUsed: gas, returnValue: modexp(data) };
  };
}
