import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { listen, stop } from "../../live/listening.ts";
import { Access } from "./access.ts";
import type { EvmBackend } from "./backend.ts";
import { readBody } from "./body.ts";
import type { ChainIndex } from "./chain-index.ts";
import { Dispatcher, errorText, invalidRequest } from "./dispatcher.ts";
import { chainGate, type RpcFace } from "./face.ts";
import { Filters } from "./filters.ts";
import { assertRpcLimits, DEFAULT_RPC_LIMITS, type RpcLimits } from "./limits.ts";
import type { Caller } from "./method.ts";
import { rpcMethods } from "./methods.ts";
import { CODES, type RpcError, rpcErrorOf } from "./problems.ts";
import { Subscriptions } from "./subscriptions.ts";
import { WebSockets } from "./web-sockets.ts";

export interface RpcServerOptions {
  readonly backend: EvmBackend;
  readonly index: ChainIndex;
  readonly host: string;
  /** 0 for one that is free. */
  readonly port: number;
  /** Origins whose pages may ask, such as `https://wallet.example`; `*` for all. None without it. */
  readonly allowOrigins?: readonly string[];
  /** Names by which the server may be asked. Without it: loopback names on a loopback address, any on others. */
  readonly allowHosts?: readonly string[];
  /** What differs from `DEFAULT_RPC_LIMITS`. */
  readonly limits?: Partial<RpcLimits>;
  /** A method met a fault of our own, or of the backend. Without it nobody hears of it. */
  readonly onFault?: (error: unknown, method: string) => void;
}

export interface RpcServer {
  readonly url: string;
  readonly wsUrl: string;
  /** Takes nothing new, lets requests under way end, and after a time ends them. */
  close(): Promise<void>;
}

/** Over HTTP nobody can be told anything later. */
const HTTP_CALLER: Caller = { subscriber: undefined, afterAnswer: () => undefined };

/**
 * Serves JSON-RPC over HTTP and WebSocket on one port (docs/EVM-RPC.md). Rejects with the system's error when it cannot listen
 * there.
 */
export async function startRpcServer(options: RpcServerOptions): Promise<RpcServer> {
  const { backend, index, host, port, allowOrigins = [], allowHosts = [], onFault = () => undefined } = options;
  const limits = { ...DEFAULT_RPC_LIMITS, ...options.limits };
  assertRpcLimits(limits);
  const ask = chainGate(limits, limits.maxChainRequests);
  const face: RpcFace = { backend, index, limits, ask, send: chainGate(limits, limits.maxTransactionsUnderWay) };
  const filters = new Filters(face, () => performance.now());
  const subscriptions = new Subscriptions(face);
  const dispatcher = new Dispatcher(rpcMethods(face, filters, subscriptions), limits, onFault);
  const webSockets = new WebSockets(dispatcher, limits);
  const door = new Door(new Access({ host, allowOrigins, allowHosts }), dispatcher, limits);
  const server = createServer({
    maxHeaderSize: limits.maxHeaderBytes,
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    connectionsCheckingInterval: Math.min(1_000, Math.ceil(limits.headersTimeoutMs / 4)),
    keepAliveTimeout: limits.keepAliveMs,
    noDelay: true,
  });
  server.maxConnections = limits.maxConnections;
  // A client that does not read its answer.
  server.timeout = limits.requestTimeoutMs * 2;
  server.on("request", (request, response) => void door.request(request, response));
  server.on("upgrade", (request, socket, head) => door.upgrade(request, socket, head, webSockets));
  try {
    await listen(server, { host, port });
  } catch (error) {
    await webSockets.close(0);
    subscriptions.close();
    filters.close();
    throw error;
  }
  const address = addressOf(server);
  let closed: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    door.isClosing = true;
    const stopped = stop(server, limits.stopMs);
    await webSockets.close(limits.stopMs);
    await stopped;
    subscriptions.close();
    filters.close();
  };
  return {
    url: `http://${address}`,
    wsUrl: `ws://${address}`,
    close: () => {
      closed ??= close();
      return closed;
    },
  };
}

/** What stands before the methods: who may come in, and how. */
class Door {
  readonly #access: Access;
  readonly #dispatcher: Dispatcher;
  readonly #limits: RpcLimits;
  #underWay = 0;
  #reading = 0;
  #unread = 0;
  isClosing = false;

  constructor(access: Access, dispatcher: Dispatcher, limits: RpcLimits) {
    this.#access = access;
    this.#dispatcher = dispatcher;
    this.#limits = limits;
  }

