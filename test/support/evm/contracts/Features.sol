// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// Sixteen numbers for the model risk-small, which follow from the seed: float32 between -2 and 2, never infinite or no number.
function features(bytes32 seed) pure returns (bytes memory) {
    // The highest bit of each exponent, in the last byte of a little-endian float32.
    bytes32 mask = ~bytes32(0x0000004000000040000000400000004000000040000000400000004000000040);
    bytes32 first = keccak256(abi.encode(seed, 0));
    return abi.encodePacked(first & mask, keccak256(abi.encode(seed, 1)) & mask);
}
