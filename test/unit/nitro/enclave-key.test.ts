import { generateKeyPairSync, sign } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createEnclaveKey } from "../../../scheduler/node/enclave-emulator-key.ts";
import {
  type EnclaveKey,
  readEnclaveKey,
  verifyEnclaveSignature,
} from "../../../scheduler/proofs/nitro/enclave-key.ts";
import { LruMap } from "../../../scheduler/proofs/nitro/lru-map.ts";

const message = Buffer.from("a statement");

describe.each(["ed25519", "p256"] as const)("an enclave's %s key", (algorithm) => {
  const signing = createEnclaveKey(algorithm);
  const signature = signing.sign(message);

  it("is read from its SubjectPublicKeyInfo", () => {
    const spkiHex = Buffer.from(signing.spki).toString("hex");
    expect(readEnclaveKey(spkiHex)).toEqual({ algorithm, spkiHex });
    expect(readEnclaveKey(spkiHex.slice(0, -2))).toBeUndefined();
    expect(readEnclaveKey(`${spkiHex}00`)).toBeUndefined();
  });

  it("verifies what it signed and nothing else, to the bit", () => {
    expect(verifyEnclaveSignature(signing.key, message, signature)).toBe(true);
    const bits = fc.nat(signature.length * 8 - 1);
    fc.assert(
      fc.property(bits, fc.boolean(), (bit, inMessage) => {
        const place = inMessage ? bit % (message.length * 8) : bit;
        const flipped = Uint8Array.from(inMessage ? message : signature);
        flipped[place >> 3] = (flipped[place >> 3] as number) ^ (1 << (place & 7));
        const [altered, sent] = inMessage ? [flipped, signature] : [message, flipped];
        expect(verifyEnclaveSignature(signing.key, altered, sent)).toBe(false);
      }),
      { numRuns: 200 },
    );
  });

  it("never throws on malformed keys and signatures", () => {
    const other = algorithm === "p256" ? "ed25519" : "p256";
    const keys: readonly EnclaveKey[] = [
      { ...signing.key, spkiHex: "" },
      { ...signing.key, spkiHex: "zz" },
      { ...signing.key, spkiHex: signing.key.spkiHex.slice(2) },
      { ...signing.key, algorithm: other },
    ];
    for (const key of keys) expect(verifyEnclaveSignature(key, message, signature)).toBe(false);
    for (const length of [0, 63, 65, 1_000_000]) {
      expect(verifyEnclaveSignature(signing.key, message, new Uint8Array(length))).toBe(false);
    }
    expect(verifyEnclaveSignature(signing.key, message, new Uint8Array(64))).toBe(false);
  });
});

it("a P-256 signature has one form: DER is refused", () => {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const key = readEnclaveKey(publicKey.export({ format: "der", type: "spki" }).toString("hex"));
  if (key === undefined) expect.fail("a P-256 key is read");
  expect(verifyEnclaveSignature(key, message, sign("sha256", message, privateKey))).toBe(false);
  const plain = sign("sha256", message, { key: privateKey, dsaEncoding: "ieee-p1363" });
  expect(verifyEnclaveSignature(key, message, plain)).toBe(true);
});

describe("a map with a limit", () => {
  it("forgets what was not asked for the longest", () => {
    const map = new LruMap<number>(2);
    map.set("a", 1);
    map.set("b", 2);
    expect(map.get("a")).toBe(1);
    map.set("c", 3);
    expect([map.get("a"), map.get("b"), map.get("c"), map.size]).toEqual([1, undefined, 3, 2]);
    map.set("c", 4);
    expect([map.get("a"), map.get("c"), map.size]).toEqual([1, 4, 2]);
  });
});
