/**
 * The EVM producer as a whole: ordinary transactions a second, from the raw transaction to its block, with a thousand pending
 * transactions that wait for models and without (P7), in turns; and what the demonstration says of punctuality.
 */
import { execFile } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { encodeFunctionData, getContractAddress, parseGwei, toHex } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { compileContract } from "../../docs/examples/evm/compile.ts";
import type { Summary } from "../../docs/examples/evm/tally.ts";
import { type EvmDevnet, startEvmDevnet } from "../../scheduler/evm/devnet.ts";
import type { NodeMessage, Transport } from "../../scheduler/index.ts";
import type { Figure } from "./figure.ts";

const CHAIN_ID = 1337;
const PENDING = 1_000;
const ROUNDS = 3;
const SENDERS = 24;
const PER_SENDER = 40;
const TARGET_RATIO = 0.95;
const TARGET_SHARE = 0.99;
const TARGET_JITTER_MS = 20;

const accounts = Array.from({ length: 2 * SENDERS }, (_, i) =>
  privateKeyToAccount(`0x${(i + 1).toString(16).padStart(64, "0")}`),
);

export async function evmProducerFigures(): Promise<Figure[]> {
  const { perSecond, ratio } = await ordinaryBesidePending();
  const { firstBlockShare = 0, latenessMs, sealed } = await demonstration();
  return [
    { name: "EVM producer: ordinary transactions, none pending", value: perSecond, unit: "/s" },
    {
      name: `EVM producer: the same with ${PENDING} that wait for models`,
      value: ratio,
      unit: "×",
      target: `≥ ${TARGET_RATIO}`,
      met: ratio >= TARGET_RATIO,
    },
    {
      name: `EVM: sealed in the first block after the last result, of ${sealed.inference}`,
      value: firstBlockShare,
      unit: "",
      target: `≥ ${TARGET_SHARE}`,
      met: firstBlockShare >= TARGET_SHARE,
    },
    {
      name: "EVM: blocks later than planned, p99",
      value: latenessMs.p99,
      unit: "ms",
      target: `≤ ${TARGET_JITTER_MS}`,
      met: latenessMs.p99 <= TARGET_JITTER_MS,
    },
  ];
}

async function ordinaryBesidePending(): Promise<{ readonly perSecond: number; readonly ratio: number }> {
  const none = await start();
  const some = await start();
  try {
    await fill(some);
    const best = { none: 0, some: 0 };
    for (let round = 0; round <= ROUNDS; round++) {
      const [without, beside] = [await transfers(none, round), await transfers(some, round)];
      // The first round is for the compiler.
      if (round > 0) [best.none, best.some] = [Math.max(best.none, without), Math.max(best.some, beside)];
    }
    const waiting = [...some.pool.entries()].filter(({ kind }) => kind === "inference").length;
    if (waiting !== PENDING) throw new Error(`${waiting} transactions wait for models, not ${PENDING}`);
    return { perSecond: best.none, ratio: best.some / best.none };
  } finally {
    await none.close();
    await some.close();
  }
}

function start(): Promise<EvmDevnet> {
  return startEvmDevnet({
    chainId: BigInt(CHAIN_ID),
    alloc: accounts.map(({ address }) => ({ address: address.toLowerCase(), balanceWei: 10n ** 22n })),
    gasLimit: 100_000_000n,
    pipe: { fleet: { transport: silentFleet() }, policy: { kind: "fixed", copies: 1 }, logger: "silent" },
    limits: { defaultTtlBlocks: 1_000 },
  });
}

/** Nodes that take every question and never answer: what waits keeps waiting. */
function silentFleet(): Transport {
  let say: (message: NodeMessage) => void = () => undefined;
  const ids = Array.from({ length: 8 }, (_, i) => `mute-${i}`);
  return {
    onMessage(listener) {
      say = listener;
    },
    async start() {
      for (const id of ids) {
        const domain = { operator: id, region: id, hardware: "none", slots: 1_000, queueLimit: 1_000 };
        const offers = [{ model: "chat-mini", mode: "vanilla", priceGwei: 1_000 }] as const;
        say({ kind: "joined", terms: { id, key: id.padEnd(64, "0").replace(/[^0-9a-f]/g, "0"), ...domain, offers } });
      }
    },
    dispatch: ({ copy, node }) => say({ kind: "accepted", copy, node }),
    cancel: () => undefined,
    close: async () => undefined,
  };
}

const FEES = {
  type: "eip1559",
  chainId: CHAIN_ID,
  maxFeePerGas: parseGwei("50"),
  maxPriorityFeePerGas: parseGwei("1"),
} as const;

async function send(devnet: EvmDevnet, raw: string): Promise<void> {
  const sent = await devnet.backend.sendRawTransaction(Buffer.from(raw.slice(2), "hex"));
  if (!sent.ok)
    throw new Error(
      `a transaction was refused: ${JSON.stringify(sent.problem, (_, v) => (typeof v === "bigint" ? `${v}` : v))}`,
    );
}

/** Questions that nobody will answer, of the second half of the accounts. */
async function fill(devnet: EvmDevnet): Promise<void> {
  const { abi, bytecode } = compileContract(new URL("../../docs/examples/evm/contracts/", import.meta.url), "TwoStep");
  const askers = accounts.slice(SENDERS);
  const [first] = askers;
  if (first === undefined) throw new Error("nobody asks");
  const gas = 1_500_000n;
  await send(devnet, await first.signTransaction({ ...FEES, nonce: 0, gas, data: bytecode }));
  const to = getContractAddress({ from: first.address, nonce: 0n });
  while ((await devnet.backend.code(to.toLowerCase(), { kind: "pending" })).ok === false) await sleep(50);
  while (devnet.pool.size > 0) await sleep(50);
  const data = encodeFunctionData({
    abi: abi as never,
    functionName: "run",
    args: [toHex(new Uint8Array(256))],
  } as never);
  for (const { address } of askers)
    await devnet.pipe.deposit({ account: address.toLowerCase(), amountGwei: 1_000_000_000 });
  for (let i = 0; i < PENDING; i++) {
    const asker = askers[i % askers.length] ?? first;
    const nonce = Math.floor(i / askers.length) + (asker === first ? 1 : 0);
    await send(devnet, await asker.signTransaction({ ...FEES, nonce, gas, to, data }));
  }
}

/** Transactions a second, from the first that is sent to the block with the last. */
async function transfers(devnet: EvmDevnet, round: number): Promise<number> {
  const raws: string[] = [];
  for (let n = 0; n < PER_SENDER; n++)
    for (const account of accounts.slice(0, SENDERS)) {
      const nonce = round * PER_SENDER + n;
      raws.push(await account.signTransaction({ ...FEES, nonce, gas: 21_000n, to: account.address, value: 1n }));
    }
  const before = devnet.pool.ordinary;
  const startedMs = performance.now();
  await Promise.all(raws.map((raw) => send(devnet, raw)));
  while (devnet.pool.ordinary > before) await sleep(5);
  return (raws.length * 1_000) / (performance.now() - startedMs);
}

async function demonstration(): Promise<Summary> {
  const program = fileURLToPath(new URL("../../docs/examples/evm/demo.ts", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [program, "--json"], { timeout: 300_000 });
  return JSON.parse(stdout) as Summary;
}
