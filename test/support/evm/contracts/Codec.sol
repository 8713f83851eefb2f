// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {Inference} from "pipe-scheduler/contracts/Inference.sol";
import {ChatMessage, Encoding, Mode, Number, Terms} from "pipe-scheduler/contracts/IPipeInference.sol";

/// The library's functions, so that tests can call them one by one.
contract Codec {
    using Inference for Terms;

    function readFloat32Wad(bytes calldata output, uint256 element) external pure returns (int256) {
        return Inference.readFloat32Wad(output, element);
    }

    function askNumber(int128[] calldata values, int128 decimalsIn, uint8 decimalsOut) external view returns (int256) {
        Number[] memory numbers = Inference.fixedPoint(values, decimalsIn);
        Terms memory terms = Inference.terms(7_000, 4).agree(3);
        return Inference.askNumber("risk-small", Mode.TEE, numbers, Encoding.FLOAT32, decimalsOut, terms);
    }

    function complete(string calldata prompt) external view returns (string memory) {
        return Inference.complete("llama", Mode.OPTIMISTIC, prompt, Inference.textTerms(9_000, 100, 50));
    }

    function chat(string calldata content) external view returns (string memory) {
        ChatMessage[] memory messages = new ChatMessage[](2);
        messages[0] = Inference.message("system", "Be brief.");
        messages[1] = Inference.message("user", content);
        return Inference.chat("llama", Mode.VANILLA, messages, Inference.textTerms(9_000, 100, 50).median(2, 1e16));
    }
}
