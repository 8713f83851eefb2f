import type { EvmReceipt } from "../../mempool/evm/block.ts";
import { type Deposit, depositOf } from "../../mempool/evm/deposit.ts";

/** Deposits that a block carries, in its order. */
export function depositsOf(receipts: readonly EvmReceipt[]): Deposit[] {
  return receipts.flatMap(({ logs }) =>
    logs.flatMap(({ address, topics, data }) => {
      const hex = {
        address,
        topics: topics.map((topic) => `0x${topic}`),
        data: `0x${Buffer.from(data).toString("hex")}`,
      };
      return depositOf(hex) ?? [];
    }),
  );
}
