// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {Inference} from "pipe-scheduler/contracts/Inference.sol";
import {Mode, PIPE_INFERENCE, Request, Terms} from "pipe-scheduler/contracts/IPipeInference.sol";

/// Ten questions that do not depend on each other take as long as one.
contract BatchOfTen {
    /// Probabilities in 10^-18.
    int256[10] public scores;

    event Scored(int256[10] scores);

    /// Ten cases of 64 bytes each: 16 float32, little endian.
    function run(bytes[10] calldata cases) external {
        Request[] memory requests = new Request[](10);
        Terms memory terms = Inference.terms(50_000, 4);
        for (uint256 i = 0; i < 10; i++) requests[i] = Request("risk-small", Mode.VANILLA, cases[i], terms);
        bytes[] memory outputs = PIPE_INFERENCE.inferMany(requests);
        for (uint256 i = 0; i < 10; i++) scores[i] = Inference.readFloat32Wad(outputs[i], 0);
        emit Scored(scores);
    }
}
