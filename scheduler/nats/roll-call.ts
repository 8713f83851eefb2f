import { connect } from "@nats-io/transport-node";
import { authenticatorOf, type NatsAuthentication, type NatsTls } from "./authentication.ts";

export interface RollCallOptions {
  readonly servers: string | readonly string[];
  readonly authentication?: NatsAuthentication;
  readonly tls?: NatsTls;
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

/** Asks who is there, as NATS's own tools do with micro-services. Rejects with the library's error when no server is there. */
export async function rollCall({ servers, authentication, tls, waitMs }: RollCallOptions): Promise<PresentNode[]> {
  const connection = await connect({
    servers: typeof servers === "string" ? servers : [...servers],
    name: "pipe node list",
    reconnect: false,
    ...(authentication === undefined ? {} : { authenticator: authenticatorOf(authentication) }),
    ...(tls === undefined ? {} : { tls }),
  });
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
