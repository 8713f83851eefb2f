import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { ListenFailed, troubleOf } from "./listen-failed.ts";
import { listen, stop } from "../live/listening.ts";
import { Effect } from "effect";
import { PrometheusMetrics } from "effect/observability";
import { METRICS_TYPE } from "./metrics.ts";
import { PROBLEM_TYPE, Problem } from "./problems.ts";

export interface StandbyOptions {
  readonly host: string;
  readonly port: number;
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  /** Why it could not take over if it had to; `undefined` when it could. */
  readonly trouble: () => string | undefined;
}

/** What answers where a scheduler will, while another one leads its shard. */
export interface Standby {
  /** The port that it has; the scheduler takes it over. */
  readonly port: number;
  close(): Promise<void>;
}

const LIMITS = { maxConnections: 256, headersTimeoutMs: 5_000, lookMs: 1_000, stopMs: 500 } as const;

/** Says to everybody that another scheduler is to be asked, and to those who ask for its health that it is well. */
export async function startStandby(options: StandbyOptions): Promise<Standby> {
  const { headersTimeoutMs: timeoutMs, lookMs } = LIMITS;
  const about = { headersTimeout: timeoutMs, requestTimeout: timeoutMs, connectionsCheckingInterval: lookMs };
  const server =
    options.tls === undefined
      ? createServer(about)
      : createTlsServer({ ...about, ...options.tls, minVersion: "TLSv1.2", handshakeTimeout: timeoutMs });
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  server.maxConnections = LIMITS.maxConnections;
  server.on("request", (request, response) => answer(request, response, options.trouble()));
  await listen(server, options).catch((error: NodeJS.ErrnoException) =>
    Promise.reject(new ListenFailed({ message: troubleOf(error, options) })),
  );
  const { port } = server.address() as AddressInfo;
  const close = async (): Promise<void> => {
    // Also of who has not even said hello, of whom Node's server does not know yet: nobody may hold up a scheduler that leads.
    const limit = setTimeout(() => {
      for (const socket of sockets) socket.destroy();
    }, LIMITS.stopMs);
    await stop(server, LIMITS.stopMs);
    clearTimeout(limit);
  };
  return { port, close };
}

function answer(request: IncomingMessage, response: ServerResponse, trouble: string | undefined): void {
  // What is sent is not read: the connection ends with the answer.
  const common = { connection: "close", "cache-control": "no-store" };
  if (request.url === "/health") {
    response.writeHead(200, { ...common, "content-type": "application/json" });
    response.end('{"status":"standby"}');
    return;
  }
  if (request.url === "/metrics") {
    response.writeHead(200, { ...common, "content-type": METRICS_TYPE });
    response.end(Effect.runSync(PrometheusMetrics.format()));
    return;
  }
  const problem = standsBy(trouble);
  response.writeHead(problem.status, { ...common, ...problem.headers, "content-type": PROBLEM_TYPE });
  response.end(problem.text);
}

function standsBy(trouble: string | undefined): Problem {
  return new Problem({
    kind: "standby",
    detail:
      trouble === undefined
        ? "This scheduler stands by and takes over when the leader is gone."
        : `This scheduler stands by, and could not take over: ${trouble}.`,
    advice: "Ask the other schedulers of the shard, and this one again after a second.",
    extra: trouble === undefined ? {} : { reasons: [trouble] },
  });
}
