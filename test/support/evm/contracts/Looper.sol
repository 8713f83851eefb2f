// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {Inference} from "pipe-scheduler/contracts/Inference.sol";
import {Mode} from "pipe-scheduler/contracts/IPipeInference.sol";

/// Asks again and again, until gas or the limit of calls ends it.
contract Looper {
    function run(bytes calldata input) external view returns (uint256 rounds) {
        while (true) {
            Inference.ask("risk-small", Mode.VANILLA, input, Inference.terms(1_000, 4));
            rounds++;
        }
    }

    function runTimes(bytes calldata input, uint256 times) external {
        for (uint256 i = 0; i < times; i++) {
            Inference.ask("risk-small", Mode.VANILLA, input, Inference.terms(1_000, 4));
        }
        done = times;
    }

    uint256 public done;
}
