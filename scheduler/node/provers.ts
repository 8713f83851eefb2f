import type { Proof } from "../live/transport.ts";
import type { SigningKey } from "../proofs/keys.ts";
import type { Statement } from "../proofs/statement.ts";
import { encodeStatement, statementHash } from "../proofs/statement.ts";
import type { Mode } from "../shared/vocabulary.ts";
import type { NodeEnclave } from "./node-enclave.ts";
import type { ZkProver } from "./zkml/prover.ts";

/** What a proof is made for: what the node says, and what it says it of. */
export interface Work {
  readonly statement: Statement;
  readonly input: Uint8Array;
  /** SHA-256 of the attestation document under which the node got the assignment; needed in mode `tee`. */
  readonly attestation: string | undefined;
  /** Aborted when nobody wants the proof any more. */
  readonly signal: AbortSignal;
}

/** Makes the proofs of one mode. Rejects when it cannot: then the copy has failed. */
export type Prover = (work: Work) => Promise<Proof>;

/** What a node can prove with. Without an enclave there is nothing in mode `tee`, without a prover of the model none in `zkml`. */
export interface ProvingParts {
  readonly key: SigningKey;
  readonly enclave: NodeEnclave | undefined;
  /** By model. */
  readonly zkProvers: ReadonlyMap<string, ZkProver>;
}

/** The provers of a node, by mode. */
export function proversOf({ key, enclave, zkProvers }: ProvingParts): Readonly<Record<Mode, Prover>> {
  const signed = ({ statement }: Work): string => key.sign(encodeStatement(statement));
  return {
    vanilla: async (work) => ({ kind: "vanilla", signature: signed(work) }),
    optimistic: async (work) => ({ kind: "optimistic", signature: signed(work) }),
    async tee({ statement, attestation }) {
      if (enclave === undefined || attestation === undefined || !enclave.hasAttested(attestation))
        throw new Error("the assignment names an attestation that this enclave did not give");
      return { kind: "tee", signature: enclave.sign(encodeStatement(statement)), attestation };
    },
    async zkml(work) {
      const { statement, input, signal } = work;
      const proved = await zkProvers.get(statement.model)?.prove({ input, binding: statementHash(statement), signal });
      if (proved === undefined) throw new Error("there is no prover for this model and input");
      return { kind: "zkml", signature: signed(work), proof: Buffer.from(proved.proof).toString("hex") };
    },
  };
}
