import { revertReason } from "./revert-reason.ts";
import { dataHex } from "./hex.ts";

/**
 * Why the chain does not do what was asked. Amounts in wei. Where a kind has numbers, they are for the message, in which
 * wallets and libraries look for go-ethereum's words.
 */
export type EvmProblem =
  /** What came is no transaction; `message` says what is wrong with it. */
  | { readonly kind: "malformed"; readonly message: string }
  | { readonly kind: "oversized"; readonly size: number; readonly limit: number }
  | { readonly kind: "type-not-supported"; readonly type: number }
  | { readonly kind: "wrong-chain"; readonly have: bigint; readonly want: bigint }
  | { readonly kind: "unprotected" }
  | { readonly kind: "bad-signature" }
  | { readonly kind: "already-known" }
  | { readonly kind: "nonce-too-low"; readonly next: number; readonly nonce: number }
  | { readonly kind: "nonce-too-high"; readonly next: number; readonly nonce: number }
  | { readonly kind: "replacement-underpriced" }
  | { readonly kind: "underpriced"; readonly offered: bigint; readonly minimum: bigint }
  | { readonly kind: "fee-below-base-fee"; readonly maxFeePerGas: bigint; readonly baseFeePerGas: bigint }
  | { readonly kind: "tip-above-fee-cap" }
  | { readonly kind: "insufficient-funds"; readonly balance: bigint; readonly cost: bigint }
  | { readonly kind: "intrinsic-gas-too-low"; readonly gas: bigint; readonly minimum: bigint }
  | { readonly kind: "beyond-block-gas"; readonly gas: bigint; readonly limit: bigint }
  | { readonly kind: "init-code-too-large"; readonly size: number; readonly limit: number }
  | { readonly kind: "pool-full" }
  | { readonly kind: "sender-limit"; readonly limit: number }
  /** The scheduler's own reasons: `reason` is a word for programs, `message` and `advice` are for people. */
  | { readonly kind: "refused"; readonly reason: string; readonly message: string; readonly advice: string }
  /** A tried call was reverted with these bytes. */
  | { readonly kind: "reverted"; readonly data: Uint8Array }
  /** A tried call ended otherwise: `out of gas`, `invalid opcode: INVALID`, `stack underflow`. */
  | { readonly kind: "failed"; readonly message: string }
  /** No gas limit up to the allowance makes it succeed. */
  | { readonly kind: "gas-exceeds-allowance"; readonly allowance: bigint }
  | { readonly kind: "state-unavailable" }
  | { readonly kind: "timeout"; readonly limitMs: number }
  | { readonly kind: "overloaded" }
  | { readonly kind: "closed" };

/** The `error` member of a JSON-RPC answer. */
export interface RpcError {
  readonly code: number;
  readonly message: string;
  /** Bytes of a revert, as hexadecimal; otherwise what the problem is and what can be done about it. */
  readonly data?: string | { readonly kind: string; readonly advice: string; readonly reason?: string };
}

/** Codes of JSON-RPC 2.0, of EIP-1474, and what go-ethereum uses beside them. */
export const CODES = {
  parse: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internal: -32603,
  server: -32000,
  unavailable: -32002,
  rejected: -32003,
  /** Asking again later may help; viem does it by itself. */
  limitExceeded: -32005,
  reverted: 3,
  pruned: 4444,
} as const;

/** A chain's problem as tools expect it. */
export function rpcErrorOf(problem: EvmProblem): RpcError {
  if (problem.kind === "reverted") {
    const reason = revertReason(problem.data);
    const message = reason === undefined ? "execution reverted" : `execution reverted: ${reason}`;
    return { code: CODES.reverted, message, data: dataHex(problem.data) };
  }
  const { code = CODES.server, message, advice } = wordsOf(problem);
  const { kind } = problem;
  return { code, message, data: kind === "refused" ? { kind, reason: problem.reason, advice } : { kind, advice } };
}

interface Words {
  readonly code?: number;
  readonly message: string;
  readonly advice: string;
}

type WordedKind = Exclude<EvmProblem["kind"], "reverted">;

