import { createEVM } from "@ethereumjs/evm";
import { createAddressFromString, bytesToHex } from "@ethereumjs/util";
import { encodeFunctionData, type Hex, numberToHex } from "viem";
import { describe, expect, it } from "vitest";
import { DEPOSIT_ADDRESS, depositCode, depositOf } from "../../../mempool/evm/deposit.ts";
import { libraryContracts } from "../../support/solidity.ts";
import { bytesOf } from "./calldata.ts";

const PAYER = "0x1111111111111111111111111111111111111111";
const OTHER = "0x2222222222222222222222222222222222222222";

function contract() {
  const found = libraryContracts()["PipeDeposit"];
  if (found === undefined) throw new Error("the library has no PipeDeposit");
  return found;
}

/** Runs the predeployed code with that much money. */
async function run(data: Hex, value: bigint) {
  const evm = await createEVM();
  const to = createAddressFromString(DEPOSIT_ADDRESS);
  await evm.stateManager.putCode(to, bytesOf(depositCode()));
  const caller = createAddressFromString(PAYER);
  const { execResult } = await evm.runCall({ to, caller, value, data: bytesOf(data), skipBalance: true });
  const logs = (execResult.logs ?? []).map(([address, topics, logged]) => ({
    address: bytesToHex(address),
    topics: topics.map((topic) => bytesToHex(topic)),
    data: bytesToHex(logged),
  }));
  return { failed: execResult.exceptionError !== undefined, deposits: logs.map(depositOf) };
}

describe("the deposit contract", () => {
  const { abi } = contract();
  const deposit = encodeFunctionData({ abi, functionName: "deposit" });

  it("is what the compiler makes of its source; if not, run node .ci/predeploy.mjs", () => {
    expect(depositCode()).toBe(contract().deployedBytecode);
  });

  it("tells of the money in whole gwei", async () => {
    expect(await run(deposit, 5_000_000_000n)).toEqual({
      failed: false,
      deposits: [{ account: PAYER, amountGwei: 5 }],
    });
    const forOther = encodeFunctionData({ abi, functionName: "depositFor", args: [OTHER] });
    expect(await run(forOther, 10n ** 18n)).toEqual({
      failed: false,
      deposits: [{ account: OTHER, amountGwei: 1_000_000_000 }],
    });
  });

  it.each([
    ["nothing", deposit, 0n],
    ["parts of a gwei", deposit, 1_500_000_000n],
    ["money without a function", "0x" as Hex, 10n ** 9n],
  ])("takes no %s", async (_title, data, value) => {
    expect(await run(data, value)).toEqual({ failed: true, deposits: [] });
  });

  it("is not spoken for by other contracts' logs", () => {
    const log = { address: OTHER, topics: [numberToHex(1, { size: 32 })], data: "0x" };
    expect(depositOf(log)).toBeUndefined();
    expect(depositOf({ ...log, address: DEPOSIT_ADDRESS })).toBeUndefined();
  });
});
