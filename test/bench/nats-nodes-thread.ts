/**
 * What answers in the benchmark of NATS, on a thread of its own: three responders without anything around them, and three nodes of
 * the protocol that sign what they are asked at once.
 */
import { parentPort, workerData } from "node:worker_threads";
import { connect } from "@nats-io/transport-node";
import type { Assignment, NodeMessage } from "../../scheduler/live/transport.ts";
import { type HostedNode, startNatsNode } from "../../scheduler/nats/index.ts";
import { sha256Hex } from "../../scheduler/proofs/digest.ts";
import { type SigningKey, signingKeyFromSeed } from "../../scheduler/proofs/keys.ts";
import { encodeStatement } from "../../scheduler/proofs/statement.ts";
import type { NodeTerms } from "../../scheduler/shared/vocabulary.ts";

const { servers, chainId, shard, scheduler, answerBytes } = workerData as {
  servers: string;
  chainId: string;
  shard: string;
  scheduler: string;
  answerBytes: number;
};
const answer = new Uint8Array(answerBytes);
const REPORT_MS = 250;

const bare = await connect({ servers });
for (const index of [0, 1, 2]) {
  bare.subscribe(`bare.${index}`, { callback: (_, message) => void message.respond(answer) });
}
await bare.flush();

class Signer implements HostedNode {
  readonly #terms: NodeTerms;
  readonly #key: SigningKey;
  readonly #say: (message: NodeMessage) => void;

  constructor(terms: NodeTerms, key: SigningKey, say: (message: NodeMessage) => void) {
    this.#terms = terms;
    this.#key = key;
    this.#say = say;
  }

  join(): void {
    this.rejoin();
    // Who says nothing for seconds has left.
    setInterval(() => {
      this.#say({ kind: "reported", node: this.#terms.id, running: 0, queued: 0, warm: ["echo"] });
    }, REPORT_MS);
  }

  rejoin(): void {
    this.#say({ kind: "joined", terms: this.#terms });
  }

  assign(assignment: Assignment): void {
    const { copy } = assignment;
    const [node, output] = [this.#terms.id, assignment.input];
    this.#say({ kind: "accepted", node, copy });
    const signature = this.#key.sign(encodeStatement({ ...assignment, node, outputHash: sha256Hex(output) }));
    this.#say({ kind: "answered", node, copy, output, proof: { kind: "vanilla", signature } });
  }

  cancel(): void {}

  drain(): void {}
}

for (const index of [0, 1, 2]) {
  const key = signingKeyFromSeed(new Uint8Array(32).fill(50 + index));
  const id = `bench-${index}`;
  const place = { operator: `operator-${index}`, region: `region-${index}`, hardware: "none" };
  const offers = [{ model: "echo", mode: "vanilla", priceGwei: 10 }] as const;
  const terms = { id, key: key.publicKeyHex, ...place, slots: 256, queueLimit: 4_096, offers };
  const create = (say: (message: NodeMessage) => void): HostedNode => new Signer(terms, key, say);
  await startNatsNode({ servers, chainId, shard, schedulers: [scheduler], key, node: { terms, create } });
}
parentPort?.postMessage("ready");
