import { hash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { sha256Hex, ZERO_HASH } from "../../../scheduler/proofs/digest.ts";
import type { BlockHeader } from "../../../scheduler/proofs/header.ts";
import { isSignedHeader, signHeader } from "../../../scheduler/proofs/header.ts";
import { signingKeyFromSeed } from "../../../scheduler/proofs/keys.ts";
import { EMPTY_ROOT, provesInclusion, receiptTree } from "../../../scheduler/proofs/merkle.ts";
import type { Receipt } from "../../../scheduler/proofs/receipt.ts";
import { encodeReceipt, receiptLeaf } from "../../../scheduler/proofs/receipt.ts";

const hashOf = (text: string) => sha256Hex(new TextEncoder().encode(text));

const receipt: Receipt = {
  chainId: "pipe-1",
  height: 3,
  sealedUs: 9,
  position: 0,
  txHash: hashOf("tx"),
  callIndex: 0,
  digest: hashOf("job"),
  model: "m",
  mode: "vanilla",
  conflict: { kind: "agree", k: 2 },
  inputHash: hashOf("in"),
  input: "",
  lane: "fast",
  copy: 1,
  node: "n",
  nodeKey: hashOf("key"),
  nonce: 5,
  speculative: false,
  outputHash: hashOf("out"),
  answerHash: hashOf("answer"),
  maxFeeGwei: 4,
  feeGwei: 3,
  openedUs: 1,
  launchedUs: 2,
  answeredUs: 3,
  decidedUs: 4,
  decidedHeight: 3,
  validUntilHeight: 5,
  bondGwei: 0,
  challengeBlocks: 0,
  supporters: [
    {
      copy: 2,
      node: "s",
      nodeKey: hashOf("other key"),
      nonce: 6,
      outputHash: hashOf("out"),
      answerHash: hashOf("other answer"),
      feeGwei: 1,
      answeredUs: 4,
      output: "b3V0",
      proof: { kind: "vanilla", signature: "00".repeat(64) },
    },
  ],
  rivals: [{ node: "r", end: "outrun", speculative: true }],
  output: "b3V0",
  proof: { kind: "vanilla", signature: "00".repeat(64) },
};

describe("receipt", () => {
  it("has one text, whatever the order of its keys", () => {
    const reversed = Object.fromEntries(Object.entries(receipt).toReversed()) as unknown as Receipt;
    expect(encodeReceipt(reversed)).toBe(encodeReceipt(receipt));
    expect(encodeReceipt(receipt)).toBe(JSON.stringify(receipt));
  });

  it("has another leaf for another value of any field", () => {
    for (const [name, value] of Object.entries(receipt)) {
      const changed = { ...receipt, [name]: changedValue(value) };
      expect(receiptLeaf(changed), name).not.toBe(receiptLeaf(receipt));
    }
  });
});

/** SSZ's merkleize as the specification words it: pad with zeros to a power of two, hash level by level. */
function merkleize(leaves: readonly string[]): string {
  let level = leaves.map((leaf) => Buffer.from(leaf, "hex"));
  while (Math.log2(level.length) % 1 !== 0) level.push(Buffer.alloc(32));
  while (level.length > 1) {
    const [...below] = level;
    level = [];
    for (let i = 0; i < below.length; i += 2) {
      level.push(hash("sha256", Buffer.concat(below.slice(i, i + 2)), "buffer"));
    }
  }
  return (level[0] as Buffer).toString("hex");
}

function changedValue(value: unknown): unknown {
  if (typeof value === "number") return value + 1;
  if (typeof value === "boolean") return !value;
  if (typeof value === "string") return `${value}x`;
  if (Array.isArray(value)) return [];
  return (value as { kind: string }).kind === "agree"
    ? { kind: "agree", k: 3 }
    : { kind: "vanilla", signature: "11".repeat(64) };
}

describe("receipt tree", () => {
  const leaves = fc.uniqueArray(
    fc.nat().map((n) => hashOf(`leaf ${n}`)),
    { minLength: 1, maxLength: 40 },
  );

  it("has the root that SSZ's merkleize gives", () => {
    fc.assert(
      fc.property(leaves, (values) => {
        expect(receiptTree(values).root).toBe(merkleize(values));
      }),
      { numRuns: 30 },
    );
  });

  it("proves each leaf in its place and nothing else", () => {
    fc.assert(
      fc.property(leaves, fc.nat(), (values, pick) => {
        const { root, proofs } = receiptTree(values);
        const index = pick % values.length;
        const claim = { root, leaf: values[index] ?? "", index, proof: proofs[index] ?? [] };
        expect(provesInclusion(claim)).toBe(true);
        expect(provesInclusion({ ...claim, leaf: hashOf("stranger") })).toBe(false);
        expect(provesInclusion({ ...claim, root: hashOf("root") })).toBe(false);
        expect(provesInclusion({ ...claim, index: index + 1 })).toBe(false);
        expect(provesInclusion({ ...claim, proof: [...claim.proof, ZERO_HASH] })).toBe(false);
      }),
      { numRuns: 50 },
    );
  });

  it("has a root of its own for no receipts, against which nothing is proved", () => {
    expect(receiptTree([])).toEqual({ root: EMPTY_ROOT, proofs: [] });
    expect(provesInclusion({ root: EMPTY_ROOT, leaf: receiptLeaf(receipt), index: 0, proof: [] })).toBe(false);
  });

  it("refuses proofs longer than any tree", () => {
    const proof = Array<string>(33).fill(ZERO_HASH);
    expect(provesInclusion({ root: ZERO_HASH, leaf: hashOf("leaf"), index: 0, proof })).toBe(false);
  });
});

describe("block header", () => {
  const key = signingKeyFromSeed(new Uint8Array(32).fill(9));
  const header: BlockHeader = {
    chainId: "pipe-1",
    height: 1,
    sealedUs: 2,
    parent: ZERO_HASH,
    receiptsRoot: EMPTY_ROOT,
    receiptCount: 0,
    transactions: [hashOf("a")],
    feesGwei: 0,
    orderCount: 1,
    orderHead: hashOf("o"),
    ledgerCount: 2,
    ledgerHead: hashOf("l"),
    registryCount: 3,
    registryHead: hashOf("r"),
    evidenceCount: 0,
    evidenceHead: hashOf("e"),
    key: key.publicKeyHex,
  };

  it("is signed in every field", () => {
    const signed = signHeader(header, key);
    expect(isSignedHeader(signed)).toBe(true);
    for (const [name, value] of Object.entries(header)) {
      const changed = { ...header, [name]: changedValue(value) };
      expect(isSignedHeader({ ...signed, header: changed }), name).toBe(false);
      const rehashed = { ...signHeader(changed, key), signature: signed.signature };
      expect(isSignedHeader(rehashed), name).toBe(false);
    }
  });

  it("is not signed by another key than it names", () => {
    const other = signingKeyFromSeed(new Uint8Array(32).fill(10));
    expect(isSignedHeader(signHeader(header, other))).toBe(false);
  });
});
