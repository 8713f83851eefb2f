/** `pipe-scheduler/nats`: scheduler and nodes on different machines, over NATS. docs/PROTOCOL.md is what they say on the wire. */
export { authenticationFrom, type NatsAuthentication, type NatsTls } from "./authentication.ts";
export { DEFAULT_NATS_LIMITS, type NatsLimits } from "./limits.ts";
export type { NatsStatus } from "./link.ts";
export {
  type HostedNode,
  type NatsNode,
  type NatsNodeOptions,
  type NatsNodeStatus,
  type NodeHosting,
  startNatsNode,
} from "./nats-node.ts";
export { createNatsTransport, type NatsTransport, type NatsTransportOptions } from "./nats-transport.ts";
export type { Loss, Mishap, Refusal } from "./refusals.ts";
export { type PresentNode, rollCall, type RollCallOptions } from "./roll-call.ts";
export type { LeaseReport, LeaseTrouble } from "./shard/lease-reports.ts";
export { openShard, type Shard, type ShardOptions, type ShardStanding } from "./shard/shard.ts";
export { DEFAULT_SHARD_LIMITS, type ShardLimits } from "./shard/shard-limits.ts";
export type { ShardRole } from "./shard/shard-store.ts";
export { NatsUnreachable } from "./unreachable.ts";
