import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CallResult, SealedBlock, TransactionView } from "../../../scheduler/engine/commands.ts";
import { ChallengeSampler } from "../../../scheduler/live/challenge-sampler.ts";
import { epochSeeds } from "../../../scheduler/live/secret.ts";
import { challengeEpoch, isRevealed, isSampled, seedCommitment } from "../../../scheduler/proofs/challenge-sample.ts";
import { sha256Hex } from "../../../scheduler/proofs/digest.ts";

const seeds = epochSeeds(new Uint8Array(32).fill(9));
const hashOf = (text: string) => sha256Hex(Buffer.from(text));
const seed = seeds.challenge(0);

describe("the sample of challenges", () => {
  it("falls on as many results as the rate says", () => {
    const drawn = Array.from({ length: 20_000 }, (_, i) => i).filter((i) =>
      isSampled({ perMillion: 100_000 }, { seed, txHash: hashOf(`${i}`), callIndex: 0 }),
    );
    // Within five standard deviations of 2,000; the hashes are fixed, so this holds always or never.
    expect(Math.abs(drawn.length - 2_000)).toBeLessThan(5 * Math.sqrt(1_800));
  });

  it("falls on none at a rate of zero, on all at a million, and on more the higher the rate", () => {
    const results = fc.record({ txHash: fc.string().map(hashOf), callIndex: fc.nat(16) });
    fc.assert(
      fc.property(results, fc.nat(1_000_000), fc.nat(1_000_000), (result, a, b) => {
        const at = (perMillion: number) => isSampled({ perMillion }, { seed, ...result });
        expect([at(0), at(1_000_000)]).toEqual([false, true]);
        if (at(Math.min(a, b))) expect(at(Math.max(a, b))).toBe(true);
      }),
    );
  });

  it("is another one for another seed, transaction or call", () => {
    const sample = (epoch: number, text: string, callIndex: number) =>
      Array.from({ length: 64 }, (_, i) =>
        isSampled({ perMillion: 500_000 }, { seed: seeds.challenge(epoch), txHash: hashOf(`${text} ${i}`), callIndex }),
      ).join();
    expect(new Set([sample(0, "tx", 0), sample(1, "tx", 0), sample(0, "yt", 0), sample(0, "tx", 1)]).size).toBe(4);
  });

  it("is by a seed whose hash was told before, and which is told when no reorg reaches the epoch any more", () => {
    const terms = { perMillion: 1, epochBlocks: 10, revealBlocks: 5 };
    expect([0, 9, 10, 19, 20].map((height) => challengeEpoch(terms, height))).toEqual([0, 0, 1, 1, 2]);
    expect([14, 15].map((height) => isRevealed(terms, 0, height))).toEqual([false, true]);
    expect(seedCommitment(seed)).toBe(sha256Hex(Buffer.from(seed, "hex")));
  });
});

describe("the sampler", () => {
  const TERMS = { perMillion: 1_000_000, epochBlocks: 10 };
  const resultOf = (callIndex: number, mode: CallResult["mode"]) =>
    ({ txHash: hashOf("tx"), callIndex, mode }) as CallResult;
  const calls = [resultOf(0, "optimistic"), resultOf(1, "vanilla"), resultOf(2, "optimistic")];
  const transaction = { hash: hashOf("tx"), calls: calls.map((result) => ({ result })) } as unknown as TransactionView;

  function sampler() {
    const said: number[] = [];
    const options = { terms: TERMS, seedOf: (epoch: number) => seeds.challenge(epoch) };
    return { said, sampler: new ChallengeSampler({ ...options, say: ({ callIndex }) => said.push(callIndex) }) };
  }

  it("challenges results in mode optimistic when their block is sealed", () => {
    const { said, sampler: sealed } = sampler();
    sealed.sealed({ height: 3, sealedUs: 1, transactions: [transaction] } as SealedBlock);
    expect(said).toEqual([0, 2]);
  });

  it("after a restart challenges those that were not challenged yet, and no others", () => {
    const { said, sampler: resumed } = sampler();
    resumed.resume({
      blocks: [{ height: 3, transactions: [transaction.hash, hashOf("forgotten")], committed: true }],
      transaction: (hash) => (hash === transaction.hash ? transaction : undefined),
      wasChallenged: (_, callIndex) => callIndex === 0,
    });
    expect(said).toEqual([2]);
  });
});
