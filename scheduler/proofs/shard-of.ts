import { sha256Hex } from "./digest.ts";

/**
 * The shard that an account belongs to: of SHA-256("pipe/shard/v1 " + shard + " " + account), in UTF-8, the one whose digest is the
 * greatest (rendezvous hashing; Thaler and Ravishankar 1998). With one shard more only the accounts that go to it move, one in so
 * many. `shards` in any order, at least one; no name has a space in it.
 */
export function shardOf(account: string, shards: readonly string[]): string {
  let found = "";
  let greatest = "";
  for (const shard of shards) {
    const digest = sha256Hex(Buffer.from(`pipe/shard/v1 ${shard} ${account}`));
    if (digest <= greatest) continue;
    [found, greatest] = [shard, digest];
  }
  return found;
}
