// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {Inference} from "pipe-scheduler/contracts/Inference.sol";
import {Mode} from "pipe-scheduler/contracts/IPipeInference.sol";

import {PIPE_INFERENCE, Request} from "pipe-scheduler/contracts/IPipeInference.sol";

/// Goes on without an answer, or announces questions.
contract Tolerant {
    bool public known;
    bytes public answer;

    function run(bytes calldata input) external {
        (known, answer) = PIPE_INFERENCE.tryInfer(Request("risk-small", Mode.VANILLA, input, Inference.terms(1_000, 4)));
    }

    /// Both questions race side by side, though the second is asked after the first.
    function announceThenAsk(bytes calldata one, bytes calldata two) external {
        Inference.announce("risk-small", Mode.VANILLA, two, Inference.terms(1_000, 4));
        bytes memory first = Inference.ask("risk-small", Mode.VANILLA, one, Inference.terms(1_000, 4));
        answer = bytes.concat(first, Inference.ask("risk-small", Mode.VANILLA, two, Inference.terms(1_000, 4)));
    }
}
