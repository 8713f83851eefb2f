// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// @title Deposits out of which inference is paid; predeployed at 0x00000000000000000000000000000000000000F5
/// @notice A deposit counts once its block is committed. There is no withdrawal yet: what is put in can be spent on inference
/// only, so put in what you mean to spend.
contract PipeDeposit {
    /// `amountWei` is a whole number of gwei.
    event Deposited(address indexed account, uint256 amountWei);

    /// Inference is paid in whole gwei, and the rest would be lost.
    error NotWholeGwei(uint256 amountWei);
    error NothingDeposited();

    /// Pays for the caller's own transactions.
    function deposit() external payable {
        _deposit(msg.sender);
    }

    /// Pays for the transactions of another account.
    function depositFor(address account) external payable {
        _deposit(account);
    }

    function _deposit(address account) private {
        if (msg.value == 0) revert NothingDeposited();
        if (msg.value % 1 gwei != 0) revert NotWholeGwei(msg.value);
        emit Deposited(account, msg.value);
    }
}
