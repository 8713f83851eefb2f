import { encode } from "cborg";
import type { Assignment, NodeMessage, Proof } from "../live/transport.ts";
import { decodeCbor } from "../proofs/nitro/cbor.ts";
import { isProof } from "../proofs/proof.ts";
import { ID_PATTERN, WIRE_LIMITS } from "../proofs/wire-limits.ts";
import type { AttestationRef, FailureReason, NodeTerms, Offer } from "../shared/vocabulary.ts";
import { MODES } from "../shared/vocabulary.ts";
import { CBOR_LIMITS, MAX_MODELS } from "./limits.ts";
import { bytes, hex, INVALID, type Invalid, list, oneOf, record, type Shape, text, uint } from "./shapes.ts";
import type { DownKind, UpKind } from "./subjects.ts";

/** The schemas of everything that is said, as docs/PROTOCOL.md lists them. */

const HASH_BYTES = 32;
const SIGNATURE_BYTES = 64;
const MAX_INSIDE_BYTES = 128 * 1024;

const id = text(ID_PATTERN);
const hash = hex(HASH_BYTES);
const key = hex(HASH_BYTES);

/** Bytes and the Ed25519 signature that vouches for them. */
export interface Signed {
  readonly body: Uint8Array;
  readonly signature: string;
}

export interface Announcement {
  readonly chainId: string;
  readonly shard: string;
  /** Of this shard's leaders the one with the highest is the one. */
  readonly epoch: number;
  /** The scheduler's Ed25519 key. */
  readonly scheduler: string;
  /** The X25519 key to which sessions are agreed on, new with each start. */
  readonly sessionKey: string;
  /** Unix time of the start, and how many announcements came before since. */
  readonly startedMs: number;
  readonly sequence: number;
  /** The epoch whose nonce attestation documents have to answer. */
  readonly registration?: { readonly epoch: number; readonly seed: string };
}

/** How a node says who it is, and on what terms. */
export interface Terms {
  readonly terms: NodeTerms;
  readonly document?: Uint8Array;
}

export interface Join extends Terms {
  /** SHA-256 of the body of the announcement that it answers. */
  readonly announcement: string;
  /** HPKE's encapsulated key. */
  readonly encapsulated: string;
  /** Greater than in every join of this node before. */
  readonly number: number;
}

type Bare<K extends NodeMessage["kind"]> = Omit<Extract<NodeMessage, { kind: K }>, "kind" | "node">;
type Dispatch = Omit<Assignment, "node" | "chainId">;

const termsShape = record<NodeTerms>(
  {
    id,
    key,
    operator: id,
    region: id,
    hardware: id,
    slots: uint,
    queueLimit: uint,
    offers: list(record<Omit<Offer, "equivalence">>({ model: id, mode: oneOf(MODES), priceGwei: uint }), MAX_MODELS),
    attestation: record<AttestationRef>({ hash, epoch: uint }),
  },
  ["attestation"],
);
const documentShape = bytes(WIRE_LIMITS.maxAttestationBytes);

interface WideProof {
  readonly kind: Proof["kind"];
  readonly signature: string;
  readonly attestation?: string;
  readonly proof?: string;
}

const wideProof = record<WideProof>(
  {
    kind: oneOf(["vanilla", "optimistic", "tee", "zkml"]),
    signature: hex(1, WIRE_LIMITS.maxSignatureBytes),
    attestation: hash,
    proof: hex(1, WIRE_LIMITS.maxZkProofBytes),
  },
  ["attestation", "proof"],
);

const proofShape: Shape<Proof> = {
  write: (value) => wideProof.write(value),
  read(value) {
    const read = wideProof.read(value);
    return isProof(read) ? read : INVALID;
  },
};

export const signedShape = record<Signed>({ body: bytes(MAX_INSIDE_BYTES), signature: hex(SIGNATURE_BYTES) });

export const announcementShape = record<Announcement>(
  {
    chainId: id,
    shard: id,
    epoch: uint,
    scheduler: key,
    sessionKey: key,
    startedMs: uint,
    sequence: uint,
    registration: record<NonNullable<Announcement["registration"]>>({ epoch: uint, seed: hash }),
  },
  ["registration"],
);

export const joinShape = record<Join>(
  { announcement: hash, encapsulated: key, number: uint, terms: termsShape, document: documentShape },
  ["document"],
);

const FAILURES = ["error", "overloaded", "unknown-model", "drained", "cancelled"] satisfies FailureReason[];

/** What is sealed, by kind. */
const UP = {
  terms: record<Terms>({ terms: termsShape, document: documentShape }, ["document"]),
  leave: record<object>({}),
  report: record<Bare<"reported">>({ running: uint, queued: uint, warm: list(id, MAX_MODELS) }),
  accept: record<Bare<"accepted">>({ copy: uint }),
  progress: record<Bare<"progressed">>({ copy: uint, tokens: uint }),
  answer: record<Bare<"answered">>({ copy: uint, output: bytes(WIRE_LIMITS.maxOutputBytes), proof: proofShape }),
  fail: record<Bare<"failed">>({ copy: uint, reason: oneOf<FailureReason>(FAILURES) }),
} as const;

