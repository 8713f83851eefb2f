import { SCALAR_ORDER } from "../../../scheduler/proofs/zkml/points.ts";

const WORD_BYTES = 32;

/** The witness as a file `.wtns`, as snarkjs takes it: two sections, one for the field, one for the values. */
export function encodeWitness(witness: readonly bigint[]): Uint8Array {
  const field = Buffer.concat([uint32(WORD_BYTES), word(SCALAR_ORDER), uint32(witness.length)]);
  const values = Buffer.concat(witness.map(word));
  return Uint8Array.from(
    Buffer.concat([Buffer.from("wtns"), uint32(2), uint32(2), section(1, field), section(2, values)]),
  );
}

function section(id: number, content: Buffer): Buffer {
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(content.length));
  return Buffer.concat([uint32(id), size, content]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function word(value: bigint): Buffer {
  return Buffer.from(value.toString(16).padStart(2 * WORD_BYTES, "0"), "hex").reverse();
}
