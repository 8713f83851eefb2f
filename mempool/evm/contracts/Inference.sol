// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {
    ChatMessage,
    Conflict,
    ConflictKind,
    Encoding,
    Format,
    LLMChatRequest,
    LLMCompletionRequest,
    Mode,
    ModelInferenceRequest,
    ModelInput,
    Number,
    NumberTensor,
    PIPE_INFERENCE,
    Request,
    StringTensor,
    Terms,
    ToolCall,
    ToolDefinition
} from "./IPipeInference.sol";

/// @title Shorter ways to ask the inference precompile
/// @notice `Inference.terms(...)` gives terms with defaults, which the functions behind it change one by one:
/// `Inference.terms(50_000, 4).agree(3)`, with `using Inference for Terms`.
library Inference {
    /// How long a result may be used by default: 32 blocks of 500 ms are 16 seconds.
    uint32 internal constant VALIDITY_BLOCKS = 32;

    /// What was asked and what came back do not fit together.
    error NotANumber(uint256 bytesFound);

    // Terms.

    /// Terms for a model of tensors: the first valid answer counts.
    function terms(uint64 maxFeeGwei, uint32 maxOutputBytes) internal pure returns (Terms memory) {
        return Terms(maxFeeGwei, VALIDITY_BLOCKS, maxOutputBytes, 0, 0, Conflict(ConflictKind.FIRST_VALID, 0, 0));
    }

    /// Terms for a language model: room for six bytes a token.
    function textTerms(uint64 maxFeeGwei, uint32 tokensIn, uint32 tokensOut) internal pure returns (Terms memory made) {
        uint256 room = uint256(tokensOut) * 6 + 64;
        made = terms(maxFeeGwei, room > 65_536 ? 65_536 : uint32(room));
        made.tokensIn = tokensIn;
        made.tokensOut = tokensOut;
    }

    /// The same terms, with answers of `quorum` operators that are equal byte by byte.
    function agree(Terms memory self, uint8 quorum) internal pure returns (Terms memory) {
        self.conflict = Conflict(ConflictKind.AGREE, quorum, 0);
        return self;
    }

    /// The same terms, with the median of `quorum` operators' numbers, none farther from it than the tolerance (10^-18).
    function median(Terms memory self, uint8 quorum, uint128 toleranceWad) internal pure returns (Terms memory) {
        self.conflict = Conflict(ConflictKind.MEDIAN, quorum, toleranceWad);
        return self;
    }

    /// The same terms, with another validity.
    function validFor(Terms memory self, uint32 blocks) internal pure returns (Terms memory) {
        self.validityBlocks = blocks;
        return self;
    }

    // Questions in bytes.

    function ask(string memory model, Mode mode, bytes memory input, Terms memory asked)
        internal
        view
        returns (bytes memory)
    {
        return PIPE_INFERENCE.infer(Request(model, mode, input, asked));
    }

    function announce(string memory model, Mode mode, bytes memory input, Terms memory asked) internal view {
        PIPE_INFERENCE.prefetch(Request(model, mode, input, asked));
    }

    // Questions in decimals.

    /// One tensor of decimals in and out, both in the same encoding.
    function askNumbers(
        string memory model,
        Mode mode,
        Number[] memory values,
        Encoding encoding,
        uint8 decimals,
        Terms memory asked
    ) internal view returns (Number[] memory) {
        ModelInferenceRequest memory question = ModelInferenceRequest(mode, model, tensor("input", values));
        Format memory format = Format(encoding, encoding, decimals);
        (bool ok, bytes memory output) =
            address(PIPE_INFERENCE).staticcall(abi.encodeCall(PIPE_INFERENCE.runModelInference, (question, asked, format)));
        if (!ok) {
            assembly ("memory-safe") {
                revert(add(output, 32), mload(output))
            }
        }
        return firstTensor(output);
    }

    /// Like `askNumbers`, for a model that answers with one number: value * 10^-decimals.
    function askNumber(
        string memory model,
        Mode mode,
        Number[] memory values,
        Encoding encoding,
        uint8 decimals,
        Terms memory asked
    ) internal view returns (int256) {
        Number[] memory numbers = askNumbers(model, mode, values, encoding, decimals, asked);
        if (numbers.length != 1) revert NotANumber(numbers.length);
        return numbers[0].value;
    }

    /// The numbers of the first tensor of an encoded `ModelOutput`. Solidity 0.8 cannot decode the whole of that type unless it
    /// compiles via IR ("stack too deep"), which whoever imports this library should not have to. The precompile wrote the
    /// encoding, so that its offsets are right.
    function firstTensor(bytes memory output) private pure returns (Number[] memory numbers) {
        uint256 list;
        uint256 length;
        assembly ("memory-safe") {
            let whole := add(output, 64)
            let tensors := add(add(whole, mload(whole)), 32)
            let first := add(tensors, mload(tensors))
            let values := add(first, mload(add(first, 32)))
            length := mload(values)
            list := add(values, 32)
        }
        numbers = new Number[](length);
        for (uint256 i = 0; i < length; i++) {
            int128 value;
            int128 decimals;
            assembly ("memory-safe") {
                value := mload(add(list, mul(i, 64)))
                decimals := mload(add(list, add(mul(i, 64), 32)))
            }
            numbers[i] = Number(value, decimals);
        }
    }

    /// Integers that all have the same decimals, as numbers.
    function fixedPoint(int128[] memory values, int128 decimals) internal pure returns (Number[] memory numbers) {
        numbers = new Number[](values.length);
        for (uint256 i = 0; i < values.length; i++) numbers[i] = Number(values[i], decimals);
    }

    function tensor(string memory name, Number[] memory values) internal pure returns (ModelInput memory input) {
        input.numbers = new NumberTensor[](1);
        input.numbers[0] = NumberTensor(name, values);
    }

    function text(string memory name, string memory value) internal pure returns (ModelInput memory input) {
        input.strings = new StringTensor[](1);
        string[] memory values = new string[](1);
        values[0] = value;
        input.strings[0] = StringTensor(name, values);
    }

    // Questions in words. `asked.tokensOut` limits the answer.

    function complete(string memory model, Mode mode, string memory prompt, Terms memory asked)
        internal
        view
        returns (string memory)
    {
        return PIPE_INFERENCE.runLLMCompletion(
            LLMCompletionRequest(mode, model, prompt, asked.tokensOut, new string[](0), 0), asked
        ).answer;
    }

    function chat(string memory model, Mode mode, ChatMessage[] memory messages, Terms memory asked)
        internal
        view
        returns (string memory)
    {
        return PIPE_INFERENCE.runLLMChat(
            LLMChatRequest(mode, model, messages, new ToolDefinition[](0), "", asked.tokensOut, new string[](0), 0),
            asked
        ).message.content;
    }

    function message(string memory role, string memory content) internal pure returns (ChatMessage memory) {
        return ChatMessage(role, content, "", "", new ToolCall[](0));
    }

    // Reading outputs of `infer`, `inferMany` and `tryInfer`.

    /// The output of one byte as a whole number from 0 to 255.
    function readUint8(bytes memory output) internal pure returns (uint256) {
        if (output.length != 1) revert NotANumber(output.length);
        return uint8(output[0]);
    }

    /// The little-endian float32 at that element as a whole number of 10^-18, towards zero; reverts unless it is within
    /// +-2^63. What lies below 10^-18 is zero.
    function readFloat32Wad(bytes memory output, uint256 element) internal pure returns (int256) {
        uint256 start = element * 4;
        if (start + 4 > output.length) revert NotANumber(output.length);
        uint32 bits = uint32(uint8(output[start])) | (uint32(uint8(output[start + 1])) << 8)
            | (uint32(uint8(output[start + 2])) << 16) | (uint32(uint8(output[start + 3])) << 24);
        uint256 field = (bits >> 23) & 0xff;
        // 2^63 and more, infinity, and what is no number.
        if (field >= 190) revert NotANumber(output.length);
        if (field == 0) return 0;
        // significand * 2^(field - 150); at the most 24 + 60 + 40 bits.
        uint256 scaled = uint256((bits & 0x7fffff) | 0x800000) * 1e18;
        uint256 magnitude = field >= 150 ? scaled << (field - 150) : scaled >> (150 - field);
        return bits >> 31 == 1 ? -int256(magnitude) : int256(magnitude);
    }
}
