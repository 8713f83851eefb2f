import { WIRE_LIMITS } from "../../scheduler/proofs/wire-limits.ts";
import { INFERENCE_ADDRESS } from "./precompile-interface.ts";

/** What a sender says of all inference of a transaction. What is missing, the producer's defaults decide. */
export interface InferenceOptions {
  /** Most that all of its calls may cost together, in gwei. */
  readonly capGwei?: number;
  /** Blocks, counted from the one open at admission (which is the first), in which it may be sealed. */
  readonly ttlBlocks?: number;
}

/** One entry of an access list (EIP-2930); hexadecimal with 0x, keys of 32 bytes. */
export interface AccessEntry {
  readonly address: string;
  readonly storageKeys: readonly string[];
}

export type OptionsResult =
  | { readonly ok: true; readonly options: InferenceOptions }
  | { readonly ok: false; readonly problem: string };

/**
 * Keys under the precompile's address are options: `version (1 byte) | tag (1) | zeros (22) | value (8, big endian)`. The access
 * list is signed, every client library can write one, and the precompile has no storage that a key could name otherwise.
 */
const VERSION = 1;
const VALUE_DIGITS = 16;

interface OptionField {
  readonly name: keyof InferenceOptions;
  readonly tag: number;
  readonly min: number;
  readonly max: number;
}

/** The cap is a sum over calls, so its limit is that of as many calls as there may be. */
const FIELDS: readonly OptionField[] = [
  { name: "capGwei", tag: 1, min: 0, max: WIRE_LIMITS.maxCalls * WIRE_LIMITS.maxFeeGwei },
  { name: "ttlBlocks", tag: 2, min: 1, max: WIRE_LIMITS.maxTtlBlocks },
];

const KEY = /^0x[0-9a-f]{64}$/u;

/**
 * The options that an access list states. A key that cannot be read, is of an unknown version or tag, out of range or there twice
 * is a problem: a sender whose limit is passed over would pay more than it signed. Never throws.
 */
export function readOptions(accessList: readonly AccessEntry[]): OptionsResult {
  const options: { -readonly [name in keyof InferenceOptions]: InferenceOptions[name] } = {};
  for (const { address, storageKeys } of accessList) {
    if (address.toLowerCase() !== INFERENCE_ADDRESS) continue;
    for (const raw of storageKeys) {
      const key = raw.toLowerCase();
      const field = FIELDS.find((candidate) => key.startsWith(prefixOf(candidate)));
      if (!KEY.test(key) || field === undefined) return problem("an inference option that is not known");
      if (options[field.name] !== undefined) return problem(`${field.name} is stated twice`);
      const value = Number.parseInt(key.slice(-VALUE_DIGITS), 16);
      if (value < field.min || value > field.max) return problem(`${field.name} must be ${field.min} to ${field.max}`);
      options[field.name] = value;
    }
  }
  return { ok: true, options };
}

/**
 * The entry that states these options, for a client's access list; `undefined` when there are none. Throws a RangeError for what
 * `readOptions` would refuse.
 */
export function inferenceOptions(options: InferenceOptions): AccessEntry | undefined {
  const storageKeys: string[] = [];
  for (const field of FIELDS) {
    const value = options[field.name];
    if (value === undefined) continue;
    if (!Number.isSafeInteger(value) || value < field.min || value > field.max)
      throw new RangeError(`${field.name} must be a whole number from ${field.min} to ${field.max}`);
    storageKeys.push(`${prefixOf(field)}${value.toString(16).padStart(VALUE_DIGITS, "0")}`);
  }
  return storageKeys.length === 0 ? undefined : { address: INFERENCE_ADDRESS, storageKeys };
}

/** All of a key but its value. */
function prefixOf({ tag }: OptionField): string {
  const byte = (value: number) => value.toString(16).padStart(2, "0");
  return `0x${byte(VERSION)}${byte(tag)}`.padEnd(2 + 64 - VALUE_DIGITS, "0");
}

function problem(text: string): OptionsResult {
  return { ok: false, problem: text };
}
