import { parentPort, workerData } from "node:worker_threads";
import { EvmChain } from "../../mempool/evm/chain.ts";
import type { EvmGenesis } from "../../mempool/evm/genesis.ts";
import { parseTransaction } from "../../mempool/evm/transaction.ts";
import { assert } from "../shared/assert.ts";
import type { Asked, Answered } from "./chain-thread.ts";
import { warmUp } from "./warm-up.ts";

/** The thread of a `ChainThread`: one chain, asked one thing after the other. */
const port = parentPort;
assert(port !== null, "runs in a worker thread only");
const genesis = workerData as EvmGenesis;
const chain = await EvmChain.create(genesis);
await warmUp(chain);

let turn: Promise<void> = Promise.resolve();
port.on("message", ({ id, method, args }: Asked) => {
  turn = turn.then(async () => {
    let answered: Answered;
    try {
      answered = { id, ok: true, value: await answer(method, args) };
    } catch (error) {
      answered = { id, ok: false, message: error instanceof Error ? error.message : String(error) };
    }
    port.postMessage(answered);
  });
});

function answer(method: Asked["method"], args: readonly unknown[]): unknown {
  // Finding a sender takes a millisecond, which the host's thread has better uses for.
  if (method === "parse") return parseTransaction(args[0] as Uint8Array, genesis);
  const act = chain[method] as (...given: readonly unknown[]) => unknown;
  return act.call(chain, ...args);
}

port.postMessage({ id: -1, ok: true, value: chain.head } satisfies Answered);
