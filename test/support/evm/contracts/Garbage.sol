// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// Calls the precompile with whatever it is given, in whatever way.
contract Garbage {
    address private constant INFERENCE = 0x00000000000000000000000000000000000000F4;

    event Returned(bool ok, bytes data);

    function run(bytes calldata data) external {
        (bool ok, bytes memory result) = INFERENCE.staticcall(data);
        emit Returned(ok, result);
    }

    function runCall(bytes calldata data) external payable {
        (bool ok, bytes memory result) = INFERENCE.call{value: msg.value}(data);
        emit Returned(ok, result);
    }

    function runDelegate(bytes calldata data) external {
        (bool ok, bytes memory result) = INFERENCE.delegatecall(data);
        emit Returned(ok, result);
    }

    function runWithGas(bytes calldata data, uint256 gasLimit) external {
        (bool ok, bytes memory result) = INFERENCE.staticcall{gas: gasLimit}(data);
        emit Returned(ok, result);
    }
}
