import { LEADERS, nodeToken, requireNode, requireShard, SCHEDULER_INBOX, streamOf } from "../subjects.ts";

/** What a user of the broker may say and hear. */
export interface Permissions {
  readonly publish: readonly string[];
  readonly publishNever: readonly string[];
  readonly subscribe: readonly string[];
  /** Whether it may answer where a question names a subject to answer to, this many times. */
  readonly responses: number;
}

/** A node hears what is said to it alone, and speaks in its own name alone. Its inbox is none: others' answers go to those. */
export function nodePermissions(node: string, shards: readonly string[]): Permissions {
  const token = nodeToken(requireNode(node));
  const roots = shards.map((shard) => `pipe.v1.${requireShard(shard)}`);
  return {
    publish: roots.flatMap((root) => [`${root}.up.${token}.*`, `${root}.hello`]),
    publishNever: [],
    subscribe: [...roots.flatMap((root) => [`${root}.down.${token}.*`, `${root}.announce`]), "$SRV.>"],
    responses: 1,
  };
}

/**
 * A scheduler has its shards to itself, their journals and the lease. It cannot take back what was written: not by deleting, and
 * not by changing what a stream holds at most. Answers to it go where nobody else hears them, since they hold the journal.
 */
export function schedulerPermissions(shards: readonly string[]): Permissions {
  const roots = shards.map((shard) => `pipe.v1.${requireShard(shard)}`);
  const streams = [...shards.map((shard) => streamOf(shard)), `KV_${LEADERS}`];
  const asks = ["CREATE", "INFO", "MSG.GET"].flatMap((ask) => streams.map((name) => `$JS.API.STREAM.${ask}.${name}`));
  const leases = [`$JS.API.DIRECT.GET.KV_${LEADERS}.>`, ...shards.map((shard) => `$KV.${LEADERS}.${shard}`)];
  return {
    publish: [...roots.map((root) => `${root}.>`), "$JS.API.INFO", ...asks, ...leases],
    publishNever: [],
    subscribe: [...roots.flatMap((root) => [`${root}.up.*.*`, `${root}.hello`]), `${SCHEDULER_INBOX}.>`],
    responses: 0,
  };
}

/** Who looks after the nodes asks them as micro-services, and streams and leases how they are, and changes nothing. */
export function operatorPermissions(): Permissions {
  return {
    publish: [
      "$SRV.>",
      ...["INFO", "STREAM.INFO.>", "STREAM.NAMES", "STREAM.LIST"].map((question) => `$JS.API.${question}`),
      // Who leads. Of journals it may not read any more than this: they hold what users asked.
      ...["DIRECT.GET.KV_", "STREAM.MSG.GET.KV_"].map((question) => `$JS.API.${question}${LEADERS}`),
      `$JS.API.DIRECT.GET.KV_${LEADERS}.>`,
    ],
    publishNever: [],
    subscribe: ["_INBOX.>"],
    responses: 0,
  };
}
