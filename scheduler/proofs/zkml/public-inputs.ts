import { isHashHex } from "../digest.ts";
import type { ZkClaim, ZkFault } from "./proof-system.ts";

/** How a circuit's numbers stand in bytes: `count` unsigned integers of `bytes` bytes each, little endian, nothing else. */
export interface ElementShape {
  readonly count: number;
  readonly bytes: number;
}

/** What a circuit takes and gives. The verifier has it from the registry: a proof does not say where outputs end. */
export interface CircuitShape {
  readonly input: ElementShape;
  readonly output: ElementShape;
}

/** Limbs of two digests: the model's and the statement's. */
export const DIGEST_INPUTS = 4;

/** Elements of input and output together: each costs a multiplication on the curve, up to a tenth of a millisecond. */
export const MAX_ELEMENTS = 256;

/** Wider elements would be no numbers of a quantised model. */
export const MAX_ELEMENT_BYTES = 4;

/** How many public inputs a circuit of this shape has. */
export function publicInputCount({ input, output }: CircuitShape): number {
  return DIGEST_INPUTS + output.count + input.count;
}

/**
 * The public inputs, in order: the model's digest and the binding as two limbs of 128 bits each, high limb first, then the
 * outputs, then the inputs. All are below 2^128, so that none reaches the field's order and each claim has its own list.
 */
export function publicInputsOf(shape: CircuitShape, claim: ZkClaim): readonly bigint[] | ZkFault {
  if (!isHashHex(claim.modelDigest) || !isHashHex(claim.binding)) return "bad-public-input";
  const input = elementsOf(claim.input, shape.input);
  if (input === undefined) return "bad-input-encoding";
  const output = elementsOf(claim.output, shape.output);
  if (output === undefined) return "bad-output-encoding";
  return [...limbsOf(claim.modelDigest), ...limbsOf(claim.binding), ...output, ...input];
}

/** A digest of 64 hexadecimal digits as two numbers of 128 bits, the high one first. */
export function limbsOf(digest: string): [bigint, bigint] {
  return [BigInt(`0x${digest.slice(0, 32)}`), BigInt(`0x${digest.slice(32)}`)];
}

/** The numbers that these bytes hold; `undefined` when the length is another. */
export function elementsOf(bytes: Uint8Array, { count, bytes: width }: ElementShape): bigint[] | undefined {
  if (bytes.length !== count * width) return undefined;
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: count }, (_, i) => BigInt(buffer.readUIntLE(i * width, width)));
}
