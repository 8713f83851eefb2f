import { readFileSync } from "node:fs";
import { AbiEvent, type Hex } from "ox";
import { assert } from "../../scheduler/shared/assert.ts";

/** Where a chain begins with the contract of contracts/PipeDeposit.sol. */
export const DEPOSIT_ADDRESS = "0x00000000000000000000000000000000000000f5";

const DEPOSITED = AbiEvent.from("event Deposited(address indexed account, uint256 amountWei)");
const DEPOSITED_TOPIC = AbiEvent.getSelector(DEPOSITED);
const WEI_PER_GWEI = 1_000_000_000n;

/** The code at that address, hexadecimal with 0x; what the compiler makes of the source, so that nobody needs one at run time. */
export function depositCode(): Hex.Hex {
  const file = readFileSync(new URL("contracts/PipeDeposit.json", import.meta.url), "utf8");
  const { deployedBytecode }: { readonly deployedBytecode: Hex.Hex } = JSON.parse(file);
  return deployedBytecode;
}

/** A log of a transaction; hexadecimal with 0x. */
export interface EvmLog {
  readonly address: string;
  readonly topics: readonly string[];
  readonly data: string;
}

export interface Deposit {
  /** Lower-case address. */
  readonly account: string;
  readonly amountGwei: number;
}

/**
 * The deposit that a log tells of; `undefined` for any other log. Code at that address writes no other logs, and no amount with
 * parts of a gwei or beyond a safe integer (nine million ether), so that such a one is a bug.
 */
export function depositOf(log: EvmLog): Deposit | undefined {
  const [topic, account] = log.topics;
  if (log.address.toLowerCase() !== DEPOSIT_ADDRESS || topic !== DEPOSITED_TOPIC || account === undefined)
    return undefined;
  const amountWei = BigInt(log.data);
  const amountGwei = Number(amountWei / WEI_PER_GWEI);
  assert(amountWei % WEI_PER_GWEI === 0n && Number.isSafeInteger(amountGwei), "a deposit must be whole, safe gwei");
  return { account: `0x${account.slice(-40)}`.toLowerCase(), amountGwei };
}
