// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {Inference} from "pipe-scheduler/contracts/Inference.sol";
import {Encoding, Mode, Number, Terms} from "pipe-scheduler/contracts/IPipeInference.sol";

/// An agent that holds a vault in two parts, one at risk and one safe. It looks at the market with a quick model in an enclave, and
/// moves money only on a score that a zero-knowledge proof stands behind: both in one transaction, and in the block both or none.
contract RiskRebalancer {
    using Inference for Terms;

    /// A probability in 10^-6.
    int256 public constant ALARM = 500_000;
    /// A score from 0 to 255, 128 for even odds.
    uint256 public constant PROVED_ALARM = 128;

    address public immutable owner;
    /// Wei in each part.
    uint256 public atRisk;
    uint256 public safe;

    event Scored(int256 probability);
    event Moved(uint256 amountWei, int256 probability, uint256 provedScore);

    error NotTheOwner();

    constructor() payable {
        owner = msg.sender;
        atRisk = msg.value;
    }

    /// `market` has 16 features in 10^-6, from -1 to 1; `position` has 8 of one byte, 128 for zero.
    function rebalance(int128[16] calldata market, bytes8 position) external {
        if (msg.sender != owner) revert NotTheOwner();
        int256 probability = quickScore(market);
        emit Scored(probability);
        if (probability < ALARM || atRisk == 0) return;

        uint256 score = provedScore(position);
        if (score < PROVED_ALARM) return;
        // The more certain, the more is moved: all of it at 255.
        uint256 amount = (atRisk * (score - PROVED_ALARM + 1)) / (256 - PROVED_ALARM);
        atRisk -= amount;
        safe += amount;
        emit Moved(amount, probability, score);
    }

    function quickScore(int128[16] calldata market) private view returns (int256) {
        Number[] memory features = new Number[](16);
        for (uint256 i = 0; i < 16; i++) features[i] = Number(market[i], 6);
        return Inference.askNumber("risk-small", Mode.TEE, features, Encoding.FLOAT32, 6, Inference.terms(50_000, 4));
    }

    function provedScore(bytes8 position) private view returns (uint256) {
        Terms memory terms = Inference.terms(500_000, 1).validFor(64);
        return Inference.readUint8(Inference.ask("risk-tiny", Mode.ZKML, abi.encodePacked(position), terms));
    }
}
