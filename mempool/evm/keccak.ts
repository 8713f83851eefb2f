import { KECCAK_MEMORY, KECCAK_RATE, keccakModule, roundConstants } from "./keccak-module.ts";

/** What of WebAssembly is needed: the types of the platform have it only with all of a browser. */
interface Assembly {
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
  readonly Instance: new (
    module: object,
  ) => {
    readonly exports: { readonly memory: { readonly buffer: ArrayBuffer }; readonly absorb: () => void };
  };
}

const { absorb, memory } = instantiate();
const bytesOfIt = new Uint8Array(memory.buffer);
const state = bytesOfIt.subarray(KECCAK_MEMORY.state, KECCAK_MEMORY.state + 200);
const block = bytesOfIt.subarray(KECCAK_MEMORY.block, KECCAK_MEMORY.block + KECCAK_RATE);

/** Keccak-256 of the bytes, as Ethereum has it: 32 bytes. */
export function keccak256(bytes: Uint8Array): Uint8Array {
  state.fill(0);
  let at = 0;
  for (; at + KECCAK_RATE <= bytes.length; at += KECCAK_RATE) {
    block.set(bytes.subarray(at, at + KECCAK_RATE));
    absorb();
  }
  const rest = bytes.length - at;
  block.fill(0);
  block.set(bytes.subarray(at));
  block[rest] = 1;
  block[KECCAK_RATE - 1] = (block[KECCAK_RATE - 1] ?? 0) | 0x80;
  absorb();
  return state.slice(0, 32);
}

function instantiate() {
  const { Module, Instance } = (globalThis as unknown as { readonly WebAssembly: Assembly }).WebAssembly;
  const { exports } = new Instance(new Module(keccakModule()));
  new BigUint64Array(exports.memory.buffer, KECCAK_MEMORY.constants).set(roundConstants());
  return exports;
}

/** Hashes of addresses and slots that are asked for again and again. Forgets all when it is full: 65,536 take about 12 MB. */
export class HashMemory {
  readonly #known = new Map<string, Uint8Array>();

  /** Of the bytes that these hexadecimal digits, without prefix, stand for. */
  of(hex: string): Uint8Array {
    let known = this.#known.get(hex);
    if (known === undefined) {
      known = keccak256(Buffer.from(hex, "hex"));
      if (this.#known.size >= MAX_REMEMBERED) this.#known.clear();
      this.#known.set(hex, known);
    }
    return known;
  }
}

const MAX_REMEMBERED = 65_536;
