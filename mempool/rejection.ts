/** Why a transaction was not admitted, with what its sender can do about it. */
export type Rejection =
  | { readonly reason: "duplicate" }
  | { readonly reason: "nonce-used"; readonly expectedNonce: number }
  | { readonly reason: "nonce-gap"; readonly expectedNonce: number }
  | { readonly reason: "underpriced-replacement"; readonly minimumGasPriceGwei: number }
  | { readonly reason: "underfunded"; readonly availableGwei: number; readonly neededGwei: number }
  | { readonly reason: "fee-too-low"; readonly callIndex: number; readonly minimumFeeGwei: number }
  | { readonly reason: "sender-limit"; readonly limit: number }
  | { readonly reason: "pool-full"; readonly limit: number }
  | { readonly reason: "too-many-accounts"; readonly limit: number }
  | { readonly reason: "unknown-model"; readonly callIndex: number; readonly model: string; readonly mode: string }
  | {
      readonly reason: "infeasible";
      readonly callIndex: number;
      readonly probability: number;
      readonly ttlBlocks: number;
    }
  | { readonly reason: "out-of-range"; readonly field: string; readonly limit: number };
