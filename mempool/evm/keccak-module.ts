/**
 * Keccak-f[1600] over one block (FIPS 202, with Ethereum's padding left to the caller), assembled into WebAssembly when it is loaded:
 * state roots are little else than this, and 64-bit words are what JavaScript has not. Compared with another implementation by test.
 */

/** Where the module has its state, its next block, and its round constants, in bytes. */
export const KECCAK_MEMORY = { state: 0, block: 256, constants: 512 } as const;
/** Bytes that one block absorbs. */
export const KECCAK_RATE = 136;

const LANES = 25;
const ROUNDS = 24;
/** Locals: the state, the state after ρ and π, the columns' parities and what follows from these, and the round's constant's place. */
const A = 0;
const B = LANES;
const C = 2 * LANES;
const D = C + 5;
const ROUND = D + 5;

const I32 = 0x7f;
const I64 = 0x7e;
const GET = 0x20;
const SET = 0x21;
const XOR = 0x85;
const AND = 0x83;
const ROTL = 0x89;

/** A module that exports `memory` and `absorb`, which takes the block into the state. */
export function keccakModule(): Uint8Array<ArrayBuffer> {
  const code = [
    ...vector([
      [...unsigned(2 * LANES + 10), I64],
      [1, I32],
    ]),
    ...body(),
    0x0b,
  ];
  return new Uint8Array([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, vector([[0x60, 0x00, 0x00]])),
    ...section(3, vector([[0x00]])),
    ...section(5, vector([[0x00, 0x01]])),
    ...section(
      7,
      vector([
        [...name("memory"), 0x02, 0x00],
        [...name("absorb"), 0x00, 0x00],
      ]),
    ),
    ...section(10, vector([[...unsigned(code.length), ...code]])),
  ]);
}

/** The constants of the 24 rounds, from the linear feedback shift register that defines them. */
export function roundConstants(): bigint[] {
  let register = 1;
  return Array.from({ length: ROUNDS }, () => {
    let constant = 0n;
    for (let bit = 0; bit < 7; bit++) {
      register = ((register << 1) ^ ((register >> 7) * 0x71)) & 0xff;
      if ((register & 2) !== 0) constant ^= 1n << ((1n << BigInt(bit)) - 1n);
    }
    return constant;
  });
}

function body(): number[] {
  const code: number[] = [];
  const load = (place: number) => code.push(0x41, 0, 0x29, 3, ...unsigned(place));
  for (let lane = 0; lane < LANES; lane++) {
    load(KECCAK_MEMORY.state + 8 * lane);
    if (8 * lane < KECCAK_RATE) {
      load(KECCAK_MEMORY.block + 8 * lane);
      code.push(XOR);
    }
    code.push(SET, A + lane);
  }
  code.push(
    0x03,
    0x40,
    ...round(),
    GET,
    ROUND,
    0x41,
    8,
    0x6a,
    0x22,
    ROUND,
    0x41,
    ...signed(8 * ROUNDS),
    0x49,
    0x0d,
    0,
    0x0b,
  );
  for (let lane = 0; lane < LANES; lane++)
    code.push(0x41, 0, GET, A + lane, 0x37, 3, ...unsigned(KECCAK_MEMORY.state + 8 * lane));
  return code;
}

function round(): number[] {
  const code: number[] = [];
  for (let x = 0; x < 5; x++) {
    code.push(GET, A + x);
    for (let y = 1; y < 5; y++) code.push(GET, A + x + 5 * y, XOR);
    code.push(SET, C + x);
  }
  for (let x = 0; x < 5; x++) code.push(GET, C + ((x + 4) % 5), GET, C + ((x + 1) % 5), 0x42, 1, ROTL, XOR, SET, D + x);
  const shifts = rotations();
  for (let x = 0; x < 5; x++) {
    for (let y = 0; y < 5; y++) {
      const lane = x + 5 * y;
      code.push(GET, A + lane, GET, D + x, XOR, 0x42, ...signed(shifts[lane] ?? 0), ROTL);
      code.push(SET, B + y + 5 * ((2 * x + 3 * y) % 5));
    }
  }
  for (let y = 0; y < 5; y++) {
    for (let x = 0; x < 5; x++) {
      const at = (dx: number) => B + ((x + dx) % 5) + 5 * y;
      code.push(GET, at(0), GET, at(1), 0x42, 0x7f, XOR, GET, at(2), AND, XOR, SET, A + x + 5 * y);
    }
  }
  code.push(GET, A, GET, ROUND, 0x29, 3, ...unsigned(KECCAK_MEMORY.constants), XOR, SET, A);
  return code;
}

/** By how many bits ρ turns each lane. */
function rotations(): number[] {
  const shifts = new Array<number>(LANES).fill(0);
  let [x, y] = [1, 0];
  for (let step = 0; step < ROUNDS; step++) {
    shifts[x + 5 * y] = (((step + 1) * (step + 2)) / 2) % 64;
    [x, y] = [y, (2 * x + 3 * y) % 5];
  }
  return shifts;
}

// ── the binary format ────────────────────────────────────────────────────────────────────────────────────────────────

function section(id: number, content: readonly number[]): number[] {
  return [id, ...unsigned(content.length), ...content];
}

function vector(items: readonly (readonly number[])[]): number[] {
  return [...unsigned(items.length), ...items.flat()];
}

function name(text: string): number[] {
  return [text.length, ...Buffer.from(text)];
}

/** LEB128. */
function unsigned(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >> 7)];
}

function signed(value: number): number[] {
  return value < 0x40 ? [value] : [(value & 0x7f) | 0x80, ...signed(value >> 7)];
}
