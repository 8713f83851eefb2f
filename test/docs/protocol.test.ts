import { decode } from "cborg";
import {
  createDecipheriv,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  type KeyObject,
} from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { DEFAULT_NATS_LIMITS, MAX_MESSAGE_BYTES } from "../../scheduler/nats/limits.ts";
import { LOSSES, REFUSALS } from "../../scheduler/nats/refusals.ts";
import { sha256Hex } from "../../scheduler/proofs/digest.ts";
import { verifySignature } from "../../scheduler/proofs/keys.ts";
import { natsVectors } from "../support/nats-vectors.ts";

/**
 * docs/PROTOCOL.md and its vectors: what the code says is what they say, and whoever has only the page, a CBOR library and the
 * primitives of his language's crypto library comes to the same bytes.
 */

const file = (name: string) => readFileSync(new URL(`../../docs/${name}`, import.meta.url), "utf8");
const page = file("PROTOCOL.md");
const vectors: Awaited<ReturnType<typeof natsVectors>> = JSON.parse(file("examples/nats-vectors.json"));
const bytesOf = (hex: string) => Buffer.from(hex, "hex");

/** Length (u32, big endian) and content of each field, as the page has it of signatures. */
function fields(...contents: readonly (string | Buffer)[]): Buffer {
  return Buffer.concat(
    contents.flatMap((content) => {
      const bytes = Buffer.from(content);
      const length = Buffer.alloc(4);
      length.writeUInt32BE(bytes.length);
      return [length, bytes];
    }),
  );
}

// HPKE's key schedule (RFC 9180), written down from the RFC: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM.

const KEM_SUITE = Buffer.concat([Buffer.from("KEM"), bytesOf("0020")]);
const HPKE_SUITE = Buffer.concat([Buffer.from("HPKE"), bytesOf("002000010002")]);

function labeledExtract(suite: Buffer, salt: Buffer, label: string, ikm: Buffer): Buffer {
  const labeled = Buffer.concat([Buffer.from("HPKE-v1"), suite, Buffer.from(label), ikm]);
  return createHmac("sha256", salt.length === 0 ? Buffer.alloc(32) : salt)
    .update(labeled)
    .digest();
}

function labeledExpand(suite: Buffer, secret: Buffer, label: string, info: Buffer, length: number): Buffer {
  const [high, low] = [length >> 8, length & 255];
  const labeled = Buffer.concat([Buffer.from([high, low]), Buffer.from("HPKE-v1"), suite, Buffer.from(label), info]);
  // Expansion alone, block by block.
  let [block, out] = [Buffer.alloc(0), Buffer.alloc(0)];
  for (let i = 1; out.length < length; i++) {
    block = createHmac("sha256", secret)
      .update(Buffer.concat([block, labeled, Buffer.from([i])]))
      .digest();
    out = Buffer.concat([out, block]);
  }
  return out.subarray(0, length);
}

/** The private key that the KEM derives from key material. */
function deriveKey(ikm: Buffer): KeyObject {
  const prk = labeledExtract(KEM_SUITE, Buffer.alloc(0), "dkp_prk", ikm);
  const secret = labeledExpand(KEM_SUITE, prk, "sk", Buffer.alloc(0), 32);
  const key = Buffer.concat([bytesOf("302e020100300506032b656e04220420"), secret]);
  return createPrivateKey({ key, format: "der", type: "pkcs8" });
}

function publicKey(raw: Buffer): KeyObject {
  return createPublicKey({
    key: Buffer.concat([bytesOf("302a300506032b656e032100"), raw]),
    format: "der",
    type: "spki",
  });
}

