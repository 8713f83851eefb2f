import * as Address from "ox/Address";
import * as Mnemonic from "ox/Mnemonic";
import * as Secp256k1 from "ox/Secp256k1";

export interface DevAccount {
  /** "0x" and 40 lower-case digits. */
  readonly address: string;
  readonly privateKey: `0x${string}`;
}

/** The sentence that development chains are used to: its keys are known to everybody, and worth nothing anywhere else. */
export const DEV_MNEMONIC = "test test test test test test test test test test test junk";

/** The first accounts of that sentence, on the path of BIP-44 for ether. */
export function devAccounts(count: number): DevAccount[] {
  return Array.from({ length: count }, (_, index) => {
    const privateKey = Mnemonic.toPrivateKey(DEV_MNEMONIC, { as: "Hex", path: `m/44'/60'/0'/0/${index}` });
    const address = Address.fromPublicKey(Secp256k1.getPublicKey({ privateKey })).toLowerCase();
    return { address, privateKey };
  });
}
