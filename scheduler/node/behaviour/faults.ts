import type { Statement } from "../../proofs/statement.ts";
import { unreachable } from "../../shared/assert.ts";

/** How a node misbehaves. Demonstrations and tests choose; an honest node has `none`. */
export type Fault =
  | { readonly kind: "none" }
  /** Takes `factor` times as long. */
  | { readonly kind: "slow"; readonly factor: number }
  /** Joins, reports its load once, and says nothing after that. */
  | { readonly kind: "dead" }
  /** Fails this fraction of its copies, 0 to 1, at the time of their first token. */
  | { readonly kind: "erroring"; readonly fraction: number }
  /** Answers in time with a signature that does not hold. */
  | { readonly kind: "wrong-signature" }
  /** Answers in time with a good signature over the statement of another call. */
  | { readonly kind: "wrong-job" }
  /** Ignores Cancel and lease: goes on to its end and answers late. */
  | { readonly kind: "never-cancels" };

/** What a fault changes in the node's work. */
export interface Behaviour {
  /** Whether it reacts to anything after it joined. */
  readonly responds: boolean;
  /** Whether it stops when told so or when the lease ends. */
  readonly stops: boolean;
  /** The statement that it signs instead of this one. */
  statement(honest: Statement): Statement;
  /** The signature that it sends instead of this one. */
  signature(honest: string): string;
}

const HONEST: Behaviour = {
  responds: true,
  stops: true,
  statement: (honest) => honest,
  signature: (honest) => honest,
};

/** How many times as long a node with this fault takes. */
export function delayFactorOf(fault: Fault): number {
  return fault.kind === "slow" ? fault.factor : 1;
}

/** What a fault changes besides the fates of copies. */
export function behaviourOf(fault: Fault): Behaviour {
  switch (fault.kind) {
    // How long copies take and which of them fail is in their fates.
    case "none":
    case "slow":
    case "erroring":
      return HONEST;
    case "dead":
      return { ...HONEST, responds: false };
    case "wrong-signature":
      return { ...HONEST, signature: flipFirstDigit };
    case "wrong-job":
      return { ...HONEST, statement: neighbour };
    case "never-cancels":
      return { ...HONEST, stops: false };
    default:
      return unreachable(fault);
  }
}

/** Flips the lowest bit of the first hexadecimal digit: a well-formed signature that does not hold. */
function flipFirstDigit(signature: string): string {
  const digit = Number.parseInt(signature.charAt(0), 16);
  return (digit ^ 1).toString(16) + signature.slice(1);
}

/** The same statement about another call of the transaction. */
function neighbour(honest: Statement): Statement {
  return { ...honest, callIndex: honest.callIndex === 0 ? 1 : honest.callIndex - 1 };
}
