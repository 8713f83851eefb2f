import { connect, NoRespondersError } from "@nats-io/transport-node";
import { connectionTo, type NatsPlace } from "./authentication.ts";
import { unreachable } from "./unreachable.ts";

export interface RollCallOptions extends NatsPlace {
  /** How long answers are waited for. */
  readonly waitMs: number;
}

/** A node by its own words: nothing of it is signed, and nothing is decided by it. */
export interface PresentNode {
  readonly id: string;
  readonly operator: string;
  readonly region: string;
  readonly hardware: string;
  readonly slots: string;
  readonly models: string;
  readonly modes: string;
  readonly startedAt: string;
  /** Copies since its start. */
  readonly accepted: number;
  readonly answered: number;
  readonly failed: number;
  /** Of those that ended, on average. */
  readonly averageMs: number;
}

/** Answers beyond so many are left out: anybody who may publish could send more. */
const MAX_NODES = 4_096;

/** Asks who is there, as NATS's own tools do with micro-services. Rejects with `NatsUnreachable` when no server takes us. */
export async function rollCall({ waitMs, ...place }: RollCallOptions): Promise<PresentNode[]> {
  const connection = await connect({
    ...connectionTo(place),
    name: "pipe node list",
    reconnect: false,
  }).catch((error: unknown) => Promise.reject(unreachable(place.servers, error)));
  try {
    const nodes = new Map<string, PresentNode>();
    const answers = await connection.requestMany("$SRV.STATS.pipe-node", "", {
      strategy: "timer",
      maxWait: waitMs,
      maxMessages: MAX_NODES,
    });
    for await (const { data } of answers) {
      const node = nodeOf(Buffer.from(data).toString());
      if (node !== undefined) nodes.set(node.id, node);
    }
    return [...nodes.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  } catch (error) {
    // Nobody listens: there is no node.
    if (error instanceof Error && [error, error.cause].some((one) => one instanceof NoRespondersError)) return [];
    throw error;
  } finally {
    await connection.close();
  }
}

function nodeOf(text: string): PresentNode | undefined {
  try {
    const { metadata, started, endpoints } = JSON.parse(text) as {
      readonly metadata: Readonly<Record<string, unknown>>;
      readonly started: unknown;
      readonly endpoints: readonly {
        readonly average_processing_time: unknown;
        readonly data: Record<string, unknown>;
      }[];
    };
    const [endpoint] = endpoints;
    const word = (name: string): string => wordOf(metadata[name]);
    const { accepted, answered, failed } = endpoint?.data ?? {};
    return {
      id: word("node"),
      operator: word("operator"),
      region: word("region"),
      hardware: word("hardware"),
      slots: word("slots"),
      models: word("models"),
      modes: word("modes"),
      startedAt: wordOf(started),
      accepted: countOf(accepted),
      answered: countOf(answered),
      failed: countOf(failed),
      averageMs: countOf(endpoint?.average_processing_time) / 1_000_000,
    };
  } catch {
    // Whoever may publish may answer anything.
    return undefined;
  }
}

/** Nothing that a terminal would take for an order. */
function wordOf(value: unknown): string {
  return typeof value === "string" && /^[\x20-\x7e]{0,512}$/.test(value) ? value : "?";
}

function countOf(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) ? value : 0;
}