const DOWN = {
  heard: record<object>({}),
  dispatch: record<Dispatch>(
    {
      copy: uint,
      nonce: uint,
      txHash: hash,
      callIndex: uint,
      model: id,
      mode: oneOf(MODES),
      inputHash: hash,
      input: bytes(WIRE_LIMITS.maxInputBytes),
      tokensIn: uint,
      tokensOut: uint,
      attestation: hash,
      leaseMs: uint,
    },
    ["attestation"],
  ),
  cancel: record<{ readonly copy: number }>({ copy: uint }),
} as const;

/** What a scheduler says to a node. */
export type DownMessage =
  | { readonly kind: "heard" }
  | { readonly kind: "dispatch"; readonly assignment: Dispatch }
  | { readonly kind: "cancel"; readonly copy: number };

export function write<A>(shape: Shape<A>, value: A): Uint8Array {
  return encode(shape.write(value));
}

/** What the bytes say, or `INVALID`. Never throws. */
export function read<A>(shape: Shape<A>, encoded: Uint8Array): A | Invalid {
  try {
    return shape.read(decodeCbor(encoded, CBOR_LIMITS, "one"));
  } catch {
    // Whatever a decoder makes of bytes that are no message, they are none.
    return INVALID;
  }
}

/** By which kind of subject a node's words go. */
const KIND_OF = {
  joined: "terms",
  left: "leave",
  reported: "report",
  accepted: "accept",
  progressed: "progress",
  answered: "answer",
  failed: "fail",
} as const satisfies Record<NodeMessage["kind"], UpKind>;

/** A sealed kind of what a node says. */
export type SealedUpKind = Exclude<UpKind, "join">;

export function upKindOf(message: NodeMessage): SealedUpKind {
  return KIND_OF[message.kind];
}

/** What is sealed for a node's words. */
export function writeUp(message: NodeMessage): Uint8Array {
  switch (message.kind) {
    case "joined":
      return write(UP.terms, termsOf(message));
    case "left":
      return write(UP.leave, {});
    case "reported":
      return write(UP.report, message);
    case "accepted":
      return write(UP.accept, message);
    case "progressed":
      return write(UP.progress, message);
    case "answered":
      return write(UP.answer, message);
    case "failed":
      return write(UP.fail, message);
  }
}

/** What the node says, in its own name, or `INVALID`. */
export function readUp(kind: SealedUpKind, node: string, encoded: Uint8Array): NodeMessage | Invalid {
  switch (kind) {
    case "terms": {
      const said = read(UP.terms, encoded);
      return said === INVALID ? INVALID : joinedOf(said);
    }
    case "leave":
      return read(UP.leave, encoded) === INVALID ? INVALID : { kind: "left", node };
    case "report":
      return named("reported", node, read(UP.report, encoded));
    case "accept":
      return named("accepted", node, read(UP.accept, encoded));
    case "progress":
      return named("progressed", node, read(UP.progress, encoded));
    case "answer":
      return named("answered", node, read(UP.answer, encoded));
    case "fail":
      return named("failed", node, read(UP.fail, encoded));
  }
}

function named<K extends "reported" | "accepted" | "progressed" | "answered" | "failed">(
  kind: K,
  node: string,
  said: Bare<K> | Invalid,
): NodeMessage | Invalid {
  return said === INVALID ? INVALID : ({ kind, node, ...said } as unknown as NodeMessage);
}

export function termsOf({ terms, attestation }: Extract<NodeMessage, { kind: "joined" }>): Terms {
  return attestation === undefined ? { terms } : { terms, document: attestation };
}

export function joinedOf({ terms, document }: Terms): Extract<NodeMessage, { kind: "joined" }> {
  return document === undefined ? { kind: "joined", terms } : { kind: "joined", terms, attestation: document };
}

/** What is sealed for a scheduler's words. */
export function writeDown(message: DownMessage): Uint8Array {
  switch (message.kind) {
    case "heard":
      return write(DOWN.heard, {});
    case "dispatch":
      return write(DOWN.dispatch, message.assignment);
    case "cancel":
      return write(DOWN.cancel, message);
  }
}

export function readDown(kind: DownKind, encoded: Uint8Array): DownMessage | Invalid {
  switch (kind) {
    case "heard":
      return read(DOWN.heard, encoded) === INVALID ? INVALID : { kind };
    case "dispatch": {
      const assignment = read(DOWN.dispatch, encoded);
      return assignment === INVALID ? INVALID : { kind, assignment };
    }
    case "cancel": {
      const said = read(DOWN.cancel, encoded);
      return said === INVALID ? INVALID : { kind, copy: said.copy };
    }
  }
}
