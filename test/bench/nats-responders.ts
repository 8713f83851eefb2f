/** The other end of the fan-out, in a thread of its own: three bare responders, or three nodes that answer at once. */
import { connect } from "@nats-io/transport-node";
import { parentPort, workerData } from "node:worker_threads";
import type { NodeMessage } from "../../scheduler/live/transport.ts";
import { startNatsNode } from "../../scheduler/nats/index.ts";
import { signingKeyFromSeed } from "../../scheduler/proofs/keys.ts";

export interface RespondersData {
  readonly servers: string;
  readonly kind: "bare" | "nodes";
  readonly chainId: string;
  readonly shard: string;
  readonly scheduler: string;
  readonly outputBytes: number;
}

const NODES = 3;
const { servers, kind, chainId, shard, scheduler, outputBytes } = workerData as RespondersData;
const output = new Uint8Array(outputBytes);

async function respond(index: number): Promise<void> {
  const connection = await connect({ servers });
  connection.subscribe(`bare.${index}`, { callback: (_, message) => void message.respond(output) });
  await connection.flush();
}

async function hostNode(index: number): Promise<void> {
  const key = signingKeyFromSeed(new Uint8Array(32).fill(index + 1));
  const id = `node-${index}`;
  const site = { operator: id, region: id, hardware: "none" };
  const offers = [{ model: "echo", mode: "vanilla", priceGwei: 1 }] as const;
  const terms = { id, key: key.publicKeyHex, ...site, slots: 64, queueLimit: 1_024, offers };
  // What is measured is the way there and back: the signature is made once.
  const proof = { kind: "vanilla", signature: key.sign(output) } as const;
  const create = (say: (message: NodeMessage) => void) => ({
    join: () => say({ kind: "joined", terms }),
    rejoin: () => undefined,
    cancel: () => undefined,
    drain: () => undefined,
    assign: ({ copy }: { readonly copy: number }) => say({ kind: "answered", node: id, copy, output, proof }),
  });
  await startNatsNode({ servers, chainId, shard, schedulers: [scheduler], key, node: { terms, create } });
}

await Promise.all(Array.from({ length: NODES }, (_, index) => (kind === "bare" ? respond(index) : hostNode(index))));
parentPort?.postMessage("ready");
