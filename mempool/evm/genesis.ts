import { type Common, createCustomCommon, Mainnet } from "@ethereumjs/common";
import { assert } from "../../scheduler/shared/assert.ts";
import { keccak256 } from "./keccak.ts";
import { type AccountChange, NO_CODE, World } from "./world.ts";

/** Hard forks that a chain may stand on: after proof of work, and without what is still experimental in the machine. */
export const HARDFORKS = ["paris", "shanghai", "cancun", "prague"] as const;
export type EvmHardfork = (typeof HARDFORKS)[number];

export interface GenesisAccount {
  /** "0x" and 40 lower-case hexadecimal digits. */
  readonly address: string;
  readonly balanceWei: bigint;
  readonly nonce?: number;
  readonly code?: Uint8Array;
  /** Pairs of slot and value, 64 hexadecimal digits each, without prefix. */
  readonly storage?: readonly (readonly [slot: string, value: string])[];
}

/** What a chain begins with; all nodes of a chain have the same. */
export interface EvmGenesis {
  /** Of EIP-155, as transactions sign it. */
  readonly chainId: bigint;
  /** The chain's name in statements, receipts and headers. */
  readonly pipeChainId: string;
  readonly hardfork: EvmHardfork;
  readonly alloc: readonly GenesisAccount[];
  readonly gasLimit: bigint;
  /** Wei. */
  readonly baseFeePerGas: bigint;
  readonly coinbase: string;
  /** Seconds since 1970. */
  readonly timestamp: number;
}

export function commonOf({ chainId, hardfork }: Pick<EvmGenesis, "chainId" | "hardfork">): Common {
  assert(chainId > 0n && chainId <= BigInt(Number.MAX_SAFE_INTEGER), "a chain id is a positive safe integer");
  return createCustomCommon({ chainId: Number(chainId), name: "pipe" }, Mainnet, {
    hardfork,
    customCrypto: { keccak256 },
  });
}

export function worldOf({ alloc }: Pick<EvmGenesis, "alloc">): World {
  return World.EMPTY.with(alloc.map(changeOf));
}

function changeOf({ address, balanceWei, nonce, code, storage }: GenesisAccount): AccountChange {
  assert(/^0x[0-9a-f]{40}$/.test(address), `no address: ${address}`);
  const slots = (storage ?? []).map(([slot, value]) => {
    assert(/^[0-9a-f]{64}$/.test(slot) && /^[0-9a-f]{64}$/.test(value), `no slot and value: ${slot} ${value}`);
    return [slot, value.replace(/^(?:00)*/, "")] as const;
  });
  const bytes = code ?? NO_CODE.bytes;
  const start = nonce ?? (bytes.length > 0 ? 1 : 0);
  return {
    address,
    gone: false,
    nonce: BigInt(start),
    balance: balanceWei,
    code: bytes,
    cleared: true,
    storage: slots,
  };
}
