import type { Outcome } from "./backend.ts";
import { CODES, type RpcError, rpcErrorOf } from "./problems.ts";

export type MethodResult =
  | { readonly ok: true; readonly result: unknown }
  | { readonly ok: false; readonly error: RpcError };

/** Who asks, as far as a method has to know. */
export interface Caller {
  /** `undefined` over HTTP, where nobody can be told anything later. */
  readonly subscriber: Subscriber | undefined;
  /** Is done once the answer to the message is on its way. */
  afterAnswer(act: () => void): void;
}

/** A connection that can be told things. */
export interface Subscriber {
  /** Whether one more subscription has room. */
  readonly hasRoom: boolean;
  add(id: string, end: () => void): void;
  /** False when there is none of this id. */
  remove(id: string): boolean;
  has(id: string): boolean;
  notify(id: string, resultText: string): void;
  /** Ends the connection at once: something cannot be told to it, and a gap would go unnoticed. */
  cut(): void;
}

/** A method: the parameters as they came, checked here, and what is answered. */
export type Method = (params: readonly unknown[], caller: Caller) => MethodResult | Promise<MethodResult>;
export type MethodTable = Readonly<Record<string, Method>>;

/** What came for a parameter is worth, or in words what was expected of it. */
export type Decoded<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly expected: string };
export type Decoder<T> = (value: unknown) => Decoded<T>;

export interface Parameter<T> {
  readonly name: string;
  readonly decode: Decoder<T>;
  /** Stands in where nothing, or `null`, came. Without it the parameter has to be there. */
  readonly absent?: { readonly value: T };
}

type ValuesOf<P extends readonly Parameter<unknown>[]> = {
  readonly [K in keyof P]: P[K] extends Parameter<infer T> ? T : never;
};

/** A method whose parameters are checked by position before it runs. More than it has are refused. */
export function method<const P extends readonly Parameter<unknown>[]>(
  parameters: P,
  run: (values: ValuesOf<P>, caller: Caller) => MethodResult | Promise<MethodResult>,
): Method {
  return (params, caller) => {
    if (params.length > parameters.length) {
      return invalid(`too many arguments, want at most ${parameters.length}`);
    }
    const values: unknown[] = [];
    for (const [place, { name, decode, absent }] of parameters.entries()) {
      const value = params[place];
      if (value === undefined || value === null) {
        if (absent === undefined) return invalid(`missing value for required argument ${place} (${name})`);
        values.push(absent.value);
        continue;
      }
      const decoded = decode(value);
      if (!decoded.ok)
        return invalid(`invalid argument ${place} (${name}): expected ${decoded.expected}, got ${shown(value)}`);
      values.push(decoded.value);
    }
    // One value of each parameter's own type is in there, in order.
    return run(values as ValuesOf<P>, caller);
  };
}

export function result(value: unknown): MethodResult {
  return { ok: true, result: value };
}

export function failed(error: RpcError): MethodResult {
  return { ok: false, error };
}

export function invalid(message: string): MethodResult {
  const advice = "The method's parameters are listed in docs/EVM-RPC.md.";
  return failed({ code: CODES.invalidParams, message, data: { kind: "invalid-params", advice } });
}

/** The value as the method answers it, or the chain's problem. */
export function answered<T>(outcome: Outcome<T>, view: (value: T) => unknown): MethodResult {
  return outcome.ok ? result(view(outcome.value)) : failed(rpcErrorOf(outcome.problem));
}

/** What came, short enough for a message. */
function shown(value: unknown): string {
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === "object") return "an object";
  const text = JSON.stringify(value) ?? "nothing";
  return text.length <= 80 ? text : `${text.slice(0, 40)}… (${text.length} characters)`;
}