  async request(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const cors = this.#access.corsHeaders(request);
    response.on("error", () => undefined);
    if (request.method === "OPTIONS" && this.#access.isHostAllowed(request)) return preflight(response, cors);
    const refusal = this.#refusal(request);
    if (refusal !== undefined) return refuse(response, refusal, cors);
    const reserved = announcedBytes(request, this.#limits.maxBodyBytes);
    this.#underWay++;
    this.#reading += reserved;
    const body = await readBody(request, this.#limits.maxBodyBytes);
    this.#reading -= reserved;
    if (body === "broken") response.destroy();
    else if (body === "too-large") refuse(response, tooLarge(this.#limits.maxBodyBytes), cors);
    else this.#tell(response, await this.#dispatcher.answer(body.toString("utf8"), HTTP_CALLER), cors);
    this.#underWay--;
  }

  #tell(response: ServerResponse, answer: string | undefined, cors: Readonly<Record<string, string>>): void {
    // Who asked is gone: nobody reads it.
    if (response.destroyed) return;
    const length = answer?.length ?? 0;
    if (this.#unread + length > this.#limits.maxUnreadCharacters) return refuse(response, OVERLOADED, cors);
    this.#unread += length;
    response.once("close", () => {
      this.#unread -= length;
    });
    write(response, answer === undefined ? 204 : 200, answer, cors);
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, webSockets: WebSockets): void {
    socket.on("error", () => undefined);
    if (!this.#access.isHostAllowed(request)) return drop(socket, "403 Forbidden", FORBIDDEN_HOST);
    if (!this.#access.isSocketAllowed(request)) return drop(socket, "403 Forbidden", FORBIDDEN_ORIGIN);
    if (pathOf(request) !== "/") return drop(socket, "404 Not Found", NO_PATH);
    if (this.isClosing) return drop(socket, "503 Service Unavailable", rpcErrorOf({ kind: "closed" }));
    if (!webSockets.hasRoom) return drop(socket, "503 Service Unavailable", rpcErrorOf({ kind: "overloaded" }));
    webSockets.take(request, socket, head);
  }

  #refusal(request: IncomingMessage): Refusal | undefined {
    if (!this.#access.isHostAllowed(request)) return { status: 403, error: FORBIDDEN_HOST };
    if (pathOf(request) !== "/") return { status: 404, error: NO_PATH };
    if (request.method !== "POST") return { status: 405, error: NOT_POST, headers: { allow: "POST, OPTIONS" } };
    const type = request.headers["content-type"]?.split(";")[0]?.trim().toLowerCase();
    if (type === undefined || !JSON_TYPES.has(type)) return { status: 415, error: NOT_JSON };
    if (this.isClosing) return { status: 503, error: rpcErrorOf({ kind: "closed" }) };
    // A client that sends further requests without waiting has no more of them answered at a time than this.
    if (this.#underWay >= this.#limits.maxConnections) return OVERLOADED;
    const reading = this.#reading + announcedBytes(request, this.#limits.maxBodyBytes);
    return reading > this.#limits.maxBodyBytesInFlight ? OVERLOADED : undefined;
  }
}

interface Refusal {
  readonly status: number;
  readonly error: RpcError;
  readonly headers?: Readonly<Record<string, string>>;
}

const OVERLOADED: Refusal = { status: 503, error: rpcErrorOf({ kind: "overloaded" }) };

/** What the body may come to take: as much as is taken at all where it does not say. */
function announcedBytes({ headers }: IncomingMessage, limit: number): number {
  const length = headers["content-length"];
  return length === undefined ? limit : Math.min(Number(length), limit);
}

const JSON_TYPES: ReadonlySet<string> = new Set([
  "application/json",
  "application/json-rpc",
  "application/jsonrequest",
]);

const refused = (message: string, advice: string): RpcError => ({
  ...invalidRequest(message),
  data: { kind: "invalid-request", advice },
});
const FORBIDDEN_HOST = refused(
  "this name is not one of the server's",
  "Ask by a loopback name, or have the operator allow the host.",
);
const FORBIDDEN_ORIGIN = refused("the page's origin is not allowed", "Have the operator allow the origin.");
const NO_PATH = refused("there is nothing at this path", "Ask at the path /.");
const NOT_POST = refused("JSON-RPC goes by POST, or over a WebSocket", "Send a POST with the request as its body.");
const NOT_JSON = refused("the body is not declared as JSON", "Send content-type: application/json.");

function tooLarge(limit: number): Refusal {
  const error = {
    ...refused(`content length too large, limit ${limit} bytes`, "Send fewer requests at a time."),
    code: CODES.invalidRequest,
  };
  return { status: 413, error, headers: { connection: "close" } };
}

function refuse(
  response: ServerResponse,
  { status, error, headers }: Refusal,
  cors: Readonly<Record<string, string>>,
): void {
  write(response, status, errorText(null, error), { ...cors, ...headers });
}

function write(
  response: ServerResponse,
  status: number,
  text: string | undefined,
  headers: Readonly<Record<string, string>>,
): void {
  if (response.destroyed) return;
  const length =
    text === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(text) };
  response.writeHead(status, {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    ...headers,
    ...length,
  });
  response.end(text);
}

function preflight(response: ServerResponse, cors: Readonly<Record<string, string>>): void {
  const isAllowed = cors["access-control-allow-origin"] !== undefined;
  const told = {
    "access-control-allow-methods": "POST",
    "access-control-allow-headers": "content-type",
    "access-control-max-age": "600",
  };
  write(response, isAllowed ? 204 : 403, undefined, isAllowed ? { ...cors, ...told } : {});
}

function drop(socket: Duplex, status: string, error: RpcError): void {
  const text = errorText(null, error);
  const lines = [
    `HTTP/1.1 ${status}`,
    "content-type: application/json",
    `content-length: ${Buffer.byteLength(text)}`,
    "connection: close",
  ];
  socket.end([...lines, "", text].join("\r\n"));
}

function pathOf({ url = "/" }: IncomingMessage): string {
  const end = url.search(/[?#]/);
  return end === -1 ? url : url.slice(0, end);
}

function addressOf(server: Server): string {
  const { address, port, family } = server.address() as AddressInfo;
  return `${family === "IPv6" ? `[${address}]` : address}:${port}`;
}
