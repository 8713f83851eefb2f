// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {Inference} from "pipe-scheduler/contracts/Inference.sol";
import {Mode} from "pipe-scheduler/contracts/IPipeInference.sol";
import {features} from "./Features.sol";

/// Whatever it is answered, it makes another question of it.
contract NonTerminating {
    function run(bytes32 seed) external view {
        while (true) {
            bytes memory answer =
                Inference.ask("risk-small", Mode.VANILLA, features(seed), Inference.terms(1_000, 4));
            seed = keccak256(abi.encodePacked(seed, answer));
        }
    }
}
