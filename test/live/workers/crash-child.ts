import { setTimeout as sleep } from "node:timers/promises";
import { createPipe, defaultFleet, type Pipe, signingKeyFromSeed, signTransaction } from "../../../scheduler/index.ts";

/**
 * A scheduler with its nodes, a block producer that also meets reorgs, and a user, in a process that is there to be killed.
 * Arguments: directory, and `serve` (until killed) or `drain` (until nothing is pending, then a clean end). Each accepted
 * transaction is told on standard output, synchronously, since what was told must survive.
 */
const [directory, task] = process.argv.slice(2);
if (directory === undefined) throw new Error("the first argument is the directory");

const CHAIN = "crash-test";
const MODEL = { model: "risk-small", mode: "vanilla", tokensIn: 10, tokensOut: 15 } as const;
const BLOCK_MS = 60;
const key = signingKeyFromSeed(new Uint8Array(32).fill(9));

/** Two honest nodes, one that signs wrongly and one that fails every other copy: the others would only take time to start. */
const NODES = ["alder-1", "birch-1", "elm-1", "fir-1"];
const fleet = defaultFleet({ count: 6, seedHex: "00".repeat(32), latency: "modelled", faults: "some" });

const pipe = await createPipe({
  directory,
  chainId: CHAIN,
  fleet: { nodes: fleet.filter(({ id }) => NODES.includes(id)) },
  policy: { kind: "hedge", delayMs: 100, maxCopies: 3 },
  limits: { batchesPerSnapshot: 40 },
  logger: "error",
});
void pipe.failed.then((error) => {
  console.error(error);
  process.exit(3);
});
if ((await pipe.account(key.publicKeyHex)) === undefined) {
  await pipe.deposit({ account: key.publicKeyHex, amountGwei: 1_000_000_000 });
}
console.log("up");
const blocks = produceBlocks(pipe, (await pipe.statistics()).sizes.height);
if (task === "serve") await submitForever(pipe);
await drained(pipe);
await blocks.stop();
await pipe.close();
console.log("closed");

function produceBlocks(target: Pipe, firstHeight: number) {
  let going = true;
  const run = async (): Promise<void> => {
    for (let height = firstHeight, round = 1; going; round++) {
      await target.openBlock({ height, sealAtMs: Date.now() + BLOCK_MS });
      await sleep(BLOCK_MS);
      const outcome = await target.seal({ height, maxTransactions: 20, order: round % 2 === 0 ? "gas" : "arrival" });
      if (!outcome.ok) throw new Error(outcome.advice);
      if (height >= 2) await target.committed(height - 2);
      // Every ninth block the chain takes back three, of which one was committed.
      if (round % 9 === 0 && height >= 4 && task === "serve") await target.reorged(height - 2);
      height = (await target.statistics()).sizes.height;
    }
    await target.committed(Number.MAX_SAFE_INTEGER);
  };
  const done = run();
  return {
    async stop(): Promise<void> {
      going = false;
      await done;
    },
  };
}

async function submitForever(target: Pipe): Promise<never> {
  for (;;) {
    const nonce = (await target.account(key.publicKeyHex))?.nextNonce ?? 0;
    const input = Buffer.from(new Float32Array(16).fill(nonce / 100).buffer).toString("base64");
    const call = {
      ...MODEL,
      input,
      maxFeeGwei: 2_000,
      conflict: { kind: "first-valid" },
      validityBlocks: 400,
    } as const;
    const calls = Array.from({ length: nonce % 4 }, () => call);
    const unsigned = {
      chainId: CHAIN,
      sender: key.publicKeyHex,
      nonce,
      gasPriceGwei: 1 + (nonce % 5),
      ttlBlocks: 400,
      calls,
    };
    const outcome = await target.submit(signTransaction(unsigned, key));
    if (outcome.ok) console.log(`accepted ${outcome.hash}`);
    else if (outcome.problem.kind !== "rejected") throw new Error(outcome.problem.advice);
    await sleep(outcome.ok ? 5 : 50);
  }
}

async function drained(target: Pipe): Promise<void> {
  while ((await target.statistics()).sizes.pending > 0) await sleep(20);
}
