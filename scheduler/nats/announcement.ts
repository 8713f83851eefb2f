import { sha256Hex } from "../proofs/digest.ts";
import { encodeFields } from "../proofs/encoding.ts";
import { type SigningKey, verifySignature } from "../proofs/keys.ts";
import type { Refusal } from "./refusals.ts";
import { INVALID, read, write } from "./shapes.ts";
import { type Announcement, announcementShape, type Signed, signedShape } from "./wire.ts";

const DOMAIN = "pipe/nats/announcement/v1";

/** As it is published. */
export interface WrittenAnnouncement {
  readonly bytes: Uint8Array;
  /** What a join has to name. */
  readonly digest: string;
}

export function writeAnnouncement(announcement: Announcement, key: SigningKey): WrittenAnnouncement {
  const body = write(announcementShape, announcement);
  const signature = key.sign(encodeFields(DOMAIN, [body]));
  return { bytes: write(signedShape, { body, signature } satisfies Signed), digest: sha256Hex(body) };
}

/** An announcement as it was heard. Its signature is looked at by `Leadership`, once it is known to be wanted. */
export interface HeardAnnouncement {
  readonly announcement: Announcement;
  readonly digest: string;
  readonly isSigned: () => boolean;
}

export function readAnnouncement(bytes: Uint8Array): HeardAnnouncement | Refusal {
  const signed = read(signedShape, bytes);
  if (signed === INVALID) return "malformed";
  const { body, signature } = signed;
  const announcement = read(announcementShape, body);
  if (announcement === INVALID) return "malformed";
  const isSigned = () => verifySignature(announcement.scheduler, encodeFields(DOMAIN, [body]), signature);
  return { announcement, digest: sha256Hex(body), isSigned };
}
