import type { Assignment, NodeMessage, RegistrationEpoch, Transport } from "../../../scheduler/live/transport.ts";
import { sha256Hex } from "../../../scheduler/proofs/digest.ts";
import { type SigningKey, signingKeyFromSeed } from "../../../scheduler/proofs/keys.ts";
import { encodeStatement } from "../../../scheduler/proofs/statement.ts";
import type { NodeTerms } from "../../../scheduler/shared/vocabulary.ts";

/** What a scripted node does with an assignment; says nothing by itself. */
export type Script = (assignment: Assignment, node: ScriptedNode, say: (message: NodeMessage) => void) => void;

export interface ScriptedNode {
  readonly terms: NodeTerms;
  readonly key: SigningKey;
  readonly script: Script;
  /** How it registers in an epoch; by its terms alone, unless it has this. */
  joined?(epoch: RegistrationEpoch): NodeMessage;
}

/** Signs honestly whatever output it is given: for the assignment as it is, or with fields changed. */
export function answerTo(
  { terms, key }: ScriptedNode,
  assignment: Assignment,
  changes: Partial<Assignment> = {},
  output: Uint8Array = Buffer.from(`answer to ${assignment.inputHash}`),
): NodeMessage {
  const signed = { ...assignment, ...changes };
  const statement = { ...signed, outputHash: sha256Hex(output) };
  const signature = key.sign(encodeStatement(statement));
  return { kind: "answered", node: terms.id, copy: assignment.copy, output, proof: { kind: "vanilla", signature } };
}

export const honest: Script = (assignment, node, say) => {
  say({ kind: "accepted", node: node.terms.id, copy: assignment.copy });
  say(answerTo(node, assignment));
};

export const silent: Script = () => undefined;

export function scriptedNode(index: number, script: Script): ScriptedNode {
  const key = signingKeyFromSeed(new Uint8Array(32).fill(100 + index));
  const terms: NodeTerms = {
    id: `node-${index}`,
    key: key.publicKeyHex,
    operator: `operator-${index}`,
    region: `region-${index}`,
    hardware: "none",
    slots: 64,
    queueLimit: 1024,
    offers: [{ model: "echo", mode: "vanilla", priceGwei: 10 }],
  };
  return { terms, key, script };
}

/** Nodes that follow a script instead of running models: for what no honest or merely faulty node would do. */
export class ScriptedNodes implements Transport {
  readonly #nodes: ReadonlyMap<string, ScriptedNode>;
  readonly dispatched: Assignment[] = [];
  readonly cancelled: number[] = [];
  say: (message: NodeMessage) => void = () => undefined;
  epoch: RegistrationEpoch | undefined;
  closed = false;

  constructor(nodes: readonly ScriptedNode[]) {
    this.#nodes = new Map(nodes.map((node) => [node.terms.id, node]));
  }

  onMessage(receive: (message: NodeMessage) => void): void {
    this.say = receive;
  }

  announce(epoch: RegistrationEpoch): void {
    this.epoch = epoch;
  }

  async start(): Promise<void> {
    for (const node of this.#nodes.values()) {
      const said = this.epoch === undefined ? undefined : node.joined?.(this.epoch);
      this.say(said ?? { kind: "joined", terms: node.terms });
    }
  }

  dispatch(assignment: Assignment): void {
    this.dispatched.push(assignment);
    const node = this.#nodes.get(assignment.node);
    if (node !== undefined) setImmediate(() => node.script(assignment, node, this.say));
  }

  cancel(_node: string, copy: number): void {
    this.cancelled.push(copy);
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}
