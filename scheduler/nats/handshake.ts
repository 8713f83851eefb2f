import { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from "@hpke/core";
import { encodeFields } from "../proofs/encoding.ts";
import { type SigningKey, verifySignature } from "../proofs/keys.ts";
import type { SessionKeys } from "./session.ts";
import { INVALID, type Invalid, read, write } from "./shapes.ts";
import { type Join, joinShape, signedShape, type Terms } from "./wire.ts";

/**
 * How a node and a scheduler agree on the keys of a session, in one message: HPKE (RFC 9180) in base mode to the key that the
 * scheduler announced, and the node's signature over all of it. The announcement is signed, so both ends know whom they talk to.
 */
const SUITE = new CipherSuite({
  kem: new DhkemX25519HkdfSha256(),
  kdf: new HkdfSha256(),
  aead: new Aes256Gcm(),
});

const INFO_DOMAIN = "pipe/nats/session/v1";
const JOIN_DOMAIN = "pipe/nats/join/v1";
const [UP, DOWN, ID] = ["up", "down", "id"].map((use) => Buffer.from(`pipe/nats/session/v1 ${use}`)) as [
  Buffer,
  Buffer,
  Buffer,
];
const KEY_BYTES = 32;
const ID_BYTES = 16;

/** The key of one start of a scheduler; the secret stays inside. */
export interface SessionReceiver {
  /** 32 bytes in hexadecimal, to be announced. */
  readonly publicKey: string;
  /** The keys that the sender of a join has made. Rejects for an encapsulated key that is none. */
  receive(about: SessionInfo, encapsulated: string): Promise<SessionKeys>;
}

/** What a session is for; neither end gets the same keys for anything else. */
export interface SessionInfo {
  /** Digest of the announcement that is answered. */
  readonly announcement: string;
  readonly node: string;
}

/** `ikm`: 32 bytes from which the key is derived, for test vectors; without it the key is random. */
export async function createSessionReceiver(ikm?: Uint8Array): Promise<SessionReceiver> {
  const pair = ikm === undefined ? await SUITE.kem.generateKeyPair() : await SUITE.kem.deriveKeyPair(ownBuffer(ikm));
  const publicKey = Buffer.from(await SUITE.kem.serializePublicKey(pair.publicKey)).toString("hex");
  return {
    publicKey,
    async receive(about, encapsulated) {
      const enc = ownBuffer(Buffer.from(encapsulated, "hex"));
      const context = await SUITE.createRecipientContext({ recipientKey: pair.privateKey, enc, info: infoOf(about) });
      return keysOf(context);
    },
  };
}

/** The keys of a new session with whoever has announced this key, and what tells them to the other end. */
export async function createSession(
  about: SessionInfo,
  sessionKey: string,
  ikm?: Uint8Array,
): Promise<{ readonly encapsulated: string; readonly keys: SessionKeys }> {
  const recipientPublicKey = await SUITE.kem.deserializePublicKey(ownBuffer(Buffer.from(sessionKey, "hex")));
  const ekm = ikm === undefined ? {} : { ekm: await SUITE.kem.deriveKeyPair(ownBuffer(ikm)) };
  const context = await SUITE.createSenderContext({ recipientPublicKey, info: infoOf(about), ...ekm });
  return { encapsulated: Buffer.from(context.enc).toString("hex"), keys: await keysOf(context) };
}

interface Exporter {
  export(context: ArrayBuffer, length: number): Promise<ArrayBuffer>;
}

async function keysOf(exporter: Exporter): Promise<SessionKeys> {
  const taken = async (use: Buffer, length: number) => new Uint8Array(await exporter.export(ownBuffer(use), length));
  const [up, down, id] = [await taken(UP, KEY_BYTES), await taken(DOWN, KEY_BYTES), await taken(ID, ID_BYTES)];
  return { id: Buffer.from(id).toString("hex"), up, down };
}

function infoOf({ announcement, node }: SessionInfo): ArrayBuffer {
  return ownBuffer(encodeFields(INFO_DOMAIN, [Buffer.from(announcement, "hex"), node]));
}

function ownBuffer(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}

/** A join as it is published. */
export function writeJoin(join: Join, key: SigningKey): Uint8Array {
  const body = write(joinShape, join);
  return write(signedShape, { body, signature: key.sign(encodeFields(JOIN_DOMAIN, [body])) });
}

/** A join as it came. Its signature is looked at when everything cheaper has been. */
export interface HeardJoin {
  readonly join: Join;
  readonly isSigned: () => boolean;
}

export function readJoin(bytes: Uint8Array): HeardJoin | Invalid {
  const signed = read(signedShape, bytes);
  if (signed === INVALID) return INVALID;
  const join = read(joinShape, signed.body);
  if (join === INVALID) return INVALID;
  const isSigned = () => verifySignature(join.terms.key, encodeFields(JOIN_DOMAIN, [signed.body]), signed.signature);
  return { join, isSigned };
}

/** What of a node's words a join carries. */
export function joinOf(said: Terms, announcement: string, encapsulated: string, number: number): Join {
  return { ...said, announcement, encapsulated, number };
}
