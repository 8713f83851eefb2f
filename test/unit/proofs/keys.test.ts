import { describe, expect, it } from "vitest";
import { isHashHex, sha256Hex } from "../../../scheduler/proofs/digest.ts";
import { deriveSeed, signingKeyFromSeed, verifySignature } from "../../../scheduler/proofs/keys.ts";

const fromHex = (text: string) => new Uint8Array(Buffer.from(text, "hex"));

describe("keys", () => {
  it("signs as RFC 8032 does (section 7.1, test 2)", () => {
    const key = signingKeyFromSeed(fromHex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"));
    expect(key.publicKeyHex).toBe("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
    const signature = key.sign(fromHex("72"));
    expect(signature).toBe(
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    );
    expect(verifySignature(key.publicKeyHex, fromHex("72"), signature)).toBe(true);
    expect(verifySignature(key.publicKeyHex, fromHex("73"), signature)).toBe(false);
  });

  it("derives seeds as RFC 5869 does (test case 3)", () => {
    const expected = "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d";
    expect(Buffer.from(deriveSeed(fromHex("0b".repeat(22)), "")).toString("hex")).toBe(expected);
  });

  it("derives other seeds for other labels", () => {
    const secret = fromHex("01".repeat(32));
    expect(deriveSeed(secret, "a")).not.toEqual(deriveSeed(secret, "b"));
  });

  it("takes malformed keys and signatures for invalid, without throwing", () => {
    const key = signingKeyFromSeed(fromHex("02".repeat(32)));
    const message = fromHex("00");
    const signature = key.sign(message);
    for (const bad of ["", "0x", signature.toUpperCase(), signature.slice(2), `${signature}00`, "zz".repeat(64)]) {
      expect(verifySignature(key.publicKeyHex, message, bad)).toBe(false);
    }
    for (const bad of ["", key.publicKeyHex.toUpperCase(), "ff".repeat(32), "00".repeat(31), "zz".repeat(32)]) {
      expect(verifySignature(bad, message, signature)).toBe(false);
    }
    expect(verifySignature(undefined as unknown as string, message, signature)).toBe(false);
    expect(verifySignature(key.publicKeyHex, message, 7 as unknown as string)).toBe(false);
  });

  it("refuses seeds of another length", () => {
    expect(() => signingKeyFromSeed(fromHex("00".repeat(31)))).toThrow(RangeError);
  });

  it("still verifies after more keys than it remembers", () => {
    const key = signingKeyFromSeed(fromHex("03".repeat(32)));
    const message = fromHex("01");
    const signature = key.sign(message);
    for (let i = 0; i < 5_000; i++) verifySignature(sha256Hex(Buffer.from(`key ${i}`)), message, "00".repeat(64));
    expect(verifySignature(key.publicKeyHex, message, signature)).toBe(true);
  });
});

describe("digests", () => {
  it("are SHA-256 (FIPS 180-4, message abc)", () => {
    const digest = sha256Hex(new TextEncoder().encode("abc"));
    expect(digest).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    expect(isHashHex(digest)).toBe(true);
    for (const other of [digest.toUpperCase(), `0x${digest}`, digest.slice(1), `${digest}\n`, 5])
      expect(isHashHex(other)).toBe(false);
  });
});
