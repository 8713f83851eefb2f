import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { type RawData, type WebSocket, WebSocketServer } from "ws";
import { type Dispatcher, errorText } from "./dispatcher.ts";
import type { RpcLimits } from "./limits.ts";
import type { Subscriber } from "./method.ts";
import { rpcErrorOf } from "./problems.ts";

/** Close codes of RFC 6455. */
const GOING_AWAY = 1001;
const NOT_TEXT = 1003;

/** JSON-RPC over WebSockets, with subscriptions. */
export class WebSockets {
  readonly #server: WebSocketServer;
  readonly #dispatcher: Dispatcher;
  readonly #limits: RpcLimits;
  readonly #open = new Set<Connection>();
  readonly #heartbeat: NodeJS.Timeout;

  constructor(dispatcher: Dispatcher, limits: RpcLimits) {
    this.#dispatcher = dispatcher;
    this.#limits = limits;
    this.#server = new WebSocketServer({
      noServer: true,
      maxPayload: limits.maxBodyBytes,
      // What is small is not worth it, and what is large could be made of very little.
      perMessageDeflate: false,
      clientTracking: false,
    });
    this.#heartbeat = setInterval(() => this.#beat(), limits.heartbeatMs);
    this.#heartbeat.unref();
  }

  get hasRoom(): boolean {
    return this.#open.size < this.#limits.maxWebSockets;
  }

  take(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      const connection = new Connection(webSocket, this.#dispatcher, this.#limits);
      this.#open.add(connection);
      webSocket.once("close", () => {
        this.#open.delete(connection);
        connection.end();
      });
    });
  }

  /** Says farewell to all, and cuts off who does not answer it within the time. */
  async close(limitMs: number): Promise<void> {
    clearInterval(this.#heartbeat);
    this.#server.close();
    const cut = setTimeout(() => {
      for (const connection of this.#open) connection.cut();
    }, limitMs);
    await Promise.all([...this.#open].map((connection) => connection.leave()));
    clearTimeout(cut);
  }

  #beat(): void {
    for (const connection of this.#open) connection.beat();
  }
}

class Connection implements Subscriber {
  readonly #socket: WebSocket;
  readonly #dispatcher: Dispatcher;
  readonly #limits: RpcLimits;
  readonly #subscriptions = new Map<string, () => void>();
  #inFlight = 0;
  #isAlive = true;

  constructor(socket: WebSocket, dispatcher: Dispatcher, limits: RpcLimits) {
    this.#socket = socket;
    this.#dispatcher = dispatcher;
    this.#limits = limits;
    socket.on("message", (data, isBinary) => {
      if (isBinary) socket.close(NOT_TEXT, "JSON-RPC is text");
      else void this.#answer(textOf(data));
    });
    socket.on("pong", () => {
      this.#isAlive = true;
    });
    // What is no WebSocket, or too large: the library closes, and says why to the client.
    socket.on("error", () => undefined);
  }

  async #answer(text: string): Promise<void> {
    if (this.#inFlight >= this.#limits.maxMessagesInFlight) {
      // Which request it was is not looked at: that would be the work that there is too much of.
      return this.#send(errorText(null, rpcErrorOf({ kind: "overloaded" })));
    }
    this.#inFlight++;
    const after: (() => void)[] = [];
    const answer = await this.#dispatcher.answer(text, {
      subscriber: this,
      afterAnswer: (act) => void after.push(act),
    });
    this.#inFlight--;
    if (answer !== undefined) this.#send(answer);
    for (const act of after) act();
  }

  get hasRoom(): boolean {
    return this.#subscriptions.size < this.#limits.maxSubscriptions && this.#socket.readyState === this.#socket.OPEN;
  }

  add(id: string, end: () => void): void {
    this.#subscriptions.set(id, end);
  }

  remove(id: string): boolean {
    this.#subscriptions.get(id)?.();
    return this.#subscriptions.delete(id);
  }

  has(id: string): boolean {
    return this.#subscriptions.has(id);
  }

  notify(id: string, resultText: string): void {
    this.#send(
      `{"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":"${id}","result":${resultText}}}`,
    );
  }

  /** Ends the subscriptions. */
  end(): void {
    for (const end of this.#subscriptions.values()) end();
    this.#subscriptions.clear();
  }

  beat(): void {
    if (!this.#isAlive) return this.cut();
    this.#isAlive = false;
    this.#socket.ping();
  }

  cut(): void {
    this.end();
    this.#socket.terminate();
  }

  leave(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    if (this.#socket.readyState === this.#socket.CLOSED) resolve();
    this.#socket.once("close", () => resolve());
    this.#socket.close(GOING_AWAY, "the node is closing");
    return promise;
  }

  #send(text: string): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    // Who does not read is cut off: what waits for it would fill the memory, and a gap in what it follows would go unnoticed.
    if (this.#socket.bufferedAmount > this.#limits.maxUnreadBytes) return this.cut();
    this.#socket.send(text);
  }
}

function textOf(data: RawData): string {
  if (Array.isArray(data)) return Buffer.concat(data).toString("utf8");
  return (data instanceof ArrayBuffer ? Buffer.from(data) : data).toString("utf8");
}
