// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {Inference} from "pipe-scheduler/contracts/Inference.sol";
import {Mode} from "pipe-scheduler/contracts/IPipeInference.sol";

/// Asks, and then reverts: everything, or one inner frame.
contract RevertAfter {
    bytes public kept;
    bool public innerFailed;

    error AfterInference(bytes output);

    /// The whole transaction fails after its answer is known.
    function run(bytes calldata input) external {
        kept = ask(input);
        revert AfterInference(kept);
    }

    /// The inner frame asks, writes and reverts; the outer one goes on and asks again.
    function runInner(bytes calldata input) external {
        try this.inner(input) {} catch {
            innerFailed = true;
        }
        kept = ask(input);
    }

    function inner(bytes calldata input) external {
        kept = ask(input);
        revert AfterInference(kept);
    }

    function ask(bytes memory input) private view returns (bytes memory) {
        return Inference.ask("risk-small", Mode.VANILLA, input, Inference.terms(1_000, 4));
    }
}
