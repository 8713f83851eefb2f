import { shardOf } from "../proofs/shard-of.ts";
import { Problem } from "./problems.ts";

/** Among which shards accounts are divided, and which of them this scheduler is of. */
export interface Shards {
  readonly own: string;
  readonly all: readonly string[];
}

/** Tells why an account is another shard's affair. */
export function directionsOf(shards: Shards | undefined): (account: string) => Problem | undefined {
  if (shards === undefined) return () => undefined;
  const { own, all } = shards;
  return (account) => {
    const shard = shardOf(account, all);
    if (shard === own) return undefined;
    return new Problem({
      kind: "wrong-shard",
      detail: `The account is of shard ${shard}; this is ${own}.`,
      advice: `Ask a scheduler of shard ${shard}.`,
      extra: { shard },
    });
  };
}
