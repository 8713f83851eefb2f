import { BACKEND_LIMITS } from "./limits.ts";

/** What an operator decides about every request. */
export interface ChatSettings {
  /** The model as the server calls it. */
  readonly name: string;
  readonly temperature: number;
  /** `undefined`: none is sent. */
  readonly seed: number | undefined;
  /** Which of the two names the limit of the answer's length has: newer servers of OpenAI know the second only. */
  readonly tokensField: "max_tokens" | "max_completion_tokens";
  /** Whether the server is asked to count tokens; some refuse to be. */
  readonly usage: "asked" | "unasked";
}

export interface ChatMessage {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
}

export type ReadInput =
  | { readonly ok: true; readonly messages: readonly ChatMessage[] }
  | { readonly ok: false; readonly why: string };

const ROLES: ReadonlySet<unknown> = new Set<ChatMessage["role"]>(["system", "user", "assistant"]);

/**
 * The conversation that an input's bytes are: UTF-8 text, either a JSON object with the key `messages` or else a prompt, which is
 * one message of the user. A conversation holds text only: a server might fetch what an image's address names. A key that would
 * be passed over is refused, so that nobody pays for a setting that he did not get.
 */
export function readInput(input: Uint8Array): ReadInput {
  const text = textOf(input);
  if (text === undefined) return { ok: false, why: "the input is not UTF-8 text" };
  if (text.trim() === "") return { ok: false, why: "the input is empty" };
  const conversation = conversationIn(text);
  if (conversation === undefined) return { ok: true, messages: [{ role: "user", content: text }] };
  const { messages, ...others } = conversation;
  const [other] = Object.keys(others);
  if (other !== undefined) return { ok: false, why: `the input has the key ${shown(other)} beside "messages"` };
  if (!Array.isArray(messages) || messages.length === 0 || messages.length > BACKEND_LIMITS.maxMessages) {
    return { ok: false, why: `"messages" is no list of 1 to ${BACKEND_LIMITS.maxMessages}` };
  }
  if (messages.every(isMessage))
    return { ok: true, messages: messages.map(({ role, content }) => ({ role, content })) };
  return { ok: false, why: `a message is not {"role": "system" | "user" | "assistant", "content": text}` };
}

/** The body of a request, as JSON. */
export function requestBody(messages: readonly ChatMessage[], tokensOut: number, settings: ChatSettings): string {
  const { name, temperature, seed, tokensField, usage } = settings;
  return JSON.stringify({
    model: name,
    messages,
    [tokensField]: tokensOut,
    temperature,
    ...(seed === undefined ? {} : { seed }),
    stream: true,
    ...(usage === "asked" ? { stream_options: { include_usage: true } } : {}),
  });
}

/** `undefined` for bytes that are no text, or text that could not be sent as it is. */
function textOf(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function conversationIn(text: string): Record<string, unknown> | undefined {
  if (!text.trimStart().startsWith("{")) return undefined;
  try {
    const value = JSON.parse(text) as Record<string, unknown>;
    return Object.hasOwn(value, "messages") ? value : undefined;
  } catch {
    return undefined;
  }
}

function isMessage(value: unknown): value is ChatMessage {
  if (typeof value !== "object" || value === null) return false;
  const { role, content, ...others } = value as Record<string, unknown>;
  // JSON can hold half a character, which no request can.
  const isText = typeof content === "string" && content.isWellFormed();
  return ROLES.has(role) && isText && Object.keys(others).length === 0;
}

function shown(key: string): string {
  return JSON.stringify(key.length <= 40 ? key : `${key.slice(0, 40)}…`);
}
