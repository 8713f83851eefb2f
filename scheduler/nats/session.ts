import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from "node:crypto";
import type { Loss, Refusal } from "./refusals.ts";
import { ReplayWindow } from "./replay-window.ts";

/** What two ends agree on. */
export interface SessionKeys {
  /** 16 bytes in hexadecimal: names the session in public. */
  readonly id: string;
  /** For AES-256-GCM, 32 bytes each: what the node says, and what it is told. */
  readonly up: Uint8Array;
  readonly down: Uint8Array;
}

const ID_BYTES = 16;
const COUNTER_BYTES = 8;
const HEADER_BYTES = ID_BYTES + COUNTER_BYTES;
const TAG_BYTES = 16;
const NONCE_BYTES = 12;
const TWO_32 = 0x1_0000_0000;
const CIPHER = "aes-256-gcm";

/** The session's id in front of a sealed message, or `undefined` when it is too short to be one. */
export function sessionIdOf(sealed: Uint8Array): string | undefined {
  if (sealed.length < HEADER_BYTES + TAG_BYTES) return undefined;
  return Buffer.from(sealed.buffer, sealed.byteOffset, ID_BYTES).toString("hex");
}

/**
 * One end of a session: seals what goes out and opens what comes in. A sealed message is `id ‖ counter ‖ ciphertext ‖ tag`; its
 * subject is authenticated with it, so that it means nothing anywhere else, and each counter is taken once (`replayed`).
 */
export class Session {
  readonly id: string;
  readonly #id: Buffer;
  readonly #out: KeyObject;
  readonly #in: KeyObject;
  readonly #window = new ReplayWindow();
  readonly #maxMessages: number;
  #sent = 0;

  constructor(end: "node" | "scheduler", { id, up, down }: SessionKeys, maxMessages: number) {
    this.id = id;
    this.#id = Buffer.from(id, "hex");
    this.#out = createSecretKey(end === "node" ? up : down);
    this.#in = createSecretKey(end === "node" ? down : up);
    this.#maxMessages = maxMessages;
  }

  /** Messages in the direction that has more of them. */
  get messages(): number {
    return Math.max(this.#sent, this.#window.next);
  }

  seal(subject: string, plain: Uint8Array): Uint8Array | Loss {
    if (this.#sent >= this.#maxMessages) return "session-used-up";
    const sealed = Buffer.allocUnsafe(HEADER_BYTES + plain.length + TAG_BYTES);
    this.#id.copy(sealed);
    sealed.writeUInt32BE(Math.floor(this.#sent / TWO_32), ID_BYTES);
    sealed.writeUInt32BE(this.#sent % TWO_32, ID_BYTES + 4);
    this.#sent += 1;
    const cipher = createCipheriv(CIPHER, this.#out, nonceOf(sealed));
    cipher.setAAD(aad(subject, sealed));
    cipher.update(plain).copy(sealed, HEADER_BYTES);
    cipher.final();
    cipher.getAuthTag().copy(sealed, HEADER_BYTES + plain.length);
    return sealed;
  }

  open(subject: string, sealed: Uint8Array): Uint8Array | Refusal {
    if (sealed.length < HEADER_BYTES + TAG_BYTES) return "malformed";
    const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.length);
    const counter = bytes.readUInt32BE(ID_BYTES) * TWO_32 + bytes.readUInt32BE(ID_BYTES + 4);
    if (counter >= this.#maxMessages || !this.#window.isNew(counter)) return "replayed";
    const decipher = createDecipheriv(CIPHER, this.#in, nonceOf(bytes), { authTagLength: TAG_BYTES });
    decipher.setAAD(aad(subject, bytes));
    decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES));
    const plain = decipher.update(bytes.subarray(HEADER_BYTES, bytes.length - TAG_BYTES));
    try {
      decipher.final();
    } catch {
      // The only thing that it throws for: the tag is not that of these bytes.
      return "bad-seal";
    }
    this.#window.take(counter);
    return plain;
  }
}

/** Each direction has a key of its own, so that a counter is a nonce that is never used twice. */
function nonceOf(sealed: Buffer): Buffer {
  const nonce = Buffer.alloc(NONCE_BYTES);
  sealed.copy(nonce, NONCE_BYTES - COUNTER_BYTES, ID_BYTES, HEADER_BYTES);
  return nonce;
}

function aad(subject: string, sealed: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + subject.length);
  sealed.copy(bytes, 0, 0, HEADER_BYTES);
  bytes.write(subject, HEADER_BYTES, "latin1");
  return bytes;
}
