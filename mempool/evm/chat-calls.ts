import { AbiParameters, Hex } from "ox";
import { isCanonicalLayout } from "./abi-layout.ts";
import { CALL_TERMS } from "./precompile-interface.ts";
import { type DecodedTerms, demand, type InferenceRequest, requestOf } from "./requests.ts";
import { returned, type UnderstoodCall } from "./understood-call.ts";

/** What a node takes as a conversation; docs/NODE.md. */
const ROLES: ReadonlySet<string> = new Set(["system", "user", "assistant"]);
const MAX_MESSAGES = 256;

/** Texts are `bytes` where Solidity says `string`; see precompile-interface.ts. */
const COMPLETION = AbiParameters.from([
  ...CALL_TERMS,
  "struct LLMCompletionRequest { uint8 mode; bytes modelCID; bytes prompt; uint32 max_tokens; bytes[] stop_sequence; uint32 temperature; }",
  "LLMCompletionRequest request, Terms terms",
]);

const MESSAGE = [
  "struct ToolCall { bytes id; bytes name; bytes arguments; }",
  "struct ChatMessage { bytes role; bytes content; bytes name; bytes tool_call_id; ToolCall[] tool_calls; }",
] as const;

const CHAT = AbiParameters.from([
  ...CALL_TERMS,
  ...MESSAGE,
  "struct ToolDefinition { bytes description; bytes name; bytes parameters; }",
  "struct LLMChatRequest { uint8 mode; bytes modelCID; ChatMessage[] messages; ToolDefinition[] tools; bytes tool_choice; uint32 max_tokens; bytes[] stop_sequence; uint32 temperature; }",
  "LLMChatRequest request, Terms terms",
]);

const COMPLETION_RESPONSE = AbiParameters.from([
  "struct LLMCompletionResponse { bytes answer; bool is_simulation_result; }",
  "LLMCompletionResponse response",
]);

const CHAT_RESPONSE = AbiParameters.from([
  ...MESSAGE,
  "struct LLMChatResponse { bytes finish_reason; ChatMessage message; bool is_simulation_result; }",
  "LLMChatResponse response",
]);

const ASSISTANT = Hex.fromString("assistant");

/** `runLLMCompletion`: a prompt in, a text out. */
export function decodeCompletion(data: Uint8Array): UnderstoodCall {
  demand(isCanonicalLayout(COMPLETION, data), "calldata: not the encoding of a completion");
  const [asked, terms] = AbiParameters.decode(COMPLETION, data);
  const request = textRequest(asked, terms, promptInput(textOf(asked.prompt, "prompt")));
  return answering(request, (answer, isMarker) =>
    AbiParameters.encode(COMPLETION_RESPONSE, [{ answer, is_simulation_result: isMarker }]),
  );
}

/** `runLLMChat`: a conversation in, the assistant's message out. Nodes take no tools and do not say why a model stopped. */
export function decodeChat(data: Uint8Array): UnderstoodCall {
  demand(isCanonicalLayout(CHAT, data), "calldata: not the encoding of a chat");
  const [asked, terms] = AbiParameters.decode(CHAT, data);
  demand(asked.tools.length === 0 && asked.tool_choice === "0x", "tools: nodes take none");
  demand(asked.messages.length >= 1 && asked.messages.length <= MAX_MESSAGES, "messages: 1 to 256");
  const messages = asked.messages.map((message) => {
    demand(message.name === "0x", "messages: nodes take no names");
    demand(message.tool_call_id === "0x" && message.tool_calls.length === 0, "messages: nodes take no tool calls");
    const role = textOf(message.role, "messages.role");
    demand(ROLES.has(role), "messages.role: system, user or assistant");
    return { role, content: textOf(message.content, "messages.content") };
  });
  return answering(textRequest(asked, terms, JSON.stringify({ messages })), (content, isMarker) => {
    const message = { role: ASSISTANT, content, name: "0x", tool_call_id: "0x", tool_calls: [] } as const;
    return AbiParameters.encode(CHAT_RESPONSE, [{ finish_reason: "0x", message, is_simulation_result: isMarker }]);
  });
}

/**
 * The prompt itself, except where a node could take it for a conversation: a contract that puts a user's text into its prompt
 * must not have that text choose the roles.
 */
function promptInput(prompt: string): string {
  if (!/^\uFEFF?\s*\{/u.test(prompt)) return prompt;
  return JSON.stringify({ messages: [{ role: "user", content: prompt }] });
}

interface Sampling {
  readonly mode: number;
  readonly modelCID: Hex.Hex;
  readonly max_tokens: number;
  readonly stop_sequence: readonly Hex.Hex[];
  readonly temperature: number;
}

/** A setting that the node would not heed is refused: nobody is to pay for something else than what was asked. */
function textRequest(asked: Sampling, terms: DecodedTerms, input: string): InferenceRequest {
  demand(asked.stop_sequence.length === 0, "stop_sequence: nodes take none");
  demand(asked.temperature === 0, "temperature: the node's, so 0 here");
  demand(terms.tokensOut === 0 || terms.tokensOut === asked.max_tokens, "terms.tokensOut: 0 or max_tokens");
  const { mode, modelCID, max_tokens: tokensOut } = asked;
  return requestOf({
    model: Hex.toBytes(modelCID),
    mode,
    input: new Uint8Array(Buffer.from(input)),
    terms: { ...terms, tokensOut },
  });
}

function answering(request: InferenceRequest, encode: (text: Hex.Hex, isMarker: boolean) => Hex.Hex): UnderstoodCall {
  return {
    requests: [request],
    tolerant: false,
    announces: false,
    numbers: 0,
    respond([output]) {
      const text = Hex.fromBytes(output ?? new Uint8Array(request.maxOutputBytes));
      return returned(Hex.toBytes(encode(text, output === undefined)));
    },
  };
}

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function textOf(bytes: Hex.Hex, where: string): string {
  try {
    return UTF8.decode(Hex.toBytes(bytes));
  } catch {
    demand(false, `${where}: no UTF-8`);
  }
}
