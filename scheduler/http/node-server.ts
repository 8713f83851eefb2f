import { createServer, type Server, STATUS_CODES } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { Socket } from "node:net";
import type { HttpLimits } from "./limits.ts";
import type { HttpMeters, Refusal } from "./metrics.ts";
import { PROBLEM_TYPE, Problem } from "./problems.ts";

/** Node's server with everything bounded that comes before a request is known; what it refuses gets a problem, too. */
export function createNodeServer(
  tls: { readonly cert: string; readonly key: string } | undefined,
  limits: HttpLimits,
  meters: HttpMeters,
): Server {
  const { headersTimeoutMs, requestTimeoutMs } = limits;
  const options = {
    maxHeaderSize: limits.maxHeaderBytes,
    headersTimeout: headersTimeoutMs,
    requestTimeout: requestTimeoutMs,
    // How late a slow client may be found out.
    connectionsCheckingInterval: Math.min(1_000, Math.ceil(headersTimeoutMs / 4)),
    keepAliveTimeout: limits.keepAliveMs,
    noDelay: true,
  };
  const server =
    tls === undefined
      ? createServer(options)
      : createTlsServer({ ...options, ...tls, minVersion: "TLSv1.2", handshakeTimeout: headersTimeoutMs });
  // Also of a follower that has stopped reading: what cannot be written to it is no sign of life.
  server.timeout = limits.idleTimeoutMs;
  server.maxConnections = limits.maxConnections + limits.maxRefusedConnections;
  server.on("drop", () => meters.refused("too-many-connections"));
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => {
    const reason = reasonOf(error.code);
    if (reason !== undefined) meters.refused(reason);
    if (reason === undefined || !isUnanswered(socket)) return void socket.destroy();
    socket.end(rawResponse(WORDS[reason]));
    // What still comes is not read: a reset could overtake the answer.
    setTimeout(() => socket.destroy(), LINGER_MS).unref();
  });
  return server;
}

const LINGER_MS = 500;

/** Connections that are open. */
export function countConnections(server: Server, meters: HttpMeters): () => number {
  let count = 0;
  const tell = (change: number): void => {
    count += change;
    meters.connections(count);
  };
  server.on("connection", (socket: Socket) => {
    tell(1);
    socket.once("close", () => tell(-1));
  });
  return () => count;
}

function reasonOf(code: string | undefined): Exclude<Refusal, "too-many-connections"> | undefined {
  if (code === "HPE_HEADER_OVERFLOW") return "headers-too-large";
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") return "too-slow";
  return code?.startsWith("HPE_") ? "malformed" : undefined;
}

const WORDS = {
  "headers-too-large": new Problem({
    kind: "headers-too-large",
    detail: "The request's line and headers are larger than is taken.",
    advice: "Send fewer and shorter headers.",
  }),
  "too-slow": new Problem({
    kind: "too-slow",
    detail: "The request did not come whole within the time that there is for it.",
    advice: "Send it again, faster: nothing was done.",
  }),
  malformed: new Problem({
    kind: "malformed",
    detail: "What came is no HTTP request.",
    advice: "Speak HTTP/1.1, and TLS only where the server does.",
    extra: { path: "" },
  }),
} as const;

/** Whether no response is being written to it: in the middle of one, another would be taken for a part of it. */
function isUnanswered(socket: Socket): boolean {
  // Node keeps the response under way here, and looks at it for the same purpose.
  const { _httpMessage: response } = socket as Socket & { _httpMessage?: { headersSent: boolean } | null };
  return socket.writable && response?.headersSent !== true;
}

function rawResponse(problem: Problem): string {
  const { status, text } = problem;
  return [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}`,
    `content-type: ${PROBLEM_TYPE}`,
    `content-length: ${Buffer.byteLength(text)}`,
    "connection: close",
    "",
    text,
  ].join("\r\n");
}
