// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Inference} from "pipe-scheduler/contracts/Inference.sol";
import {Mode, PIPE_INFERENCE, Request} from "pipe-scheduler/contracts/IPipeInference.sol";

/// What an EVM chain must get right around questions: catching, storage, logs, creation, destruction, transient storage.
contract ChainProbe {
    mapping(uint256 slot => uint256 value) public slots;
    bool public caught;
    uint256 transient scratch;

    event Wrote(uint256 indexed slot, uint256 value);

    /// Tries to outlive a question without an answer.
    function catchIt(bytes calldata input) external {
        slots[1] = 7;
        try PIPE_INFERENCE.infer(Request("risk-small", Mode.VANILLA, input, Inference.terms(1_000, 4))) {} catch {
            caught = true;
        }
        (bool ok,) = address(PIPE_INFERENCE).call(
            abi.encodeCall(
                PIPE_INFERENCE.infer, (Request("risk-small", Mode.VANILLA, input, Inference.terms(1_000, 4)))
            )
        );
        if (!ok) caught = true;
    }

    function write(uint256 slot, uint256 value) external {
        slots[slot] = value;
        emit Wrote(slot, value);
    }

    function writeAndRevert(uint256 slot, uint256 value) external {
        slots[slot] = value;
        revert("taken back");
    }

    /// Writes in an inner frame that reverts, and after it.
    function writeAround(uint256 slot, uint256 value) external {
        try this.writeAndRevert(slot, value) {} catch {
            slots[slot] += 1;
        }
    }

    /// Whether transient storage was empty, which it must be at the beginning of every transaction.
    function transients(bytes calldata input) external {
        slots[2] = scratch + 1;
        scratch = 5;
        Inference.ask("risk-small", Mode.VANILLA, input, Inference.terms(1_000, 4));
    }

    function create(uint256 salt, bool gone) external payable {
        // Both write a slot. One is gone when its constructor ends; the other's code is a single STOP.
        bytes memory code = gone ? bytes(hex"600960005533ff") : bytes(hex"600960005560016000f3");
        address child;
        assembly ("memory-safe") {
            child := create2(callvalue(), add(code, 32), mload(code), salt)
        }
        require(child != address(0));
    }

    function pay(address payable to) external payable {
        (bool ok,) = to.call{value: msg.value}("");
        require(ok);
    }

    function balanceOf(address account) external {
        slots[3] = account.balance;
    }

    function price() external {
        slots[4] = tx.gasprice;
    }

    function hashOf(uint256 number) external {
        slots[5] = uint256(blockhash(number));
    }

    receive() external payable {}
}
