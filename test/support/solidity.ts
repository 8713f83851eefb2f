import {
  type CompiledContract,
  type CompiledContracts,
  compileContract,
  compileContracts,
  LIBRARY,
} from "../../docs/examples/evm/compile.ts";

export type { CompiledContract };

const EXAMPLES = new URL("../../docs/examples/evm/contracts/", import.meta.url);
const HOSTILE = new URL("evm/contracts/", import.meta.url);

/** A contract of docs/examples/evm/contracts. */
export function exampleContract(name: string): CompiledContract {
  return compileContract(EXAMPLES, name);
}

/** A contract of test/support/evm/contracts, most of which are there to make trouble. */
export function testContract(name: string): CompiledContract {
  return compileContract(HOSTILE, name);
}

/** What the package ships: the precompile's interface, its library, the deposit contract. */
export function libraryContracts(): CompiledContracts {
  return compileContracts(LIBRARY);
}
