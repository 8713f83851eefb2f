// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {Inference} from "pipe-scheduler/contracts/Inference.sol";
import {Mode} from "pipe-scheduler/contracts/IPipeInference.sol";
import {features} from "./Features.sol";

/// Transactions of one block that depend on each other's state: a question about a counter that others move.
contract SharedState {
    uint256 public counter;
    mapping(address asker => bytes answer) public answers;

    event Asked(address indexed asker, uint256 counter, bytes answer);

    function increment() external {
        counter++;
    }

    /// The question follows from the counter; asking does not move it.
    function ask() public {
        bytes memory input = features(bytes32(counter));
        bytes memory answer = Inference.ask("risk-small", Mode.VANILLA, input, Inference.terms(1_000, 4));
        answers[msg.sender] = answer;
        emit Asked(msg.sender, counter, answer);
    }

    /// Of two of these in one block the second asks something else than when it was first run.
    function askAndIncrement() external {
        ask();
        counter++;
    }
}
