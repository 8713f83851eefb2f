// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {Inference} from "pipe-scheduler/contracts/Inference.sol";
import {Mode, Terms} from "pipe-scheduler/contracts/IPipeInference.sol";

/// The second question is about the first answer: it can only be raced when that is known.
contract TwoStep {
    bytes public first;
    bytes public second;

    event Answered(bytes first, bytes second);

    /// `input` is 256 bytes: 64 float32. The model answers with 32 of them; with itself behind it, an answer is a question.
    function run(bytes calldata input) external {
        Terms memory terms = Inference.terms(50_000, 128);
        bytes memory answer = Inference.ask("chat-mini", Mode.VANILLA, input, terms);
        first = answer;
        second = Inference.ask("chat-mini", Mode.VANILLA, bytes.concat(answer, answer), terms);
        emit Answered(first, second);
    }
}
