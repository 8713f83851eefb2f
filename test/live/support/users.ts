import type { Pipe, SignedTransaction, UnsignedTransaction } from "../../../scheduler/index.ts";
import { type SigningKey, signingKeyFromSeed, signTransaction } from "../../../scheduler/index.ts";

export const CHAIN = "test-chain";

/** Somebody with a key who asks models things. */
export class User {
  readonly key: SigningKey;
  #nonce = 0;

  constructor(seed: number) {
    this.key = signingKeyFromSeed(new Uint8Array(32).fill(seed));
  }

  get id(): string {
    return this.key.publicKeyHex;
  }

  /** The next transaction, with what a case changes of it. */
  sign(changes: Partial<UnsignedTransaction> = {}, calls = 1): SignedTransaction {
    const nonce = changes.nonce ?? this.#nonce++;
    const input = Buffer.from(new Float32Array(16).fill(nonce).buffer).toString("base64");
    const call = {
      model: "echo",
      mode: "vanilla",
      input,
      tokensIn: 1,
      tokensOut: 1,
      maxFeeGwei: 100,
      conflict: { kind: "first-valid" },
      validityBlocks: 50,
    } as const;
    const unsigned: UnsignedTransaction = {
      chainId: CHAIN,
      sender: this.id,
      nonce,
      gasPriceGwei: 1,
      ttlBlocks: 50,
      calls: Array.from({ length: calls }, () => call),
      ...changes,
    };
    return signTransaction(unsigned, this.key);
  }
}

/** Waits until the transaction is in the state; fails after ten seconds. */
export async function untilState(pipe: Pipe, hash: string, state: string): Promise<void> {
  const untilMs = performance.now() + 10_000;
  for (;;) {
    const seen = await pipe.status(hash);
    if (seen?.state === state) return;
    if (performance.now() > untilMs) throw new Error(`${hash} is ${seen?.state} after ten seconds, not ${state}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
