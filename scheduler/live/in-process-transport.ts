import type { EmbeddedNode } from "../node/embedded-node.ts";
import { embeddedNodeProblem } from "../node/embedded-node.ts";
import type { EmulatorRoot } from "../node/enclave-emulator.ts";
import { NodeThread } from "../node/node-thread.ts";
import { readWasmBinary } from "../node/wasm-binary.ts";
import { assert } from "../shared/assert.ts";
import type { Assignment, NodeMessage, RegistrationEpoch, Transport } from "./transport.ts";

export { defaultFleet } from "../node/default-fleet.ts";
export type { EmbeddedNode } from "../node/embedded-node.ts";

export interface InProcessTransportOptions {
  /** 1 to 64 nodes with distinct ids. */
  readonly nodes: readonly EmbeddedNode[];
  /**
   * Root of the nodes' enclaves, which are emulated and protect nothing: their documents begin with it. Without it nodes cannot
   * offer anything in mode `tee`.
   */
  readonly emulator?: EmulatorRoot;
  /** Told when a node's thread ended unasked; the node has left by then, and is started again after a while. */
  readonly onCrash?: (node: string, error: Error) => void;
}

export interface InProcessTransport extends Transport {
  /** Ends a node's thread without warning, to show or test what a crash does. Unknown nodes are ignored. */
  crash(node: string): Promise<void>;
}

const MAX_NODES = 64;

/**
 * Inference nodes inside this process, each in a worker thread of its own. A thread that dies makes its node leave; it is
 * started again and joins again, after 0.2 s at first and at most 10 s. Throws on a wrong description of a node.
 */
export function createInProcessTransport(options: InProcessTransportOptions): InProcessTransport {
  const { nodes } = options;
  assert(nodes.length >= 1 && nodes.length <= MAX_NODES, `an in-process fleet has 1 to ${MAX_NODES} nodes`);
  assert(new Set(nodes.map((node) => node.id)).size === nodes.length, "node ids are distinct");
  for (const node of nodes) {
    const problem = embeddedNodeProblem(node);
    if (problem !== undefined) throw new RangeError(problem);
    if (options.emulator === undefined && node.offers.some(({ mode }) => mode === "tee"))
      throw new RangeError(`${node.id}: offers in mode tee need an enclave; give the transport an emulator root`);
  }
  return new ThreadedNodes(options);
}

class ThreadedNodes implements InProcessTransport {
  readonly #options: InProcessTransportOptions;
  readonly #threads = new Map<string, NodeThread>();
  #receive: ((message: NodeMessage) => void) | undefined;
  #epoch: RegistrationEpoch | undefined;
  #closed = false;

  constructor(options: InProcessTransportOptions) {
    this.#options = options;
  }

  onMessage(receive: (message: NodeMessage) => void): void {
    assert(this.#receive === undefined, "a transport has one receiver");
    this.#receive = receive;
  }

  announce(epoch: RegistrationEpoch): void {
    this.#epoch = epoch;
    for (const thread of this.#threads.values()) thread.announce(epoch);
  }

  async start(): Promise<void> {
    const receive = this.#receive;
    assert(receive !== undefined, "onMessage is called before start");
    assert(this.#threads.size === 0 && !this.#closed, "a transport starts once");
    const wasmBinary = readWasmBinary();
    const { emulator, onCrash = () => undefined } = this.#options;
    for (const node of this.#options.nodes) {
      this.#threads.set(node.id, new NodeThread({ node, wasmBinary, emulator, receive, onCrash }));
    }
    if (this.#epoch !== undefined) this.announce(this.#epoch);
    await Promise.all(Array.from(this.#threads.values(), (thread) => thread.start()));
  }

  dispatch(assignment: Assignment): void {
    this.#threads.get(assignment.node)?.assign(assignment);
  }

  cancel(node: string, copy: number): void {
    this.#threads.get(node)?.cancel(copy);
  }

  async crash(node: string): Promise<void> {
    await this.#threads.get(node)?.crash();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(Array.from(this.#threads.values(), (thread) => thread.close()));
  }
}
