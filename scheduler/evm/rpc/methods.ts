import type { RpcFace } from "./face.ts";
import type { Filters } from "./filters.ts";
import type { MethodTable } from "./method.ts";
import { blockMethods } from "./methods-blocks.ts";
import { chainMethods } from "./methods-chain.ts";
import { pipeMethods } from "./methods-pipe.ts";
import { stateMethods } from "./methods-state.ts";
import { searchLogs, aLogFilter } from "./log-filter.ts";
import { method } from "./method.ts";
import { needed } from "./parameters.ts";
import type { Subscriptions } from "./subscriptions.ts";

/** Everything that can be asked, by name. */
export function rpcMethods(face: RpcFace, filters: Filters, subscriptions: Subscriptions): MethodTable {
  return {
    ...chainMethods(face),
    ...stateMethods(face),
    ...blockMethods(face),
    ...pipeMethods(face),
    ...filters.methods(),
    ...subscriptions.methods(),
    eth_getLogs: method([needed("filter", aLogFilter(face.limits.maxFilterAlternatives))], ([filter]) =>
      searchLogs(face, filter),
    ),
  };
}