/** What the receiver exports for a use. */
function exported(use: string, length: number): string {
  const receiver = deriveKey(bytesOf(vectors.secrets.receiverKeyMaterial));
  const enc = bytesOf(vectors.join.says.encapsulated);
  const dh = diffieHellman({ privateKey: receiver, publicKey: publicKey(enc) });
  const context = Buffer.concat([enc, bytesOf(vectors.announcement.says.sessionKey)]);
  const eae = labeledExtract(KEM_SUITE, Buffer.alloc(0), "eae_prk", dh);
  const shared = labeledExpand(KEM_SUITE, eae, "shared_secret", context, 32);
  const info = fields("pipe/nats/session/v1", bytesOf(vectors.announcement.digest), vectors.join.says.terms.id);
  const empty = Buffer.alloc(0);
  const schedule = Buffer.concat([
    Buffer.from([0]),
    labeledExtract(HPKE_SUITE, empty, "psk_id_hash", empty),
    labeledExtract(HPKE_SUITE, empty, "info_hash", info),
  ]);
  const secret = labeledExtract(HPKE_SUITE, shared, "secret", empty);
  const exporter = labeledExpand(HPKE_SUITE, secret, "exp", schedule, 32);
  return labeledExpand(HPKE_SUITE, exporter, "sec", Buffer.from(`pipe/nats/session/v1 ${use}`), length).toString("hex");
}

describe("the protocol's vectors", () => {
  it("are what the code says", async () => {
    expect(JSON.parse(JSON.stringify(await natsVectors()))).toEqual(vectors);
  });

  it("carry signatures over what the page says, by the keys that they name", () => {
    const { announcement, join } = vectors;
    const announced = decode(bytesOf(announcement.bytes));
    expect(sha256Hex(announced.body)).toBe(announcement.digest);
    const signatures = [
      ["pipe/nats/announcement/v1", announced, announcement.says.scheduler],
      ["pipe/nats/join/v1", decode(bytesOf(join.bytes)), join.says.terms.key],
    ] as const;
    for (const [domain, { body, signature }, key] of signatures) {
      expect(verifySignature(key, fields(domain, body), Buffer.from(signature).toString("hex"))).toBe(true);
    }
    const said = decode(announced.body);
    expect(said).toMatchObject({ chainId: "my-chain", shard: "shard-0", epoch: 7, sequence: 3 });
  });

  it("give the session's keys by RFC 9180 alone", () => {
    expect(exported("id", 16)).toBe(vectors.session.id);
    expect(exported("up", 32)).toBe(vectors.session.up);
    expect(exported("down", 32)).toBe(vectors.session.down);
  });

  it("open by AES-256-GCM with the nonce and the associated data of the page, and hold the words of the page", () => {
    const words: string[] = [];
    for (const { subject, frame, bytes } of vectors.messages) {
      const sealed = bytesOf(bytes);
      const key = subject.includes(".up.") ? vectors.session.up : vectors.session.down;
      const nonce = Buffer.concat([Buffer.alloc(4), sealed.subarray(16, 24)]);
      const decipher = createDecipheriv("aes-256-gcm", bytesOf(key), nonce);
      decipher.setAAD(Buffer.concat([sealed.subarray(0, 24), Buffer.from(subject)]));
      decipher.setAuthTag(sealed.subarray(-16));
      const plain = Buffer.concat([decipher.update(sealed.subarray(24, -16)), decipher.final()]);
      expect(plain.toString("hex")).toBe(frame);
      expect(sealed.toString("hex", 0, 16)).toBe(vectors.session.id);
      words.push(...decode(plain).map(([word]: [string]) => word));
    }
    expect(words).toEqual(["heard", "dispatch", "report", "accept", "answer", "cancel", "progress", "fail", "leave"]);
    for (const word of words) expect(page).toContain(`| \`${word}\` |`);
  });
});

describe("docs/PROTOCOL.md", () => {
  it("names every reason and every limit of the wire with its size", () => {
    for (const reason of [...REFUSALS, ...LOSSES]) expect(page, reason).toContain(`\`${reason}\``);
    for (const bytes of Object.values(MAX_MESSAGE_BYTES)) expect(page).toContain(bytes.toLocaleString("en-US"));
    for (const limit of ["announceMs", "joinWindowMs", "maxSilenceMs", "maxUnheardMs", "adoptMs"] as const) {
      expect(page).toContain(`${DEFAULT_NATS_LIMITS[limit] / 1_000} s`);
    }
  });
});
