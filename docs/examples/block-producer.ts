// A block producer that embeds the scheduler: 500 ms blocks, inference before the seal, one reorg to show what happens.
import { setTimeout as sleep } from "node:timers/promises";
import { createPipe, defaultFleet, signingKeyFromSeed, signTransaction } from "pipe-scheduler";

const CHAIN = "example-chain";
const BLOCK_MS = 500;
const BLOCKS = 8;
const CONFIRMATIONS = 2;

const nodes = defaultFleet({ count: 4, seedHex: "00".repeat(32), latency: "modelled", faults: "none" });
const pipe = await createPipe({ directory: undefined, chainId: CHAIN, fleet: { nodes }, logger: "error" });

// A user who asks the risk model about one feature vector per transaction.
const user = signingKeyFromSeed(new Uint8Array(32).fill(1));
await pipe.deposit({ account: user.publicKeyHex, amountGwei: 1_000_000 });
async function ask(nonce: number): Promise<void> {
  const features = new Float32Array(16).fill(nonce / 10);
  const call = {
    model: "risk-small",
    mode: "vanilla",
    input: Buffer.from(features.buffer).toString("base64"),
    tokensIn: 16,
    tokensOut: 1,
    maxFeeGwei: 2_000,
    conflict: { kind: "first-valid" },
    validityBlocks: 16,
  } as const;
  const unsigned = { chainId: CHAIN, sender: user.publicKeyHex, nonce, gasPriceGwei: 1, ttlBlocks: 16, calls: [call] };
  const outcome = await pipe.submit(signTransaction(unsigned, user));
  if (!outcome.ok) throw new Error(outcome.problem.advice);
}

let height = 1;
let reorged = false;
while (height <= BLOCKS) {
  await pipe.openBlock({ height, sealAtMs: Date.now() + BLOCK_MS });
  if (height <= 3 && !reorged) await ask(height - 1);
  await sleep(BLOCK_MS);

  // Never waits for a model: what is ready goes in, the rest waits for the next block.
  const sealed = await pipe.seal({ height, maxTransactions: 100, order: "gas" });
  if (!sealed.ok) throw new Error(sealed.advice);
  for (const { receipt } of sealed.block.receipts) {
    const risk = Buffer.from(receipt.output, "base64").readFloatLE().toFixed(3);
    console.log(`block ${height}: risk ${risk} from ${receipt.node}, ${receipt.feeGwei} gwei`);
  }

  // The chain's own consensus would say these.
  if (height > CONFIRMATIONS) await pipe.committed(height - CONFIRMATIONS);
  if (height === 5 && !reorged) {
    reorged = await pipe.reorged(3);
    console.log("reorg: blocks 3 to 5 are taken back, results are used again");
    height = 3;
  } else height += 1;
}
await pipe.committed(BLOCKS);
const { ledger } = await pipe.statistics();
console.log(`paid ${ledger.paidGwei} gwei, refunded ${ledger.refundedGwei} gwei, held ${ledger.heldGwei} gwei`);
await pipe.close();
