// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {Inference} from "pipe-scheduler/contracts/Inference.sol";
import {Mode} from "pipe-scheduler/contracts/IPipeInference.sol";
import {features} from "./Features.sol";

/// Its question is about the block, so that in another block it is another question.
contract BlockReader {
    bytes public answer;
    uint256 public askedAt;

    function askNumber() external {
        ask(bytes32(block.number));
    }

    function askTimestamp() external {
        ask(bytes32(block.timestamp));
    }

    /// Reads the block, but its question does not depend on it.
    function stampOnly(bytes calldata input) external {
        answer = Inference.ask("risk-small", Mode.VANILLA, input, Inference.terms(1_000, 4));
        askedAt = block.number;
    }

    function ask(bytes32 word) private {
        answer = Inference.ask("risk-small", Mode.VANILLA, features(word), Inference.terms(1_000, 4));
        askedAt = block.number;
    }
}
