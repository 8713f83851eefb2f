import type { RpcLimits } from "./limits.ts";
import type { Caller, Method, MethodTable } from "./method.ts";
import { CODES, type RpcError } from "./problems.ts";

type Id = string | number | null;

const MAX_ID_CHARACTERS = 256;

/** Where an honest client that keeps no key here goes on. */
const SIGN_YOURSELF = "Keys are not kept here: sign the transaction yourself and send it with eth_sendRawTransaction.";
const ADVICE: Readonly<Record<string, string>> = {
  eth_sendTransaction: SIGN_YOURSELF,
  eth_sign: SIGN_YOURSELF,
  eth_signTransaction: SIGN_YOURSELF,
  personal_sendTransaction: SIGN_YOURSELF,
};

/**
 * JSON-RPC 2.0: text in, text out. Whatever comes, what goes out is an answer or an error of JSON-RPC; a fault of our own is
 * told to `onFault` and answered as an internal error without its text.
 */
export class Dispatcher {
  readonly #methods: ReadonlyMap<string, Method>;
  readonly #limits: RpcLimits;
  readonly #onFault: (error: unknown, method: string) => void;

  constructor(methods: MethodTable, limits: RpcLimits, onFault: (error: unknown, method: string) => void) {
    this.#methods = new Map(Object.entries(methods));
    this.#limits = limits;
    this.#onFault = onFault;
  }

  /** `undefined` where nothing is to be said: all that came were notifications. */
  async answer(text: string, caller: Caller): Promise<string | undefined> {
    let message: unknown;
    try {
      message = JSON.parse(text);
    } catch {
      return errorText(null, PARSE_ERROR);
    }
    if (!Array.isArray(message)) return this.#one(message, caller, this.#limits.maxResponseCharacters);
    if (message.length === 0) return errorText(null, invalidRequest("empty batch"));
    if (message.length > this.#limits.maxBatch) {
      return errorText(
        null,
        invalidRequest(`batch too large: ${message.length} requests, limit ${this.#limits.maxBatch}`),
      );
    }
    let room = this.#limits.maxResponseCharacters;
    const answers: string[] = [];
    // One after the other: a batch has no more of the chain at a time than a single request.
    for (const each of message) {
      const answer = await this.#one(each, caller, room);
      if (answer === undefined) continue;
      room = Math.max(0, room - answer.length);
      answers.push(answer);
    }
    return answers.length === 0 ? undefined : `[${answers.join(",")}]`;
  }

  async #one(message: unknown, caller: Caller, room: number): Promise<string | undefined> {
    const request = requestOf(message);
    if (!request.ok) return errorText(request.id, request.error);
    const { id, name, params } = request;
    const run = this.#methods.get(name);
    if (run === undefined) return id === undefined ? undefined : errorText(id, methodNotFound(name));
    if (room === 0) return id === undefined ? undefined : errorText(id, TOO_LARGE);
    try {
      const outcome = await run(params, caller);
      if (id === undefined) return undefined;
      if (!outcome.ok) return errorText(id, outcome.error);
      const result = JSON.stringify(outcome.result);
      if (result.length > room) return errorText(id, TOO_LARGE);
      return `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${result}}`;
    } catch (error) {
      this.#onFault(error, name);
      return id === undefined ? undefined : errorText(id, INTERNAL);
    }
  }
}

type Request =
  | {
      readonly ok: true /** `undefined`: nobody waits for an answer. */;
      readonly id: Id | undefined;
      readonly name: string;
      readonly params: readonly unknown[];
    }
  | { readonly ok: false; readonly id: Id; readonly error: RpcError };

function requestOf(message: unknown): Request {
  const refused = (id: Id, error: RpcError): Request => ({ ok: false, id, error });
  if (typeof message !== "object" || message === null || Array.isArray(message)) {
    return refused(null, invalidRequest("expected an object with jsonrpc, id, method and params"));
  }
  const { jsonrpc, id, method: name, params } = message as Readonly<Record<string, unknown>>;
  if (id !== undefined && !isId(id)) {
    const expected = `id must be a number, null, or a string of at most ${MAX_ID_CHARACTERS} characters`;
    return refused(null, invalidRequest(expected));
  }
  const known = id ?? null;
  if (jsonrpc !== "2.0") return refused(known, invalidRequest('jsonrpc must be "2.0"'));
  if (typeof name !== "string") return refused(known, invalidRequest("method must be a string"));
  if (params === undefined || params === null) return { ok: true, id, name, params: [] };
  return Array.isArray(params) ? { ok: true, id, name, params } : refused(known, BY_NAME);
}

function isId(value: unknown): value is Id {
  if (typeof value === "string") return value.length <= MAX_ID_CHARACTERS;
  return value === null || typeof value === "number";
}

export function errorText(id: Id, error: RpcError): string {
  return JSON.stringify({ jsonrpc: "2.0", id, error });
}

const PARSE_ERROR: RpcError = {
  code: CODES.parse,
  message: "parse error: the body is no JSON",
  data: { kind: "parse", advice: "Send one JSON-RPC request, or an array of them, as UTF-8." },
};

export function invalidRequest(trouble: string): RpcError {
  const advice = 'A request is {"jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber", "params": []}.';
  return {
    code: CODES.invalidRequest,
    message: `invalid request: ${trouble}`,
    data: { kind: "invalid-request", advice },
  };
}

function methodNotFound(name: string): RpcError {
  const shown = name.length <= 64 ? name : `${name.slice(0, 64)}…`;
  const advice = ADVICE[name] ?? "docs/EVM-RPC.md lists the methods that there are.";
  return {
    code: CODES.methodNotFound,
    message: `the method ${shown} does not exist/is not available`,
    data: { kind: "unknown-method", advice },
  };
}

const BY_NAME: RpcError = {
  code: CODES.invalidParams,
  message: "non-array args: params must be an array",
  data: { kind: "invalid-params", advice: "Give parameters by position, in an array." },
};

const TOO_LARGE: RpcError = {
  code: CODES.rejected,
  message: "response too large",
  data: { kind: "too-large", advice: "Ask for less at a time: fewer requests in a batch, fewer blocks or logs." },
};

const INTERNAL: RpcError = {
  code: CODES.internal,
  message: "internal error",
  data: {
    kind: "internal",
    advice: "The node met a fault of its own; its log says more. Whether anything was done is not known: ask.",
  },
};
