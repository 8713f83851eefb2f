// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {Inference} from "pipe-scheduler/contracts/Inference.sol";
import {Mode} from "pipe-scheduler/contracts/IPipeInference.sol";

/// Burns gas, with or without a question before or after it.
contract GasBurner {
    uint256 public sum;

    /// Ends when less than `reserve` gas is left.
    function burn(uint256 reserve) public {
        uint256 value = 1;
        while (gasleft() > reserve) {
            unchecked {
                value = value * 6364136223846793005 + 1442695040888963407;
            }
        }
        sum = value;
    }

    /// Ends only with its gas.
    function burnAll() external pure {
        while (true) {}
    }

    function burnThenAsk(bytes calldata input, uint256 reserve) external {
        burn(reserve);
        Inference.ask("risk-small", Mode.VANILLA, input, Inference.terms(1_000, 4));
    }

    function askThenBurn(bytes calldata input, uint256 reserve) external {
        Inference.ask("risk-small", Mode.VANILLA, input, Inference.terms(1_000, 4));
        burn(reserve);
    }
}
