// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// What makes an answer valid. The first three are numbered as in OpenGradient's interface.
enum Mode {
    VANILLA, // the node's signature
    ZKML, // a zero-knowledge proof
    TEE, // an attested enclave's signature
    OPTIMISTIC // the node's signature, a bond, and challenges
}

/// Which of several valid answers counts.
enum ConflictKind {
    FIRST_VALID, // the first one; quorum and tolerance are zero
    AGREE, // `quorum` answers with the same bytes; tolerance is zero
    MEDIAN // `quorum` numbers, each within the tolerance of their median, which counts
}

/// Answers that count together come from as many different operators. `quorum` is 1 to 5.
struct Conflict {
    ConflictKind kind;
    uint8 quorum;
    uint128 toleranceWad; // in 10^-18
}

struct Terms {
    uint64 maxFeeGwei; // most that the inference may cost, out of the sender's deposit
    uint32 validityBlocks; // how many blocks after the one of its acceptance a result may be used
    uint32 maxOutputBytes; // 1 to 65536; a longer answer reverts; 16 gas each
    uint32 tokensIn; // what a language model is expected to read; for planning and prices
    uint32 tokensOut; // most that it may write
    Conflict conflict;
}

/// A question in bytes: the model gets `input` and answers with bytes.
struct Request {
    string model;
    Mode mode;
    bytes input; // up to 65536 bytes
    Terms terms;
}

/// value * 10^-decimals.
struct Number {
    int128 value;
    int128 decimals;
}

struct NumberTensor {
    string name;
    Number[] values;
}

struct StringTensor {
    string name;
    string[] values;
}

struct ModelInput {
    NumberTensor[] numbers;
    StringTensor[] strings;
}

struct ModelOutput {
    NumberTensor[] numbers;
    StringTensor[] strings;
    bool is_simulation_result; // true only in eth_call and eth_estimateGas, for a result that is not known
}

struct ModelInferenceRequest {
    Mode mode;
    string modelCID;
    ModelInput input;
}

/// How a model's bytes hold numbers, little endian, one after the other; or a text in UTF-8.
enum Encoding {
    FLOAT32,
    FLOAT64,
    INT8,
    UINT8,
    INT16,
    INT32,
    TEXT
}

struct Format {
    Encoding input;
    Encoding output;
    uint8 decimals; // of the output's numbers, 0 to 38; 0 for TEXT
}

struct LLMCompletionRequest {
    Mode mode;
    string modelCID;
    string prompt;
    uint32 max_tokens;
    string[] stop_sequence; // must be empty
    uint32 temperature; // must be 0: it is the node's
}

struct LLMCompletionResponse {
    string answer;
    bool is_simulation_result;
}

struct ToolCall {
    string id;
    string name;
    string arguments;
}

struct ChatMessage {
    string role; // system, user or assistant
    string content;
    string name; // must be empty
    string tool_call_id; // must be empty
    ToolCall[] tool_calls; // must be empty
}

struct ToolDefinition {
    string description;
    string name;
    string parameters;
}

struct LLMChatRequest {
    Mode mode;
    string modelCID;
    ChatMessage[] messages; // 1 to 256
    ToolDefinition[] tools; // must be empty
    string tool_choice; // must be empty
    uint32 max_tokens;
    string[] stop_sequence; // must be empty
    uint32 temperature; // must be 0
}

struct LLMChatResponse {
    string finish_reason; // empty: nodes do not tell
    ChatMessage message;
    bool is_simulation_result;
}

/// @title The inference precompile, at 0x00000000000000000000000000000000000000F4
/// @notice It never computes. A call returns a result that was computed, proved and checked before the block. A transaction
/// that asks something without a result is not included until there is one. Gas depends on the calldata alone.
interface IPipeInference {
    /// The calldata is no question that could be asked. The call has cost what its length costs.
    error InvalidRequest(string reason);
    /// The answer has more bytes than `maxOutputBytes`.
    error OutputTooLong(uint256 bytesFound, uint256 bytesTaken);
    /// The answer's length is no multiple of its encoding's.
    error OutputNotNumbers(uint256 bytesFound);
    /// That element of the answer is infinite or no number.
    error OutputNotFinite(uint256 element);
    /// That element, in the asked decimals, does not fit into an int128.
    error OutputOutOfRange(uint256 element);

    /// Asks, and goes on with the answer.
    function infer(Request calldata request) external view returns (bytes memory output);

    /// Asks 1 to 16 questions that do not depend on each other; they are found together and raced side by side.
    function inferMany(Request[] calldata requests) external view returns (bytes[] memory outputs);

    /// Asks, and goes on at once. `known` is false only while the questions are being found, so that those behind this one are
    /// found in the same run; in a block it is true.
    function tryInfer(Request calldata request) external view returns (bool known, bytes memory output);

    /// Announces a question that will be asked later, so that it is raced beside what is asked before. Always true; a function
    /// that returned nothing could not be called, since Solidity then looks for code, of which a precompile has none.
    function prefetch(Request calldata request) external view returns (bool announced);

    /// Asks with decimals, or a text, instead of bytes. A contract that takes `ModelOutput` whole has to be compiled via IR;
    /// `Inference.askNumbers` reads the numbers without that.
    function runModelInference(ModelInferenceRequest calldata request, Terms calldata terms, Format calldata format)
        external
        view
        returns (ModelOutput memory output);

    /// Asks a language model to go on from a prompt. `terms.tokensOut` is 0 or `max_tokens`.
    function runLLMCompletion(LLMCompletionRequest calldata request, Terms calldata terms)
        external
        view
        returns (LLMCompletionResponse memory response);

    /// Asks a language model for the next message of a conversation. `terms.tokensOut` is 0 or `max_tokens`.
    function runLLMChat(LLMChatRequest calldata request, Terms calldata terms)
        external
        view
        returns (LLMChatResponse memory response);
}

IPipeInference constant PIPE_INFERENCE = IPipeInference(0x00000000000000000000000000000000000000F4);
