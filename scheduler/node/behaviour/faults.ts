import type { Proof } from "../../live/transport.ts";
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
  | { readonly kind: "never-cancels" }
  /** Answers in time with a good signature over a wrong output, as who does not run the model at all. */
  | { readonly kind: "wrong-output" }
  /** Answers every assignment twice, the second time with a wrong output. */
  | { readonly kind: "equivocating" }
  /** Sends the first proof that it made again and again. */
  | { readonly kind: "replayed-proof" }
  /** Registers with an attestation document of a root of its own making. */
  | { readonly kind: "forged-attestation" };

/** What a fault changes in the node's work. */
export interface Behaviour {
  /** Whether it reacts to anything after it joined. */
  readonly responds: boolean;
  /** Whether it stops when told so or when the lease ends. */
  readonly stops: boolean;
  /** Whether its enclave's documents begin with a root of its own. */
  readonly forgesRoot: boolean;
  /** The output that it answers with instead of this one. */
  output(honest: Uint8Array): Uint8Array;
  /** Another output that it answers with besides; `undefined` for none. */
  secondOutput(honest: Uint8Array): Uint8Array | undefined;
  /** The statement that it proves instead of this one. */
  statement(honest: Statement): Statement;
  /** The proof that it sends instead of this one. */
  proof(honest: Proof): Proof;
}

const HONEST: Behaviour = {
  responds: true,
  stops: true,
  forgesRoot: false,
  output: (honest) => honest,
  secondOutput: () => undefined,
  statement: (honest) => honest,
  proof: (honest) => honest,
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
      return { ...HONEST, proof: (honest) => ({ ...honest, signature: flipFirstDigit(honest.signature) }) };
    case "wrong-job":
      return { ...HONEST, statement: neighbour };
    case "never-cancels":
      return { ...HONEST, stops: false };
    case "wrong-output":
      return { ...HONEST, output: lie };
    case "equivocating":
      return { ...HONEST, secondOutput: lie };
    case "replayed-proof":
      return { ...HONEST, proof: alwaysTheFirst() };
    case "forged-attestation":
      return { ...HONEST, forgesRoot: true };
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

/** The highest bit of the last byte flipped: of a little-endian number the sign, of a byte half its range. */
function lie(honest: Uint8Array): Uint8Array {
  const output = honest.slice();
  const last = output.length - 1;
  if (last >= 0) output[last] = (output[last] ?? 0) ^ 0x80;
  return output;
}

/** Keeps the first proof of each kind. */
function alwaysTheFirst(): (honest: Proof) => Proof {
  const first = new Map<Proof["kind"], Proof>();
  return (honest) => {
    const known = first.get(honest.kind);
    if (known === undefined) first.set(honest.kind, honest);
    return known ?? honest;
  };
}
