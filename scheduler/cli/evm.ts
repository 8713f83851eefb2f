import type { PolicySpec } from "../../policies/policy.ts";
import { devAccounts } from "../evm/dev-accounts.ts";
import { type EvmDevnet, startEvmDevnet } from "../evm/devnet.ts";
import type { BuiltBlock } from "../evm/block-building.ts";
import { DEFAULT_TIMES } from "../evm/producer.ts";
import { type RpcServer, startRpcServer } from "../evm/rpc/server.ts";
import { defaultFleet } from "../index.ts";
import { refuse } from "./interruption.ts";
import { EXIT } from "./sim-experiments.ts";

export interface EvmFlags {
  readonly port: number;
  readonly host: string;
  readonly allowOrigin: string | undefined;
  readonly chainId: number;
  readonly intervalMs: number;
  readonly nodes: number;
  readonly latency: "modelled" | "none";
  readonly policy: PolicySpec | undefined;
  readonly accounts: number;
  readonly json: boolean;
}

const ETHER_WEI = 10n ** 18n;
const BALANCE_WEI = 10_000n * ETHER_WEI;
/** What each development account has on deposit to begin with: one ether. */
const DEPOSIT_GWEI = 1_000_000_000;

/** Runs the chain until the signal; its exit code. */
export async function runEvm(flags: EvmFlags, signal: AbortSignal): Promise<number> {
  const accounts = devAccounts(flags.accounts);
  const note = (text: string): void => void process.stderr.write(`${text}\n`);
  note(`PIPE: a chain of ${flags.intervalMs} ms blocks with ${flags.nodes} inference nodes; starting …`);
  const scale = flags.intervalMs / DEFAULT_TIMES.intervalMs;
  const devnet = await startEvmDevnet({
    chainId: BigInt(flags.chainId),
    alloc: accounts.map(({ address }) => ({ address, balanceWei: BALANCE_WEI })),
    pipe: {
      fleet: {
        nodes: defaultFleet({ count: flags.nodes, seedHex: "00".repeat(32), latency: flags.latency, faults: "none" }),
      },
      ...(flags.policy === undefined ? {} : { policy: flags.policy }),
      logger: "error",
    },
    times: { intervalMs: flags.intervalMs, buildMs: DEFAULT_TIMES.buildMs * scale },
    onBlock: (block) => tell(block, flags.json),
  });
  let server: RpcServer | undefined;
  try {
    for (const { address } of accounts) await devnet.pipe.deposit({ account: address, amountGwei: DEPOSIT_GWEI });
    server = await listen(devnet, flags);
    if (server === undefined) return EXIT.refused;
    introduce(flags, server, accounts);
    const stopped = new Promise<undefined>((resolve) => signal.addEventListener("abort", () => resolve(undefined)));
    const failure = signal.aborted ? undefined : await Promise.race([devnet.failed, stopped]);
    if (failure === undefined) return EXIT.done;
    note(`pipe evm: the chain cannot go on: ${failure.message}`);
    return EXIT.failed;
  } finally {
    await server?.close();
    await devnet.close();
  }
}

async function listen(devnet: EvmDevnet, { host, port, allowOrigin }: EvmFlags): Promise<RpcServer | undefined> {
  const { backend, index } = devnet;
  try {
    const allowOrigins = allowOrigin === undefined ? [] : [allowOrigin];
    return await startRpcServer({ backend, index, host, port, allowOrigins });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const advice = code === "EADDRINUSE" ? "is in use: give another --port, or 0 for one that is free" : message;
    refuse(`${host}:${port} ${advice}.`, "pipe evm");
    return undefined;
  }
}

function introduce(flags: EvmFlags, { url, wsUrl }: RpcServer, accounts: ReturnType<typeof devAccounts>): void {
  if (flags.json) {
    process.stdout.write(`${JSON.stringify({ url, wsUrl, chainId: flags.chainId, accounts })}\n`);
    return;
  }
  const lines = [
    `JSON-RPC ${url} and ${wsUrl}, chain id ${flags.chainId}`,
    "inference precompile 0x00000000000000000000000000000000000000F4, deposits 0x00000000000000000000000000000000000000F5",
    "Everybody knows these keys: use them here only. Each account has 10,000 ether, and 1 on deposit for inference.",
    ...accounts.map(({ address, privateKey }) => `  ${address}  ${privateKey}`),
    "Nothing survives this process. Ctrl-C ends it.",
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}

/** Empty blocks go by in silence, unless a program listens. */
function tell({ head, included, inference, receipts }: BuiltBlock, json: boolean): void {
  const asked = inference.header.transactions.length;
  const failed = receipts.filter(({ succeeded }) => !succeeded).length;
  if (json) {
    const { number, hash } = head;
    const told = {
      number,
      hash,
      gasUsed: String(head.gasUsed),
      transactions: included.length,
      inference: asked,
      failed,
    };
    process.stdout.write(`${JSON.stringify({ ...told, results: inference.receipts.length })}\n`);
  } else if (included.length > 0) {
    const results = asked === 0 ? "" : `, ${asked} of them with ${inference.receipts.length} results`;
    const reverted = failed === 0 ? "" : `, ${failed} reverted`;
    process.stdout.write(
      `block ${head.number}  ${included.length} transactions${results}${reverted}, ${head.gasUsed} gas\n`,
    );
  }
}
