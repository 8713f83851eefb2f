import { OpenAiBackend, type OpenAiSettings } from "../../../../scheduler/node/backends/openai.ts";
import type { Run, RunOptions } from "../../../../scheduler/node/model-runner.ts";
import { unhurried } from "../node-under-test.ts";
import { type ChatServer, chatServer, type Exchange } from "./chat-server.ts";

const SETTINGS: Omit<OpenAiSettings, "url"> = {
  name: "org/model",
  apiKey: undefined,
  temperature: 0,
  seed: 0,
  tokensField: "max_tokens",
  usage: "asked",
  firstTokenMs: 5_000,
  totalMs: 10_000,
  outputBytes: 1_000,
  retries: 2,
};

const servers: ChatServer[] = [];
/** Ends the servers of a test. */
export async function endServers(): Promise<void> {
  for (const server of servers.splice(0)) await server.close();
}

export async function serving(answer: (exchange: Exchange) => unknown): Promise<ChatServer> {
  const server = await chatServer(answer);
  servers.push(server);
  return server;
}

export function backendAt(server: Pick<ChatServer, "url">, changes: Partial<OpenAiSettings> = {}): OpenAiBackend {
  return new OpenAiBackend({ ...SETTINGS, url: server.url, ...changes }, () => undefined);
}

const PROMPT = new TextEncoder().encode("What is a block?");

export function ask(backend: OpenAiBackend, options: Partial<RunOptions> = {}, input = PROMPT): Promise<Run> {
  return backend.run(input, { ...unhurried(), ...options });
}

export function text(run: Run): string {
  return run.ok ? new TextDecoder().decode(run.output) : `failed: ${run.why}`;
}

/** Resolves when the connection of the request is closed, with whether the answer had been sent whole by then. */
export function closed({ request, response }: Exchange): Promise<{ readonly finished: boolean }> {
  const { promise, resolve } = Promise.withResolvers<{ readonly finished: boolean }>();
  request.socket.once("close", () => resolve({ finished: response.writableFinished }));
  return promise;
}
