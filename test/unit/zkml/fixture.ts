import { sha256Hex } from "../../../scheduler/proofs/digest.ts";
import type { Statement } from "../../../scheduler/proofs/statement.ts";
import { statementHash } from "../../../scheduler/proofs/statement.ts";
import type { Groth16Key } from "../../../scheduler/proofs/zkml/groth16.ts";
import { groth16 } from "../../../scheduler/proofs/zkml/groth16.ts";
import { isKeyFault, type ZkCheck } from "../../../scheduler/proofs/zkml/proof-system.ts";
import { readVerificationKey, readZkManifest } from "../../../scheduler/node/zkml/catalogue.ts";
import { createProver } from "../../../scheduler/node/zkml/prover.ts";

export const MODEL = "risk-tiny";

export const entry = readZkManifest().models.find(({ model }) => model === MODEL) as NonNullable<
  ReturnType<typeof readZkManifest>["models"][number]
>;

export const prover = createProver(MODEL);

export function prepared(json: unknown): Groth16Key {
  const key = groth16.prepare(json);
  if (isKeyFault(key)) throw new Error(key.message);
  return key;
}

export const key = prepared(readVerificationKey(entry));

export const input = Uint8Array.from([250, 3, 240, 240, 128, 127, 0, 255]);
export const output = prover.infer(input) as Uint8Array;

/** What the honest node says. */
export const statement: Statement = {
  chainId: "pipe-1",
  txHash: "1268c427b02b46d78b46cebfe12c341069df3d51a5867c0ee52bf4ce7bc57615",
  callIndex: 0,
  model: MODEL,
  inputHash: sha256Hex(input),
  mode: "zkml",
  node: "node-1",
  nonce: 1,
  outputHash: sha256Hex(output),
};

/** The honest node's proof for that statement, checked as if this were claimed instead. */
export async function honestCheck(): Promise<ZkCheck<Groth16Key>> {
  const binding = statementHash(statement);
  const proved = await prover.prove({ input, binding });
  if (proved === undefined) throw new Error("the input has the right length");
  return { key, modelDigest: entry.modelDigest, binding, input, ...proved };
}

/** A field element from a stream of 32-bit integers, never zero. */
export function scalarOf(word: () => number): bigint {
  let value = 0n;
  for (let i = 0; i < 7; i += 1) value = value * 2n ** 32n + BigInt(word() >>> 0);
  return value + 1n;
}
