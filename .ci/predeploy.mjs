/**
 * Writes the code of the contract that a chain begins with, so that nobody needs a compiler at run time. To be run after a change of
 * mempool/evm/contracts/PipeDeposit.sol; a test says when that is due.
 * Usage: node .ci/predeploy.mjs
 */
import { writeFileSync } from "node:fs";
import { compileContract, LIBRARY } from "../docs/examples/evm/compile.ts";

const { abi, deployedBytecode } = compileContract(LIBRARY, "PipeDeposit");
writeFileSync(new URL("PipeDeposit.json", LIBRARY), `${JSON.stringify({ abi, deployedBytecode }, undefined, 2)}\n`);