const WORDS: { readonly [K in WordedKind]: (p: Extract<EvmProblem, { readonly kind: K }>) => Words } = {
  malformed: (p) => ({
    code: CODES.invalidParams,
    message: `invalid argument 0 (transaction): ${p.message}`,
    advice: "Send a signed transaction: RLP of a legacy one, or type byte and RLP, as eth_sendRawTransaction has it.",
  }),
  oversized: (p) => ({
    message: `oversized data: transaction size ${p.size}, limit ${p.limit}`,
    advice: "Send less calldata, or split it over several transactions.",
  }),
  "type-not-supported": (p) => ({
    message: `transaction type not valid: type ${p.type} is not supported`,
    advice: "Send a transaction of type 0, 1 or 2 (EIP-1559); blobs have no place on this chain.",
  }),
  "wrong-chain": (p) => ({
    message: `invalid sender: invalid chain id for signer: have ${p.have} want ${p.want}`,
    advice: `Sign the transaction for chain id ${p.want}.`,
  }),
  unprotected: () => ({
    message: "only replay-protected (EIP-155) transactions allowed over RPC",
    advice: "Sign the transaction with the chain id.",
  }),
  "bad-signature": () => ({
    message: "invalid sender: invalid transaction v, r, s values",
    advice: "Sign the transaction again; s must be in the lower half of its range.",
  }),
  "already-known": () => ({
    message: "already known",
    advice: "Nothing is to be done: the transaction waits, or is in a block.",
  }),
  "nonce-too-low": (p) => ({
    message: `nonce too low: next nonce ${p.next}, tx nonce ${p.nonce}`,
    advice: `Sign the transaction with nonce ${p.next}.`,
  }),
  "nonce-too-high": (p) => ({
    message: `nonce too high: next nonce ${p.next}, tx nonce ${p.nonce}`,
    advice: `Send the transactions with the nonces from ${p.next} on first.`,
  }),
  "replacement-underpriced": () => ({
    message: "replacement transaction underpriced",
    advice: "Another transaction with this nonce waits. Offer at least 10 % more, for the fee cap and for the tip.",
  }),
  underpriced: (p) => ({
    message: `transaction underpriced: offered ${p.offered}, minimum needed ${p.minimum}`,
    advice: "Ask eth_gasPrice, or eth_maxPriorityFeePerGas, what is taken.",
  }),
  "fee-below-base-fee": (p) => ({
    message: `max fee per gas less than block base fee: maxFeePerGas: ${p.maxFeePerGas}, baseFee: ${p.baseFeePerGas}`,
    advice: "Offer the base fee of the latest block twice, and a tip.",
  }),
  "tip-above-fee-cap": () => ({
    message: "max priority fee per gas higher than max fee per gas",
    advice: "Raise the fee cap, or lower the tip.",
  }),
  "insufficient-funds": (p) => ({
    message: `insufficient funds for gas * price + value: balance ${p.balance}, tx cost ${p.cost}, overshot ${p.cost - p.balance}`,
    advice:
      "Send funds to the sender, or lower value, gas limit or fee cap. Fees of inference come out of its deposit instead.",
  }),
  "intrinsic-gas-too-low": (p) => ({
    message: `intrinsic gas too low: gas ${p.gas}, minimum needed ${p.minimum}`,
    advice: "Ask eth_estimateGas for a gas limit.",
  }),
  "beyond-block-gas": (p) => ({
    message: `exceeds block gas limit: gas ${p.gas}, limit ${p.limit}`,
    advice: `Set a gas limit of ${p.limit} at the most.`,
  }),
  "init-code-too-large": (p) => ({
    message: `max initcode size exceeded: code size ${p.size}, limit ${p.limit}`,
    advice: "Split the contract into several.",
  }),
  "pool-full": () => ({
    message: "txpool is full",
    advice: "Offer more, or send the transaction again after a few blocks.",
  }),
  "sender-limit": (p) => ({
    message: `account limit exceeded: pooled ${p.limit} txs, limit ${p.limit}`,
    advice: "Wait until earlier transactions of this sender are in blocks.",
  }),
  refused: (p) => ({ code: CODES.rejected, message: p.message, advice: p.advice }),
  failed: (p) => ({
    message: p.message,
    advice: "The call ends by itself this way: look at its gas, and at the contract.",
  }),
  "gas-exceeds-allowance": (p) => ({
    message: `gas required exceeds allowance (${p.allowance})`,
    advice: "With no gas limit that a block has room for does the call succeed.",
  }),
  "state-unavailable": () => ({
    message: "historical state is not available",
    advice: "Ask for a later block: the states of the latest blocks only are kept.",
  }),
  timeout: (p) => ({
    message: `execution aborted (timeout = ${p.limitMs / 1000}s)`,
    advice: "Ask for less work, or with less gas.",
  }),
  overloaded: () => ({
    code: CODES.limitExceeded,
    message: "limit exceeded: the node has too much to do",
    advice: "Nothing was done; ask again after a second.",
  }),
  closed: () => ({
    code: CODES.unavailable,
    message: "the node is closing",
    advice: "Nothing was done; ask again when it is back.",
  }),
};

function wordsOf(problem: Extract<EvmProblem, { readonly kind: WordedKind }>): Words {
  // The table's type gives every kind the function of its own problem, which the compiler does not follow through a look-up.
  const words = WORDS[problem.kind] as (problem: EvmProblem) => Words;
  return words(problem);
}
