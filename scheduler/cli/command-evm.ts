import { Effect, Option } from "effect";
import { Command, Flag } from "effect/cli";
import { parsePolicy } from "../../policies/short-form.ts";
import type { EvmFlags } from "./evm.ts";
import { refuse, untilStopped } from "./interruption.ts";

const LIMITS = { maxNodes: 64, maxPort: 65_535, minIntervalMs: 200, maxIntervalMs: 60_000 } as const;

const flags = {
  port: Flag.Int("port").pipe(
    Flag.withDefault(8545),
    Flag.withMetavar("N"),
    Flag.withDescription("where JSON-RPC is served, over HTTP and WebSocket; 0 for one that is free"),
  ),
  host: Flag.String("host").pipe(Flag.withDefault("127.0.0.1"), Flag.withDescription("the address to listen on")),
  allowOrigin: Flag.String("allow-origin").pipe(
    Flag.optional,
    Flag.withMetavar("URL"),
    Flag.withDescription("origin whose web pages may ask, * for all; none without it"),
  ),
  chainId: Flag.Int("chain-id").pipe(Flag.withDefault(1337), Flag.withMetavar("N"), Flag.withDescription("of EIP-155")),
  interval: Flag.Int("interval").pipe(
    Flag.withDefault(500),
    Flag.withMetavar("MS"),
    Flag.withDescription("from block to block"),
  ),
  nodes: Flag.Int("nodes").pipe(
    Flag.withDefault(6),
    Flag.withMetavar("N"),
    Flag.withDescription(`inference nodes in threads, 3 to ${LIMITS.maxNodes}; each takes about 100 MB`),
  ),
  latency: Flag.Literals("latency", ["modelled", "none"]).pipe(
    Flag.withDefault("none"),
    Flag.withDescription("modelled: answers are held back as a 70B model would take; none: as fast as they compute"),
  ),
  policy: Flag.String("policy").pipe(
    Flag.optional,
    Flag.withMetavar("POLICY"),
    Flag.withDescription("when another copy is launched: fixed:COPIES, hedge:DELAY_MS:MAX_COPIES or KIND:KEY=VALUE"),
  ),
  accounts: Flag.Int("accounts").pipe(
    Flag.withDefault(10),
    Flag.withMetavar("N"),
    Flag.withDescription("development accounts with ether and a deposit for inference, 1 to 100"),
  ),
  json: Flag.Boolean("json").pipe(
    Flag.withDefault(false),
    Flag.withDescription("one JSON object per line: first where it listens, then each block"),
  ),
};

/** `pipe evm`: runs until it is stopped. Exit code 0 then, 1 when it failed, 2 for misuse. */
export const evm = Command.make(
  "evm",
  flags,
  Effect.fn(function* ({ allowOrigin, policy, interval, ...given }) {
    const problem = misuseOf(given, interval);
    if (problem !== undefined) return refuse(problem, "pipe evm");
    let options: EvmFlags;
    try {
      options = {
        ...given,
        intervalMs: interval,
        allowOrigin: Option.getOrUndefined(allowOrigin),
        policy: Option.isSome(policy) ? parsePolicy(policy.value) : undefined,
      };
    } catch (error) {
      if (error instanceof RangeError) return refuse(`--policy: ${error.message}`, "pipe evm");
      throw error;
    }
    // An EVM is half a second of loading that no other command needs.
    yield* untilStopped(async (signal) => (await import("./evm.ts")).runEvm(options, signal), "pipe evm");
  }),
).pipe(
  Command.withDescription(
    "Run a development chain whose contracts ask models: Ethereum's JSON-RPC, ordinary tools, blocks on time",
  ),
);

/** Numbers of its command line that a range holds. */
export interface EvmNumbers {
  readonly port: number;
  readonly chainId: number;
  readonly nodes: number;
  readonly accounts: number;
}

/** What of the command line makes no sense. */
export function misuseOf({ port, chainId, nodes, accounts }: EvmNumbers, intervalMs: number): string | undefined {
  const { maxNodes, maxPort, minIntervalMs, maxIntervalMs } = LIMITS;
  if (port < 0 || port > maxPort) return `--port ${port} is out of range: give 0 to ${maxPort}.`;
  if (chainId < 1) return `--chain-id ${chainId}: give a positive number.`;
  if (nodes < 3 || nodes > maxNodes) return `--nodes ${nodes} is out of range: give 3 to ${maxNodes}.`;
  if (accounts < 1 || accounts > 100) return `--accounts ${accounts} is out of range: give 1 to 100.`;
  if (intervalMs < minIntervalMs || intervalMs > maxIntervalMs)
    return `--interval ${intervalMs} is out of range: give ${minIntervalMs} to ${maxIntervalMs}.`;
  return undefined;
}
