import type { Assignment, NodeMessage } from "../../../scheduler/live/transport.ts";
import type { Fault } from "../../../scheduler/node/behaviour/faults.ts";
import { InferenceNode } from "../../../scheduler/node/inference-node.ts";
import type { Latency } from "../../../scheduler/node/behaviour/latency-profile.ts";
import type { ModelRunner, RunOptions } from "../../../scheduler/node/model-runner.ts";
import { encodeTensor } from "../../../scheduler/node/backends/onnx.ts";
import { proversOf } from "../../../scheduler/node/provers.ts";
import { sha256Hex } from "../../../scheduler/proofs/digest.ts";
import { signingKeyFromSeed } from "../../../scheduler/proofs/keys.ts";
import type { NodeTerms } from "../../../scheduler/shared/vocabulary.ts";

export const KEY = signingKeyFromSeed(new Uint8Array(32).fill(7));
export const INPUT = encodeTensor(Array.from({ length: 16 }, (_, i) => i / 16));

/** Options of a run that nobody watches, cancels or waits for. */
export function unhurried(): RunOptions {
  return { signal: new AbortController().signal, tokensOut: 16, withinMs: 60_000, onProgress: () => undefined };
}

export interface NodeUnderTest {
  readonly node: InferenceNode;
  readonly heard: NodeMessage[];
  /** What was said about this copy, progress left out: `accepted`, `answered`, `failed error`, … */
  about(copy: number): readonly string[];
  /** Resolves when this copy's n-th last word (1 for the first) was said. */
  ended(copy: number, words: number): Promise<NodeMessage>;
}

/** A delay of exactly `totalMs` for an assignment of one token. */
export function exactly(totalMs: number): Latency {
  const profile = { firstTokenMs: 0, perTokenMs: totalMs, noiseSigma: 0, stragglerProbability: 0, stragglerFactor: 1 };
  return { kind: "modelled", profiles: { "risk-small": profile } };
}

export function makeNode(options: {
  readonly runner: ModelRunner;
  readonly slots: number;
  readonly queueLimit: number;
  readonly latency: Latency;
  readonly fault: Fault;
  readonly offers?: NodeTerms["offers"];
  readonly concurrency?: ReadonlyMap<string, number>;
}): NodeUnderTest {
  const heard: NodeMessage[] = [];
  const listeners = new Set<() => void>();
  const terms: NodeTerms = {
    id: "node-a",
    key: KEY.publicKeyHex,
    operator: "o",
    region: "r",
    hardware: "h",
    slots: options.slots,
    queueLimit: options.queueLimit,
    offers: options.offers ?? [{ model: "risk-small", mode: "vanilla", priceGwei: 1 }],
  };
  const node = new InferenceNode({
    terms,
    provers: proversOf({ key: KEY, enclave: undefined, zkProvers: new Map() }),
    runner: options.runner,
    temperament: { latency: options.latency, speed: 1, fault: options.fault, luckHex: "00".repeat(32) },
    ...(options.concurrency === undefined ? {} : { concurrency: options.concurrency }),
    say(message) {
      heard.push(message);
      for (const listener of listeners) listener();
    },
  });
  return {
    node,
    heard,
    about: (copy) => about(heard, copy),
    ended: (copy, words) => ended(heard, listeners, copy, words),
  };
}

function about(heard: readonly NodeMessage[], copy: number): readonly string[] {
  return heard.flatMap((message) => {
    if (!("copy" in message) || message.copy !== copy || message.kind === "progressed") return [];
    return message.kind === "failed" ? [`failed ${message.reason}`] : [message.kind];
  });
}

function ended(
  heard: readonly NodeMessage[],
  listeners: Set<() => void>,
  copy: number,
  words: number,
): Promise<NodeMessage> {
  const { promise, resolve } = Promise.withResolvers<NodeMessage>();
  const look = () => {
    const last = heard.filter((m) => (m.kind === "answered" || m.kind === "failed") && m.copy === copy)[words - 1];
    if (last === undefined) return;
    listeners.delete(look);
    resolve(last);
  };
  listeners.add(look);
  look();
  return promise;
}

/** An assignment that an honest node of `makeNode` answers. */
export function assignment(copy: number, changes: Partial<Assignment>): Assignment {
  const input = changes.input ?? INPUT;
  return {
    copy,
    node: "node-a",
    nonce: 1_000 + copy,
    chainId: "pipe-test",
    txHash: "ab".repeat(32),
    callIndex: 0,
    model: "risk-small",
    mode: "vanilla",
    inputHash: sha256Hex(input),
    input,
    tokensIn: 16,
    tokensOut: 1,
    leaseMs: 5_000,
    ...changes,
  };
}
