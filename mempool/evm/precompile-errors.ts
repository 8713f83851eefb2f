import { AbiError, Hex } from "ox";

/** Why the precompile reverts; contracts/IPipeInference.sol declares the same errors. */
const INVALID_REQUEST = AbiError.from("error InvalidRequest(string reason)");
const OUTPUT_TOO_LONG = AbiError.from("error OutputTooLong(uint256 bytesFound, uint256 bytesTaken)");
const OUTPUT_NOT_NUMBERS = AbiError.from("error OutputNotNumbers(uint256 bytesFound)");
const OUTPUT_NOT_FINITE = AbiError.from("error OutputNotFinite(uint256 element)");
const OUTPUT_OUT_OF_RANGE = AbiError.from("error OutputOutOfRange(uint256 element)");

/** The calldata is no question that anybody could be asked; `reason` is plain ASCII and says what is wrong with it. */
export function invalidRequest(reason: string): Uint8Array {
  return Hex.toBytes(AbiError.encode(INVALID_REQUEST, [reason]));
}

/** The answer has more bytes than the request takes and has paid gas for. */
export function outputTooLong(bytesFound: number, bytesTaken: number): Uint8Array {
  return Hex.toBytes(AbiError.encode(OUTPUT_TOO_LONG, [BigInt(bytesFound), BigInt(bytesTaken)]));
}

/** The answer's length is no multiple of the encoding's. */
export function outputNotNumbers(bytesFound: number): Uint8Array {
  return Hex.toBytes(AbiError.encode(OUTPUT_NOT_NUMBERS, [BigInt(bytesFound)]));
}

/** Element `element` of the answer is infinite or no number. */
export function outputNotFinite(element: number): Uint8Array {
  return Hex.toBytes(AbiError.encode(OUTPUT_NOT_FINITE, [BigInt(element)]));
}

/** Element `element` of the answer does not fit into an int128 with the asked decimals. */
export function outputOutOfRange(element: number): Uint8Array {
  return Hex.toBytes(AbiError.encode(OUTPUT_OUT_OF_RANGE, [BigInt(element)]));
}
