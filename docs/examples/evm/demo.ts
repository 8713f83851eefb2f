// A chain of 500 ms blocks on this machine whose contracts ask models: deploys the examples with viem, sends some hundred
// transactions from several accounts while inference nodes race, and then checks every block as a validator would.
// npm run evm [-- --blocks N --rate PER_S --nodes N --latency modelled|none --seed N --json]
import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { setTimeout as sleep } from "node:timers/promises";
import { startEvmDevnet } from "../../../scheduler/evm/devnet.ts";
import { devAccounts } from "../../../scheduler/evm/dev-accounts.ts";
import { startRpcServer } from "../../../scheduler/evm/rpc/server.ts";
import { defaultFleet } from "../../../scheduler/index.ts";
import { Tally } from "./tally.ts";
import { checkAll } from "./validator.ts";
import { Workload } from "./workload.ts";

const CHAIN_ID = 1337;
const ACCOUNTS = 8;
const BALANCE_WEI = 10_000n * 10n ** 18n;
/** Nothing new comes in during the last blocks, so that what is there can come to its end. */
const QUIET_BLOCKS = 20;

const options = optionsOf(process.argv.slice(2));
if (options === undefined) process.exit(2);
const { blocks, rate, nodes: nodeCount, latency, seed, json } = options;
const interrupted = new AbortController();
process.once("SIGINT", () => interrupted.abort());
process.once("SIGTERM", () => interrupted.abort());
const note = (text: string): void => void process.stderr.write(`${text}\n`);

note(`PIPE on an EVM chain: ${nodeCount} inference nodes, ${blocks} blocks of 500 ms, seed ${seed}.`);
note(
  latency === "none"
    ? "The models run as fast as they compute."
    : "Each answer is a real inference, held back by a latency profile of a 70B model (--latency none turns that off).",
);

const tally = new Tally();
/** The scheduler's records, from which a validator takes the registry. */
const directory = await mkdtemp(join(tmpdir(), "pipe-evm-"));
process.once("exit", () => rmSync(directory, { recursive: true, force: true }));
const seedHex = seed.toString(16).padStart(64, "0");
const nodes = defaultFleet({ count: nodeCount, seedHex, latency, faults: "none" });
const devnet = await startEvmDevnet({
  chainId: BigInt(CHAIN_ID),
  directory,
  alloc: devAccounts(ACCOUNTS).map(({ address }) => ({ address, balanceWei: BALANCE_WEI })),
  pipe: {
    fleet: { nodes },
    policy: { kind: "hedge", delayMs: 1_500, maxCopies: 3 },
    engine: { seed },
    logger: "error",
  },
  onBlock(block, times) {
    tally.block(block, times);
    const line = tally.lineOf(block, times);
    if (line !== undefined && !json) console.log(line);
  },
});
const { backend, index } = devnet;
const server = await startRpcServer({ backend, index, host: "127.0.0.1", port: 0 });
let failed = false;
try {
  void devnet.failed.then((error) => {
    note(`The chain cannot go on: ${error.message}`);
    failed = true;
    interrupted.abort();
  });
  const workload = new Workload({ url: server.url, chainId: CHAIN_ID, accounts: devAccounts(ACCOUNTS), seed });
  note(`JSON-RPC ${server.url}; deploying the examples and paying in for inference …`);
  await workload.prepare();
  const first = index.head.number;
  tally.begin();
  await workload.send({
    ratePerS: rate,
    untilMs: Date.now() + 500 * (blocks - QUIET_BLOCKS),
    signal: interrupted.signal,
  });
  while (index.head.number < first + blocks && !interrupted.signal.aborted) await sleep(50);
  const statistics = await devnet.pipe.statistics();
  await devnet.producer.stop();
  note("Checking every block as a validator would: executing it with the sealed results, and verifying the proofs …");
  const checked = await checkAll(devnet, { directory, blocks: tally.blocks });
  const summary = tally.summary({
    workload: workload.counts,
    statistics,
    checked,
    preExecutor: devnet.preExecutor,
  });
  console.log(json ? JSON.stringify(summary) : `\n${tally.textOf(summary)}`);
  for (const finding of checked.findings) note(finding);
  if (checked.findings.length > 0 || failed || !summary.ledgerBalanced) process.exitCode = 1;
  else if (interrupted.signal.aborted) process.exitCode = 130;
} finally {
  await server.close();
  await devnet.close();
}

/** What the command line says; `undefined`, and a message, when it makes no sense. */
function optionsOf(args: string[]) {
  const refuse = (message: string) => {
    process.stderr.write(`npm run evm: ${message}\n`);
    return undefined;
  };
  try {
    const { values } = parseArgs({
      args,
      options: {
        blocks: { type: "string", default: "80" },
        rate: { type: "string", default: "10" },
        nodes: { type: "string", default: "8" },
        latency: { type: "string", default: "modelled" },
        seed: { type: "string", default: "1" },
        json: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    });
    const [blocks, rate, nodes, seed] = [values.blocks, values.rate, values.nodes, values.seed].map(Number);
    if (values.help)
      return refuse("[-- --blocks N] [--rate PER_S] [--nodes N] [--latency modelled|none] [--seed N] [--json]");
    if (!isIn(blocks, QUIET_BLOCKS + 4, 10_000)) return refuse(`--blocks: give ${QUIET_BLOCKS + 4} to 10000.`);
    if (!(rate !== undefined && rate > 0 && rate <= 200)) return refuse("--rate: give more than 0, up to 200.");
    if (!isIn(nodes, 3, 64)) return refuse("--nodes: give 3 to 64.");
    if (!isIn(seed, 0, 2 ** 31 - 1)) return refuse("--seed: give a whole number from 0 on.");
    const { latency: given, json: asJson } = values;
    if (given !== "modelled" && given !== "none") return refuse("--latency: give modelled or none.");
    return { blocks, rate, nodes, seed, latency: given, json: asJson } as const;
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error));
  }
}

function isIn(value: number | undefined, least: number, most: number): value is number {
  return value !== undefined && Number.isInteger(value) && value >= least && value <= most;
}
