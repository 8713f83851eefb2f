import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The request's body, parsed. */
  readonly body: Record<string, unknown>;
  /** Counted from 0. */
  readonly index: number;
}

export interface ChatServer {
  /** Up to and with `/v1`. */
  readonly url: string;
  readonly exchanges: Exchange[];
  /** Sockets that were opened in all. */
  readonly sockets: Socket[];
  close(): Promise<void>;
}

/** A real server on a port of its own, which answers each request as the test says. */
export async function chatServer(answer: (exchange: Exchange) => unknown): Promise<ChatServer> {
  const exchanges: Exchange[] = [];
  const sockets: Socket[] = [];
  const server = createServer(async (request, response) => {
    let text = "";
    for await (const piece of request) text += piece;
    const body = text === "" ? {} : (JSON.parse(text) as Record<string, unknown>);
    const exchange = { request, response, body, index: exchanges.length };
    exchanges.push(exchange);
    await answer(exchange);
  });
  server.on("connection", (socket) => sockets.push(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    exchanges,
    sockets,
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

export function beginStream(response: ServerResponse): void {
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.flushHeaders();
}

/** One event of a stream that carries this text. */
export function chunk(content: string): string {
  return `data: ${JSON.stringify({ object: "chat.completion.chunk", choices: [{ index: 0, delta: { content } }] })}\n\n`;
}

/** The last events of a stream. */
export const STOP =
  `data: ${JSON.stringify({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }] })}\n\n` +
  `data: ${JSON.stringify({ choices: [], usage: { prompt_tokens: 3, completion_tokens: 7 } })}\n\n` +
  "data: [DONE]\n\n";

/** Answers with these pieces of text, all at once. */
export function answerWith(...texts: string[]): (exchange: Exchange) => void {
  return ({ response }) => {
    beginStream(response);
    response.end(texts.map(chunk).join("") + STOP);
  };
}
